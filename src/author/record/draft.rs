//! A plain tutorial as a lab: headings where a step begins, fences around code that is only indented, a title, and an
//! etcd of its own where it speaks to nothing else. Lines are added, no line is changed.

use super::additions::Additions;
use super::convert::SHELLS;
use crate::lab::keywords::FenceKind;
use crate::parse::{FenceOutline, Outline, outline};
use crate::text::{SourceFile, is_lower_case};

/// A heading that is longer says what the paragraph says.
const LONGEST_TITLE: usize = 60;
/// What a block of indented code begins with where it is meant to be run.
const COMMANDS: [&str; 10] =
    ["kubectl", "etcdctl", "etcdutl", "export", "cat", "echo", "printf", "mkdir", "cd", "touch"];
/// The front matter of a lab about nothing but etcd.
const BARE_HEAD: &str = r#"clusters: [bare]
etcd:
  etcd: "http://127.0.0.1:${CLIENT}"
vars:
  CLIENT: { port: true }
  PEER: { port: true }"#;
const BARE_START: &str = r#"```bash {setup name=etcd terminal=etcd background ready=port:$CLIENT}
etcd --name etcd --data-dir "$LAB_WORK/etcd" --listen-client-urls "http://127.0.0.1:$CLIENT" --advertise-client-urls "http://127.0.0.1:$CLIENT" --listen-peer-urls "http://127.0.0.1:$PEER" --initial-advertise-peer-urls "http://127.0.0.1:$PEER" --initial-cluster "etcd=http://127.0.0.1:$PEER"
```
"#;

/// etcd's own pages speak of their members so, and say elsewhere what it is.
const ENDPOINTS: &str = r#"```bash {setup}
export ENDPOINTS="http://127.0.0.1:$CLIENT"
```
"#;

/// A lab's text, and what was added to the file for it.
#[derive(Debug)]
pub struct Draft {
    pub source: SourceFile,
    pub added: Additions,
    /// Blocks in the language of a shell that a lab does not run: their lines, and the language.
    pub shown: Vec<(usize, String)>,
}

/// A block of commands.
#[derive(Debug, Clone, Copy)]
struct Runs {
    first: usize,
    last: usize,
    is_indented: bool,
}

pub fn draft(source: &SourceFile) -> Draft {
    let parts = outline(source);
    let mut added = Additions::default();
    let line = |offset: usize| source.position(offset).line;
    let mut blocks: Vec<Runs> = parts
        .fences
        .iter()
        .filter(|fence| runs(fence))
        .map(|fence| Runs {
            first: line(fence.span.start),
            last: line(fence.span.end.saturating_sub(1)),
            is_indented: false,
        })
        .collect();
    for span in &parts.indented {
        let (first, last) = (line(span.start), line(span.end.saturating_sub(1)));
        let text = source.line(first).trim_start();
        let word = text.split_whitespace().next().unwrap_or_default();
        let indent = source.line(first).len() - text.len();
        if COMMANDS.contains(&word) && (4..8).contains(&indent) && source.line(first).starts_with("    ") {
            let last = (first..=last).rev().find(|line| !source.line(*line).trim().is_empty()).unwrap_or(first);
            blocks.push(Runs { first, last, is_indented: true });
        }
    }
    blocks.sort_by_key(|block| block.first);
    let first_step = parts.headings.iter().find(|heading| heading.level == 2).map(|heading| line(heading.span.start));
    // So that a step's heading comes before what starts its etcd, and that before the block's own fence.
    let bare = is_bare(source, &parts, &blocks);
    let mut count = 0;
    let mut end_of_last = 0;
    for (index, block) in blocks.iter().enumerate() {
        let above = Above::of(source, block.first, end_of_last);
        if first_step.is_none_or(|step| block.first < step) && (count == 0 || above.has_text) {
            count += 1;
            let title = above.title.unwrap_or_else(|| format!("Step {count}"));
            added.add(above.line - 1, [format!("## {title}"), String::new()]);
        }
        if bare && index == 0 {
            added.add(block.first - 1, BARE_START.lines().map(str::to_owned).chain([String::new()]));
            if wants_endpoints(source.text()) {
                added.add(block.first - 1, ENDPOINTS.lines().map(str::to_owned).chain([String::new()]));
            }
        }
        if block.is_indented {
            added.add(block.first - 1, ["```bash".to_owned()]);
            added.add(block.last, ["```".to_owned()]);
        }
        end_of_last = block.last;
    }
    let has_title = parts.headings.iter().any(|heading| heading.level == 1);
    let mut head: Vec<String> = Vec::new();
    if !blocks.is_empty() && (parts.body == 0 || bare) {
        if !has_title && parts.body == 0 {
            head.push(format!("title: {}", title_of_file(source)));
        }
        if bare {
            head.extend(BARE_HEAD.lines().map(str::to_owned));
        }
    }
    if !head.is_empty() && parts.body > 0 {
        // Behind the first line of the front matter that is there.
        added = front(1, head, &added, source);
    } else if !head.is_empty() {
        let fence = || "---".to_owned();
        let lines = [fence()].into_iter().chain(head).chain([fence()]);
        added = front(0, lines.collect(), &added, source);
    }
    let shown = parts.fences.iter().filter(|fence| is_shell(&fence.language.value));
    let shown = shown.map(|fence| (line(fence.span.start), fence.language.value.clone())).collect();
    let text = added.apply(source.text());
    Draft { source: SourceFile::new(source.name().to_owned(), source.path(), text), added, shown }
}

/// Front matter before whatever else is added there.
fn front(at: usize, lines: Vec<String>, added: &Additions, source: &SourceFile) -> Additions {
    let mut all = Additions::default();
    all.add(at, lines);
    for after in 0..=source.text().lines().count() {
        all.add_all(after, added);
    }
    all
}

fn runs(fence: &FenceOutline) -> bool {
    fence.kind.is_some_and(FenceKind::is_action)
        && fence.attribute("norun").is_none()
        && fence.attribute("cleanup").is_none()
        && fence.attribute("vars").is_none()
}

fn is_shell(language: &str) -> bool {
    SHELLS.contains(&language.to_ascii_lowercase().as_str())
}

/// Whether a file that is no lab yet speaks to an etcd and to no Kubernetes.
fn is_bare(source: &SourceFile, parts: &Outline, blocks: &[Runs]) -> bool {
    let own = |line: usize| source.line(line).to_owned();
    let commands: Vec<String> = blocks.iter().flat_map(|block| block.first..=block.last).map(own).collect();
    let says = |word: &str| commands.iter().any(|line| line.contains(word));
    // What is only shown says nothing of where the others run.
    let has_attributes = |fence: &FenceOutline| fence.braces.is_some() && fence.attribute("norun").is_none();
    let is_ours = |fence: &FenceOutline| fence.kind.is_some_and(|kind| has_attributes(fence) || !kind.is_action());
    let head = &source.text()[..parts.body];
    let says_where = head.contains("clusters:") || head.contains("etcd:");
    let starts_one = commands.iter().any(|line| line.trim_start().trim_start_matches("$ ").starts_with("etcd "));
    let is_of_etcd = says("etcdctl") && !says("kubectl") && !says("/registry") && !starts_one;
    is_of_etcd && !says_where && !parts.fences.iter().any(is_ours)
}

fn wants_endpoints(text: &str) -> bool {
    (text.contains("$ENDPOINTS") || text.contains("${ENDPOINTS}"))
        && !text.contains("ENDPOINTS=\"")
        && !text.contains("export ENDPOINTS")
}

/// What stands above a block and belongs to it.
struct Above {
    /// The first line of it, or of the block.
    line: usize,
    title: Option<String>,
    /// There is text between the block and the one before it.
    has_text: bool,
}

impl Above {
    /// The paragraph right above, down to the end of the block before.
    fn of(source: &SourceFile, block: usize, end_of_last: usize) -> Self {
        let is_blank = |line: usize| source.line(line).trim().is_empty();
        let mut last = block - 1;
        while last > end_of_last && is_blank(last) {
            last -= 1;
        }
        let none = |has_text: bool| Self { line: block, title: None, has_text };
        if last <= end_of_last {
            return none(false);
        }
        let text = source.line(last).trim();
        if let Some(heading) = text.strip_prefix('#') {
            let title = heading.trim_start_matches('#').trim();
            // The lab's own title is none of a step.
            return if heading.starts_with("##") {
                Self { line: last, title: titled(title), has_text: true }
            } else {
                none(true)
            };
        }
        if text.starts_with("```") || text.starts_with("~~~") || text.starts_with('<') || text.starts_with('|') {
            return none(true);
        }
        let mut first = last;
        let goes_on = |line: usize| !is_blank(line) && !source.line(line).trim_start().starts_with(['#', '`', '<']);
        while first > end_of_last + 1 && goes_on(first - 1) {
            first -= 1;
        }
        let paragraph: Vec<&str> = (first..=last).map(|line| source.line(line).trim()).collect();
        Self { line: first, title: titled(&paragraph.join(" ")), has_text: true }
    }
}

/// A sentence as a heading, where it is short enough for one.
fn titled(text: &str) -> Option<String> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_digit() || "-*+.)> ".contains(c));
    let sentence = text.split(". ").next().unwrap_or(text);
    let title = sentence.trim().trim_end_matches([':', '.', ',', ';']).trim();
    let is_plain = !title.contains(['[', ']', '<', '{', '*', '_', '|', '\\']);
    (is_plain && !title.is_empty() && title.chars().count() <= LONGEST_TITLE).then(|| title.to_owned())
}

fn title_of_file(source: &SourceFile) -> String {
    let id = crate::parse::id(source.path());
    let words = id.replace(['-', '_'], " ");
    let mut chars = words.trim().chars();
    let title: String = chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect());
    if is_lower_case(&title.to_lowercase().replace(' ', ""), &[]) && !title.is_empty() {
        title
    } else {
        serde_json::Value::from(title).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn of(text: &str) -> Draft {
        draft(&SourceFile::new("my-tour.md", "my-tour.md", text))
    }

    #[test]
    fn indented_commands_get_fences_and_each_paragraph_a_step() {
        let text = "# Scale a deployment\n\nCreate a deployment:\n\n    kubectl create deployment web --image=nginx:1.27\n\nIt has one replica. Make it three:\n\n    kubectl scale deployment web --replicas=3\n\nText.\n\n    not a command\n";
        let draft = of(text);
        assert_eq!(
            draft.source.text(),
            "# Scale a deployment\n\n## Create a deployment\n\nCreate a deployment:\n\n```bash\n    kubectl create deployment web --image=nginx:1.27\n```\n\n## It has one replica\n\nIt has one replica. Make it three:\n\n```bash\n    kubectl scale deployment web --replicas=3\n```\n\nText.\n\n    not a command\n"
        );
        assert!(parse(&draft.source).lab.is_some());
        assert_eq!(draft.added.original(8), 5);
    }

    #[test]
    fn a_lab_stays_as_it_is() {
        let lab = "---\ntitle: A\n---\n## One\n\n```bash\nkubectl get ns\n```\n\n```check\nkey /registry/namespaces/a exists\n```\n";
        let draft = of(lab);
        assert!(draft.added.is_empty());
        assert_eq!(draft.source.text(), lab);
    }

    #[test]
    fn a_tour_of_etcd_gets_one_of_its_own_and_a_title() {
        let draft = of("Put a key.\n\n```sh\netcdctl put a b\n```\n\n```sh {norun}\nvi\n```\n\n```shell\nls\n```\n");
        let text = draft.source.text();
        assert!(text.starts_with("---\ntitle: My tour\nclusters: [bare]\n"), "{text}");
        assert!(text.contains("---\n## Put a key\n\nPut a key.\n\n```bash {setup name=etcd "), "{text}");
        let parsed = parse(&draft.source);
        assert!(parsed.lab.is_some(), "{:?}", parsed.findings);
        assert_eq!(draft.shown, [(11, "shell".to_owned())]);
    }

    #[test]
    fn what_stands_before_the_first_step_becomes_one() {
        let draft = of("# T\n\n```bash\nkubectl get ns\n```\n\n## Later\n\n```bash\nkubectl get pods\n```\n");
        assert_eq!(
            draft.source.text(),
            "# T\n\n## Step 1\n\n```bash\nkubectl get ns\n```\n\n## Later\n\n```bash\nkubectl get pods\n```\n"
        );
    }
}
