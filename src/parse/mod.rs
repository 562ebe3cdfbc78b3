//! Markdown to [`Lab`]: front matter, attributes, check lines and lint rules. Gathers all findings,
//! never stops at the first.

mod action;
mod allow;
mod attrs;
mod check;
mod collection;
mod context;
mod definitions;
mod explain;
mod fields;
mod findings;
mod front_matter;
#[cfg(test)]
mod fuzz;
mod habits;
mod head_slips;
mod html;
mod images;
mod input;
mod keys;
mod kind;
mod language;
mod links;
mod markdown;
mod names;
mod outline;
mod output;
mod private;
mod question;
mod quotes;
mod reach;
mod schema;
mod secrets;
mod shell;
mod solutions;
mod steps;
mod stray;
mod syntax;
mod variables;
mod vars;
mod varying;
mod words;
mod yaml;

use crate::expr::on_big_stack;
use crate::lab::{ClusterKind, Lab};
use crate::text::{Diagnostic, Severity, SourceFile, Span, Spanned};

use context::Context;

pub use collection::{Collection, parse_all};
pub use definitions::of as definitions_of;
pub use explain::{explain, rule};
pub use findings::{ENDLESS, FILE_NAME, MINUTES, NOT_UTF8, PLACEHOLDER, RULES, Rule, WAITS_FOR_INPUT};
pub use kind::{Kind, is_ours, kind_of};
pub use markdown::LARGEST;
pub use outline::{FenceOutline, FoldOutline, HeadingOutline, Outline, Written, outline};
pub use private::{is_private, lab_of_private, private_path, with_private};
pub use schema::front_matter_schema;
pub use secrets::secret_defaults;
pub use syntax::{Heard, ask_bash, ask_bash_of_all};
pub use words::duration_flag;

/// What one file gave: a lab where no finding is an error, and every finding in file order.
#[derive(Debug)]
pub struct Parsed {
    pub lab: Option<Lab>,
    pub findings: Vec<Diagnostic>,
    /// What could be read where a finding is an error: an editor goes by it.
    pub draft: Option<Lab>,
    /// What a shell is to read once more: see [`ask_bash`].
    scripts: Vec<syntax::Script>,
}

impl Parsed {
    /// An error was found afterwards: the lab is a draft.
    pub fn refuse(&mut self) {
        self.draft = self.lab.take().or(self.draft.take());
    }

    /// Adds what was found of the lab among others of its collection.
    pub fn add(&mut self, found: Vec<Diagnostic>) {
        if !found.is_empty() {
            self.refuse();
            self.findings.extend(found);
            self.findings.sort_by_key(|finding| finding.span.start);
        }
    }

    fn nothing(findings: Vec<Diagnostic>) -> Self {
        Self { lab: None, findings, draft: None, scripts: Vec::new() }
    }
}

/// A cure can uncover a finding that has one too; a lab that is never done is no lab.
pub const ROUNDS: usize = 8;

/// Reads one lab.
pub fn parse(source: &SourceFile) -> Parsed {
    let mut parsed = on_big_stack(|| parse_here(source));
    // What was mended for reading on can be shorter than what stands in the file.
    for finding in &mut parsed.findings {
        finding.span = source.whole_characters(finding.span);
    }
    parsed
}

fn parse_here(source: &SourceFile) -> Parsed {
    let mut cx = Context::new(source);
    if let Some(at) = source.text().find('\r').filter(|_| !source.text().contains('\n')) {
        cx.findings
            .add(findings::FRONT_MATTER, Span::new(at, at + 1), "the lines of this file end in CR only, as on old Macs")
            .hint("save it with LF or CRLF line ends");
        return Parsed::nothing(cx.findings.finish());
    }
    if let Some((at, message)) = markdown::too_much(source.text()) {
        cx.findings
            .add(findings::TOO_MUCH, Span::new(at, at + 1), message)
            .hint("split it into several labs, and keep long files beside them");
        return Parsed::nothing(cx.findings.finish());
    }
    let (head, from) = front_matter::head(&mut cx);
    cx.language = head.language;
    cx.bare = cx.head_lost || !head.etcd.is_empty() || head.clusters.iter().any(|kind| kind.value == ClusterKind::Bare);
    let blocks = markdown::blocks(source.text(), from);
    let body = steps::body(&blocks, from, &mut cx);
    let vars = vars::join(head.vars, body.exports, &mut cx);
    let title = head.title.or(body.title);
    if title.is_none() && !head.title_refused {
        cx.findings
            .add(findings::NO_TITLE, Span::new(0, 0), "this lab has no title")
            .hint("add `title:` to the front matter");
    }
    let clusters = if head.clusters.is_empty() {
        let all = [ClusterKind::Sandbox, ClusterKind::Kind, ClusterKind::Attach];
        all.map(|kind| Spanned::new(kind, Span::default())).to_vec()
    } else {
        head.clusters
    };
    stray::look(&blocks, from, &mut cx);
    names::look(&body.steps, &mut cx);
    variables::look(&vars, &body.steps, &blocks, &mut cx);
    keys::look(&vars, &body.steps, &mut cx);
    reach::look(&body.steps, &clusters, &mut cx);
    habits::look(&body.steps, &habits::Surroundings { bare: cx.bare }, &mut cx);
    solutions::look(&body.steps, &mut cx);
    private::look(&body.steps, &mut cx);
    varying::look(&body.steps, &mut cx);
    links::look(from, &mut cx);
    allow::apply(&blocks, &mut cx);
    let scripts = syntax::scripts(&body.steps, &cx);
    let path = source.path();
    let mut lab = Lab {
        id: id(path),
        language: head.language,
        source: source.clone(),
        dir: folder_of(path),
        title: title.unwrap_or_default(),
        summary: head.summary,
        level: head.level,
        minutes: head.minutes,
        needs: head.needs,
        clusters,
        requires: head.requires,
        cluster: head.cluster,
        etcd: head.etcd,
        vars,
        intro: body.intro,
        steps: body.steps,
    };
    private::number_lines(&mut lab);
    let findings = cx.findings.finish();
    let broken = findings.iter().any(|finding| finding.severity == Severity::Error);
    let (lab, draft) = if broken { (None, Some(lab)) } else { (Some(lab), None) };
    Parsed { lab, findings, draft, scripts }
}

/// Whether a block may be called so; says why not.
pub fn name_fault(name: &str) -> Option<String> {
    words::id(name)
        .err()
        .map(|wrong| wrong.hint.map_or(wrong.message.clone(), |hint| format!("{}; {hint}", wrong.message)))
}

/// Whether a variable may be called so.
pub fn is_variable_name(name: &str) -> bool {
    let source = SourceFile::new("", "", "");
    front_matter::var_name(name, Span::default(), &mut Context::new(&source))
}

/// Where the lab lies; `lab.md` lies in the current folder.
fn folder_of(path: &std::path::Path) -> std::path::PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => std::path::PathBuf::from("."),
    }
}

/// A lab's id: the folder's name for a `README.md`, else the file's.
pub fn id(path: &std::path::Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if !stem.eq_ignore_ascii_case("readme") {
        return stem;
    }
    let folder = path.parent().and_then(|dir| {
        // `keywitness run .` names the folder by where it lies.
        let named = dir.file_name().map(std::ffi::OsStr::to_os_string);
        named.or_else(|| {
            std::path::absolute(dir).ok().and_then(|dir| dir.file_name().map(std::ffi::OsStr::to_os_string))
        })
    });
    folder.map_or(stem, |name| name.to_string_lossy().into_owned())
}
