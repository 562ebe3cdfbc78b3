//! A lab for learners: without its solutions, or as a hand-out to read.

use crate::lab::keywords::FenceKind;
use crate::lab::language::capital;
use crate::lab::{Answer, CheckBlock, FoldKind, Item, Lab, Question, VarDefault, Vars};
use crate::parse::{FenceOutline, Outline, outline};
use crate::text::{Edit, Span, filled};

/// What a lab becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A lab still: solutions and answers are gone, and the rest stands as it is written.
    Lab,
    /// A text to read: checks and questions in words, commands without their attributes.
    Text { hints: bool },
}

/// The lab's text in this form, as Markdown.
pub fn export(lab: &Lab, form: Form) -> String {
    let outline = outline(&lab.source);
    let exporter = Exporter { lab, outline: &outline, form, vars: defaults(lab) };
    exporter.export()
}

/// What a reader can be told of the variables.
fn defaults(lab: &Lab) -> Vars {
    let known = lab.vars.iter().filter(|var| !var.secret);
    known
        .filter_map(|var| match &var.default {
            VarDefault::Text(text) => Some((var.name.value.clone(), text.clone())),
            VarDefault::Random(_) | VarDefault::Port => None,
        })
        .collect()
}

struct Exporter<'a> {
    lab: &'a Lab,
    outline: &'a Outline,
    form: Form,
    vars: Vars,
}

impl Exporter<'_> {
    fn export(&self) -> String {
        let text = self.lab.source.text();
        let mut edits: Vec<Edit> = Vec::new();
        for fold in &self.outline.folds {
            let replaced = match (fold.kind, self.form) {
                (FoldKind::Solution, Form::Lab) => {
                    // What a learner is to do has a place still: the step's checks judge it.
                    let words = self.lab.language.words();
                    let (title, kept) = (capital(words.solution[0]), words.kept);
                    Some(format!("<details><summary>{title}</summary>\n\n{kept}\n\n</details>"))
                }
                (FoldKind::Solution | FoldKind::Answer, _) | (FoldKind::Hint, Form::Text { hints: false }) => {
                    Some(String::new())
                }
                (FoldKind::Hint | FoldKind::Other, _) => None,
            };
            if let Some(replaced) = replaced {
                edits.push(Edit { span: fold.span, text: self.indented(fold.span.start, &replaced) });
            }
        }
        for fence in &self.outline.fences {
            edits.extend(self.fence(fence).map(|text| Edit { span: fence.span, text }));
        }
        if self.form != Form::Lab {
            edits.push(Edit { span: Span::new(0, self.outline.body), text: self.title() });
            for comment in &self.outline.comments {
                edits.push(Edit { span: whole_comment(text, *comment), text: String::new() });
            }
        }
        edits.sort_by_key(|edit| (edit.span.start, std::cmp::Reverse(edit.span.end)));
        self.put_together(&edits)
    }

    fn put_together(&self, edits: &[Edit]) -> String {
        let text = self.lab.source.text();
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for edit in edits {
            // What lies in a fold that is gone is gone with it.
            if edit.span.start < at {
                continue;
            }
            out.push_str(&self.prose(&text[at..edit.span.start]));
            at = edit.span.end;
            out.push_str(&edit.text);
            if edit.text.is_empty() {
                // A blank line parts what stood around it: right after a fold it would be HTML.
                out.truncate(out.trim_end().len());
                if !out.is_empty() {
                    out.push_str("\n\n");
                }
                // With its line's end and the blank line after it.
                at += text[at..].len() - text[at..].trim_start_matches(['\n', '\r']).len();
            }
        }
        out.push_str(&self.prose(&text[at..]));
        format!("{}\n", out.trim())
    }

    fn prose(&self, text: &str) -> String {
        match self.form {
            Form::Lab => text.to_owned(),
            Form::Text { .. } => filled(text, |name| self.vars.get(name).cloned()),
        }
    }

    fn title(&self) -> String {
        let intro = self.lab.source.slice(self.lab.intro);
        if intro.lines().any(|line| line.starts_with("# ")) {
            String::new()
        } else {
            format!("# {}\n\n", self.lab.title)
        }
    }

    /// What stands in place of a fence; `None` where it stays.
    fn fence(&self, fence: &FenceOutline) -> Option<String> {
        let source = &self.lab.source;
        let item = self.lab.steps.iter().flat_map(|step| &step.items).find(|item| match item {
            Item::Check(block) | Item::Wait(block) => block.span.start == fence.span.start,
            Item::Question(question) => fence.info.start <= question.span.end && question.span.start <= fence.info.end,
            _ => false,
        });
        let at = fence.span.start;
        match (item, self.form) {
            (Some(Item::Question(question)), _) => Some(self.indented(at, &self.question(question))),
            (_, Form::Lab) => None,
            (Some(Item::Check(block)), _) => Some(self.indented(at, &self.checks(block))),
            (Some(Item::Wait(block)), _) => {
                Some(self.indented(at, &format!("The step goes on once this holds:\n\n{}", self.checks(block))))
            }
            _ if fence.attribute("setup").is_some() => Some(String::new()),
            _ => {
                let whole = source.slice(fence.span);
                let (head, rest) = (fence.info.start - at, fence.info.end - at);
                let language = match fence.kind {
                    Some(FenceKind::Output) => "text",
                    _ => fence.language.value.as_str(),
                };
                let content = if fence.kind == Some(FenceKind::Output) {
                    filled(&whole[rest..], |name| self.vars.get(name).cloned())
                } else {
                    whole[rest..].to_owned()
                };
                Some(format!("{}{language}{content}", &whole[..head]))
            }
        }
    }

    fn checks(&self, block: &CheckBlock) -> String {
        let line = |check: &crate::lab::Check| {
            let words = check.in_words(&self.vars);
            let mut lines = words.lines();
            let first = lines.next().unwrap_or_default();
            let more: Vec<String> = lines.map(|line| format!("\n  - {}", line.trim())).collect();
            format!("- [ ] {first}{}", more.concat())
        };
        block.checks.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn question(&self, question: &Question) -> String {
        let fill = |text: &str| filled(text, |name| self.vars.get(name).cloned());
        let text = match self.form {
            Form::Lab => question.text.clone(),
            Form::Text { .. } => fill(&question.text),
        };
        match &question.answer {
            Answer::Choices(choices) => {
                let choices: Vec<String> =
                    choices.iter().map(|choice| format!("- [ ] {}", fill(&choice.text))).collect();
                format!("{text}\n\n{}", choices.join("\n"))
            }
            Answer::Texts(_) => format!(
                "{text}\n\n{}: \\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_",
                capital(self.lab.language.words().answer[0])
            ),
        }
    }

    /// Each line but the first begins as the line in which the part stands, in a list or a quote.
    fn indented(&self, at: usize, text: &str) -> String {
        let source = &self.lab.source;
        let start = source.line_start(source.row(at));
        let lead: String = source.text()[start..at].chars().map(|c| if c == '>' { '>' } else { ' ' }).collect();
        if lead.is_empty() { text.to_owned() } else { text.replace('\n', &format!("\n{lead}")) }
    }
}

/// A comment with its marks.
fn whole_comment(text: &str, inside: Span) -> Span {
    let start = text[..inside.start].rfind("<!--").unwrap_or(inside.start);
    let end = text[inside.end..].find("-->").map_or(inside.end, |end| inside.end + end + 3);
    Span::new(start, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;
    use crate::text::{Severity, SourceFile};

    const LAB: &str = "---\ntitle: A lab\nvars:\n  NS: { default: demo }\n---\n## Make it\n<!-- lab:step id=make -->\n\nMake ${NS}.\n\n<details><summary>Hint</summary>\n\nLook at the help.\n\n</details>\n<details><summary>Solution</summary>\n\n```bash\nkubectl create namespace \"$NS\"\n```\n\n</details>\n\n```check {points=2}\nkey /registry/namespaces/${NS} exists\n```\n\n## Ask\n\n1. Look:\n\n   ```bash {name=look}\n   kubectl get namespaces\n   ```\n\n```question\nWhere is ${NS}?\n( ) here\n(x) there\n```\n\n```bash {cleanup}\nkubectl delete namespace \"$NS\"\n```\n";

    fn made(form: Form) -> String {
        let parsed = parse(&SourceFile::new("lab.md", "lab.md", LAB));
        export(parsed.lab.as_ref().unwrap_or_else(|| panic!("{:#?}", parsed.findings)), form)
    }

    #[test]
    fn without_solutions_it_is_a_lab_still() {
        let text = made(Form::Lab);
        assert!(!text.contains("kubectl create namespace") && !text.contains("(x)"), "{text}");
        assert!(text.contains("Your instructor has it.") && text.contains("```check {points=2}"), "{text}");
        assert!(text.contains("- [ ] there") && text.contains("lab:step id=make"), "{text}");
        let source = SourceFile::new("lab.md", "lab.md", text);
        let errors: Vec<_> =
            parse(&source).findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }

    #[test]
    fn a_blank_line_stays_where_a_fold_is_gone() {
        let lab = LAB
            .replace("</details>\n<details><summary>Solution", "</details>\n\nAnd *so*:\n<details><summary>Solution");
        let parsed = parse(&SourceFile::new("lab.md", "lab.md", lab));
        let text =
            export(parsed.lab.as_ref().unwrap_or_else(|| panic!("{:#?}", parsed.findings)), Form::Text { hints: true });
        assert!(text.contains("</details>\n\nAnd *so*:\n\n- [ ] etcd holds"), "{text}");
        let text = made(Form::Text { hints: true });
        assert!(text.contains("</details>\n\n- [ ] etcd holds"), "{text}");
    }

    #[test]
    fn a_handout_is_read() {
        let text = made(Form::Text { hints: false });
        assert_eq!(
            text,
            "# A lab\n\n## Make it\n\nMake demo.\n\n- [ ] etcd holds the key /registry/namespaces/demo\n\n## Ask\n\n1. Look:\n\n   ```bash\n   kubectl get namespaces\n   ```\n\nWhere is demo?\n\n- [ ] here\n- [ ] there\n\n```bash\nkubectl delete namespace \"$NS\"\n```\n"
        );
        assert!(made(Form::Text { hints: true }).contains("Look at the help."));
    }
}
