//! Blocks in document order become steps: which fence belongs to which, and where each may stand.

mod answers;
mod folds;
mod names;
mod output;

pub(in crate::parse) use names::slug;

use answers::Asked;

use std::collections::BTreeMap;

use crate::lab::keywords::FenceKind;
use crate::lab::{CheckBlock, Item, On, PartId, Step};
use crate::parse::action::action;
use crate::parse::attrs::{self, Info};
use crate::parse::check::checks;
use crate::parse::context::Context;
use crate::parse::fields::Fields;
use crate::parse::findings::{
    ATTRIBUTE_VALUE, DETAILS, HIDDEN_BLOCK, MISPLACED_ATTRIBUTE, NEAR_LANGUAGE, NO_OUTPUT_OWNER, SAME_STEP,
    SECOND_TITLE, SHOWN_ATTRIBUTES, UNDERLINED, UNREACHED, VARS_FENCE,
};
use crate::parse::html::tags;
use crate::parse::language::nearly;
use crate::parse::markdown::{Block, Fence, Heading};
use crate::parse::names::no_such;
use crate::parse::output::expected;
use crate::parse::vars::{Export, exports};
use crate::parse::words::Wrong;
use crate::text::{Span, Spanned};

/// What the Markdown after the head gave.
#[derive(Default)]
pub(in crate::parse) struct Body {
    pub(in crate::parse) title: Option<String>,
    pub(in crate::parse) intro: Span,
    pub(in crate::parse) steps: Vec<Step>,
    pub(in crate::parse) exports: Vec<Export>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fold {
    /// Its summary has not come yet.
    New,
    Hint,
    Solution,
    Answer,
    Other,
}

struct Builder<'c, 's> {
    cx: &'c mut Context<'s>,
    body: Body,
    folds: Vec<(Fold, Span)>,
    /// `of=NAME` outputs, which may name a later block's name only after all are read.
    outputs: Vec<(Spanned<String>, crate::lab::Expected)>,
    vars_fence: Option<Span>,
    /// A `lab:step` comment is allowed until something else stands in the step.
    fresh_step: bool,
    /// What stands before the first step and would have run.
    early: Early,
    titled: bool,
    /// The fold of the step's last solution that runs, until something judges it.
    solved: Option<Span>,
    /// The last question, until it is known whether an answer follows.
    asked: Option<Asked>,
    /// How many parts have a number.
    parts: usize,
}

/// Blocks before the first step, and the line that was probably meant to begin one.
#[derive(Default)]
struct Early {
    heading: Option<(Span, String, String)>,
    /// Where the first one begins, and what it is.
    first: Option<(Span, FenceKind)>,
    count: usize,
    /// Another finding says already why they stand there.
    said: bool,
}

pub(in crate::parse) fn body(blocks: &[Block], from: usize, cx: &mut Context<'_>) -> Body {
    let end = cx.source.text().len();
    let mut builder = Builder {
        cx,
        body: Body { intro: Span::new(from, end), ..Body::default() },
        folds: Vec::new(),
        outputs: Vec::new(),
        vars_fence: None,
        fresh_step: false,
        early: Early::default(),
        titled: false,
        solved: None,
        asked: None,
        parts: 0,
    };
    for block in blocks {
        builder.block(block);
    }
    builder.finish()
}

impl Builder<'_, '_> {
    fn block(&mut self, block: &Block) {
        if !matches!(block, Block::Html(_)) {
            self.away_from_question();
        }
        match block {
            Block::Heading(heading) => self.heading(heading),
            Block::Html(span) => {
                for tag in tags(self.cx.source, *span) {
                    self.tag(tag);
                }
                return;
            }
            Block::Fence(fence) => self.fence(fence),
            Block::Prose(prose) => {
                self.glued_heading(prose.span);
                self.item(Item::Prose(prose.span));
            }
            Block::Indented(span) => self.item(Item::Shown(*span)),
        }
        self.fresh_step = matches!(block, Block::Heading(heading) if heading.level == 2);
    }

    fn item(&mut self, mut item: Item) {
        match &mut item {
            Item::Action(action) => action.id = self.next(),
            Item::Check(block) | Item::Wait(block) => block.checks.iter_mut().for_each(|check| check.id = self.next()),
            Item::Question(question) => question.id = self.next(),
            Item::Prose(_) | Item::Shown(_) | Item::Hint(_) => {}
        }
        if let Some(step) = self.body.steps.last_mut() {
            step.items.push(item);
        }
    }

    fn next(&mut self) -> PartId {
        self.parts += 1;
        PartId(self.parts)
    }

    fn heading(&mut self, heading: &Heading) {
        let written = self.cx.source.slice(heading.span).trim_start();
        let first_line = written.lines().next().unwrap_or("").len();
        let span = Span::new(heading.span.start, heading.span.start + first_line);
        if heading.level == 1 && self.body.title.is_none() && !heading.nested {
            self.body.title = Some(heading.text.trim().to_owned());
        } else if heading.level == 1 && !heading.nested && !self.body.steps.is_empty() {
            self.cx
                .findings
                .add(SECOND_TITLE, span, "a level-1 heading starts no step: what follows belongs to the step before")
                .hint(format!("write `## {}`", heading.text.trim()));
        }
        if heading.level != 2 {
            if self.early.first.is_none()
                && self.body.steps.is_empty()
                && (heading.level > 2 || written.starts_with('#'))
            {
                let marks = written.bytes().take_while(|byte| *byte == b'#').count();
                let is_title =
                    heading.level == 1 && self.body.title.as_deref() == Some(heading.text.trim()) && !self.titled;
                self.titled |= is_title;
                if !is_title && marks > 0 {
                    self.early.heading = Some((span, "#".repeat(marks), heading.text.trim().to_owned()));
                }
            }
            self.item(Item::Prose(heading.span));
            return;
        }
        if !written.starts_with('#') {
            self.cx
                .findings
                .add(UNDERLINED, span, "this line is underlined, which makes it a level-2 heading")
                .hint(format!("write `## {}`, or put a blank line before the dashes", heading.text.trim()));
        } else if heading.nested || !self.folds.is_empty() {
            let hint = if heading.nested {
                "move it out of the list or quote"
            } else {
                "close the fold with </details> before it"
            };
            self.cx.findings.add(UNDERLINED, span, "this heading cannot start a step here").hint(hint);
        }
        if self.body.steps.is_empty() {
            self.body.intro.end = heading.span.start;
        }
        self.solved = None;
        self.leave_question();
        let title = heading.text.trim().to_owned();
        self.body.steps.push(Step {
            id: names::slug(&title),
            title,
            span,
            timeout: None,
            on: On::default(),
            quiet: true,
            items: Vec::new(),
        });
    }

    fn fence(&mut self, fence: &Fence) {
        let info = attrs::info(self.cx.source, fence.info);
        let written = info.language.value.as_str();
        let language = nearly(written).unwrap_or(written);
        if language != written {
            self.cx
                .findings
                .add(NEAR_LANGUAGE, info.language.span, names::near_language(written, language))
                .fix(info.language.span, language)
                .hint(format!("did you mean `{language}`?"));
        }
        // An action is read as what it is nearly, since other blocks may name it.
        let kind = FenceKind::of(language).filter(|kind| language == written || kind.is_action());
        let Some(kind) = kind else {
            if language == written {
                self.shown(fence, &info);
            } else {
                self.item(Item::Shown(fence.span));
            }
            return;
        };
        if language == written && info.braces.is_some_and(|braces| braces.start == info.language.span.end) {
            self.cx
                .findings
                .add(
                    NEAR_LANGUAGE,
                    info.language.span,
                    format!("`{{` directly follows `{language}`, so GitHub reads both as one language"),
                )
                .fix(Span::new(info.language.span.end, info.language.span.end), " ")
                .hint(format!("put a blank between: `{language} {{…}}`"));
        }
        let attrs = match (info.braces, info.rest) {
            (Some(braces), _) => attrs::in_braces(self.cx.source, braces, &mut self.cx.findings),
            (None, Some(rest)) => attrs::without_braces(self.cx.source, &info, rest, &mut self.cx.findings),
            (None, None) => Vec::new(),
        };
        let head = Span::new(fence.marker.start, fence.info.end);
        let fields = Fields::of_fence(kind, attrs, head, self.cx);
        if fields.has("vars") {
            self.vars(fence, &fields);
            return;
        }
        if self.hidden(kind, &fields) {
            return;
        }
        let item = match kind {
            FenceKind::Script | FenceKind::Console => {
                let in_solution = self.folds.iter().any(|(fold, _)| *fold == Fold::Solution);
                let action = action(fence, kind, &fields, in_solution, self.cx);
                if in_solution && !action.norun {
                    self.one_solution();
                }
                Item::Action(action)
            }
            FenceKind::Check => {
                self.solved = None;
                Item::Check(self.check(fence, &fields))
            }
            FenceKind::Wait => {
                self.solved = None;
                Item::Wait(self.check(fence, &fields))
            }
            FenceKind::Question => self.question(fence, &fields, head),
            FenceKind::Answer => {
                self.answer(fence, head);
                return;
            }
            FenceKind::Output => {
                self.output(fence, &fields);
                Item::Shown(fence.span)
            }
        };
        if self.body.steps.is_empty() {
            let runs = !matches!(&item, Item::Action(action) if action.norun);
            if runs {
                self.early.first.get_or_insert((head, kind));
                self.early.count += 1;
                // Its name is not known to what refers to it.
                self.cx.findings.unread = true;
            }
            return;
        }
        self.item(item);
    }

    fn shown(&mut self, fence: &Fence, info: &Info) {
        let language = info.language.value.as_str();
        if let Some(braces) = info.braces {
            self.cx.findings.unread = true;
            let (message, hint) = if language.is_empty() {
                ("attributes on a fence without a language", "name the language before them: ```bash {…}".to_owned())
            } else if ["shell", "zsh", "ksh", "shellscript", "terminal", "cmd", "command", "bash-session"]
                .contains(&language)
            {
                ("attributes on a fence that does not run", format!("write `bash` in place of `{language}`"))
            } else {
                ("attributes on a fence that does not run", format!("remove them; `{language}` does not run"))
            };
            self.cx.findings.add(SHOWN_ATTRIBUTES, braces, message).hint(hint);
        }
        self.item(Item::Shown(fence.span));
    }

    fn vars(&mut self, fence: &Fence, fields: &Fields) {
        for name in fields.names().filter(|name| name.value != "vars") {
            let message = format!("`{}` cannot be combined with `vars`", name.value);
            self.cx.findings.add(MISPLACED_ATTRIBUTE, name.span, message).hint("a `vars` block is read, not run");
        }
        if self.vars_fence.is_some() {
            self.cx
                .findings
                .add(VARS_FENCE, fields.span, "there is a `vars` fence already")
                .hint("put all variables into the first one");
        }
        self.vars_fence = Some(fence.span);
        let exports = exports(&fence.content, self.cx);
        self.body.exports.extend(exports);
        self.item(Item::Shown(fence.span));
    }

    fn check(&mut self, fence: &Fence, fields: &Fields) -> CheckBlock {
        let pre = fields.read("pre", self.cx, |text| match text {
            "pass" => Ok(()),
            other => Err(Wrong {
                message: format!("`{other}` is not what `pre` takes"),
                hint: Some("write `pre=pass`".to_owned()),
            }),
        });
        if let Some(value) = fields.value("fail").filter(|value| value.text.trim().is_empty()) {
            self.cx.findings.add(ATTRIBUTE_VALUE, value.span, "the text of `fail` is empty");
        }
        CheckBlock {
            span: fence.span,
            points: fields.points(self.cx),
            fail: fields.template("fail", self.cx),
            pre_pass: pre.is_some(),
            on: fields.on(self.cx),
            checks: checks(&fence.content, fields.span, self.cx),
        }
    }

    fn output(&mut self, fence: &Fence, fields: &Fields) {
        let expected = expected(&fence.content, fields.has("unordered"), fence.span, self.cx);
        if let Some(of) = fields.id("of", self.cx) {
            self.outputs.push((of, expected));
            return;
        }
        let owner = self.body.steps.last_mut().and_then(|step| {
            step.items
                .iter_mut()
                .rev()
                .find(|item| !matches!(item, Item::Prose(_) | Item::Shown(_) | Item::Hint(_)))
                .and_then(|item| if let Item::Action(action) = item { Some(action) } else { None })
        });
        match owner {
            Some(action) => output::attach(action, expected, fields.span, self.cx),
            None => self
                .cx
                .findings
                .add(NO_OUTPUT_OWNER, fields.span, "there is no action before this expected output")
                .hint("put it right after the action, or name one: `output {of=NAME}`"),
        }
    }

    /// `##Title`: without a blank it is no heading, and its blocks belong to the step before.
    fn glued_heading(&mut self, span: Span) {
        let text = self.cx.source.slice(span);
        let line = text.lines().next().unwrap_or("");
        let marks = line.bytes().take_while(|byte| *byte == b'#').count();
        if !(2..=6).contains(&marks) || !line[marks..].starts_with(char::is_alphanumeric) {
            return;
        }
        let title = &line[marks..];
        let at = Span::new(span.start, span.start + line.len());
        self.cx
            .findings
            .add(UNDERLINED, at, format!("this line is not a heading: a blank is missing after `{}`", &line[..marks]))
            .fix(Span::new(span.start + marks, span.start + marks), " ")
            .hint(format!("write `{} {title}`", &line[..marks]));
        if marks == 2 && self.body.steps.is_empty() {
            // What stands before the first step because of it needs no finding of its own.
            self.early.said = true;
            self.cx.findings.unread = true;
        }
    }

    /// One finding for all blocks before the first step, at the line that was meant to begin one.
    fn before_the_first_step(&mut self) {
        let Some((at, kind)) = self.early.first.filter(|_| !self.early.said) else { return };
        let count = self.early.count;
        let blocks = if count == 1 { "the block".to_owned() } else { format!("the {count} blocks") };
        if let Some((span, marks, title)) = self.early.heading.take() {
            let runs = if count == 1 { "runs" } else { "run" };
            self.cx
                .findings
                .add(UNREACHED, span, format!("`{marks}` starts no step, so {blocks} below it never {runs}"))
                .hint(format!("write `## {title}`"));
        } else {
            let more = if count == 1 { String::new() } else { format!(" (and {} more)", count - 1) };
            self.cx
                .findings
                .add(UNREACHED, at, format!("{} is before the first `##`, so it never runs{more}", kind.noun()))
                .hint("put a `##` heading above it, or add `norun` where it is only shown");
        }
    }

    fn finish(mut self) -> Body {
        self.leave_question();
        self.before_the_first_step();
        for (fold, span) in std::mem::take(&mut self.folds) {
            self.cx.findings.take_back(HIDDEN_BLOCK, span.start);
            self.cx.findings.take_back(UNDERLINED, span.start);
            let message = if fold == Fold::New {
                "this fold has neither a summary nor an end"
            } else {
                "this fold is never closed"
            };
            self.cx.findings.add(DETAILS, span, message).hint("close it with a line of its own: </details>");
        }
        let mut ids: BTreeMap<String, Span> = BTreeMap::new();
        for step in &self.body.steps {
            if let Some(first) = ids.insert(step.id.clone(), step.span) {
                let line = self.cx.line(first.start);
                self.cx
                    .findings
                    .add(SAME_STEP, step.span, format!("the step in line {line} has the id `{}` already", step.id))
                    .hint("change the heading, or give one an id: <!-- lab:step id=… -->");
            }
        }
        for (of, expected) in std::mem::take(&mut self.outputs) {
            let owner = self
                .body
                .steps
                .iter_mut()
                .flat_map(|step| &mut step.items)
                .filter_map(|item| if let Item::Action(action) = item { Some(action) } else { None })
                .find(|action| action.name.as_ref().is_some_and(|name| name.value == of.value));
            // A name that nobody has is found where all names are looked at.
            match owner {
                Some(action) => output::attach(action, expected, of.span, self.cx),
                None => no_such(&of, &[], self.cx),
            }
        }
        self.body
    }
}
