use std::ops::Range;

use regex::Regex;

use super::allow::Allowed;
use super::definitions;
use super::findings::{BAD_REGEX, Findings, HALF_WRITTEN};
use crate::expr::Definition;
use crate::lab::{Language, Template, TemplatePart};
use crate::text::{Joined, SourceFile, Span, Spanned, VarPiece, var_pieces};

/// What every part of the parser shares: the file, what was found, and which variables were used.
pub(super) struct Context<'a> {
    pub(super) source: &'a SourceFile,
    pub(super) findings: Findings,
    /// Every `${NAME}` outside commands.
    pub(super) used: Vec<Spanned<String>>,
    pub(super) language: Language,
    /// The lab brings up its own etcd, whose keys may be any.
    pub(super) bare: bool,
    /// The front matter could not be read: what seems to be missing may stand there.
    pub(super) head_lost: bool,
    /// The same of its variables.
    pub(super) vars_lost: bool,
    /// Warnings that the author means to keep.
    pub(super) allowed: Vec<Allowed>,
    definitions: Option<Vec<Definition>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(source: &'a SourceFile) -> Self {
        Self {
            source,
            findings: Findings::default(),
            used: Vec::new(),
            language: Language::default(),
            bare: false,
            head_lost: false,
            vars_lost: false,
            allowed: Vec::new(),
            definitions: None,
        }
    }

    /// The custom resources that the lab declares, looked for when the first check asks.
    pub(super) fn definitions(&mut self) -> &[Definition] {
        self.definitions.get_or_insert_with(|| definitions::of(self.source))
    }

    pub(super) fn line(&self, at: usize) -> usize {
        self.source.position(at).line
    }

    /// A text of the file as it stands, in which `${NAME}` is a variable.
    pub(super) fn template(&mut self, joined: &Joined, range: Range<usize>) -> Template {
        let text = &joined.text()[range.clone()];
        let span = joined.span(range.clone());
        self.template_of(text, span, |at| joined.span(range.start + at.start..range.start + at.end))
    }

    /// The same for a text whose escapes were resolved: its variables are looked up in `raw`, which
    /// is what the file has.
    pub(super) fn unescaped_template(&mut self, text: &str, joined: &Joined, raw: Range<usize>) -> Template {
        let span = joined.span(raw.clone());
        let places: Vec<Range<usize>> = var_pieces(&joined.text()[raw.clone()])
            .into_iter()
            .filter_map(|piece| match piece {
                VarPiece::Var { range, .. } | VarPiece::Broken { range, .. } => Some(range),
                VarPiece::Text(_) | VarPiece::Escaped(_) => None,
            })
            .map(|at| raw.start + at.start..raw.start + at.end)
            .collect();
        let mut next = places.into_iter();
        self.template_of(text, span, |_| next.next().map_or(span, |at| joined.span(at)))
    }

    fn template_of(&mut self, text: &str, span: Span, mut place: impl FnMut(Range<usize>) -> Span) -> Template {
        let mut parts: Vec<TemplatePart> = Vec::new();
        let push = |parts: &mut Vec<TemplatePart>, text: &str| match parts.last_mut() {
            Some(TemplatePart::Text(last)) => last.push_str(text),
            _ => parts.push(TemplatePart::Text(text.to_owned())),
        };
        for piece in var_pieces(text) {
            match piece {
                VarPiece::Text(range) => push(&mut parts, &text[range]),
                VarPiece::Escaped(_) => push(&mut parts, "${"),
                VarPiece::Var { name, range } => {
                    let name = Spanned::new(name, place(range));
                    self.used.push(name.clone());
                    parts.push(TemplatePart::Var(name));
                }
                VarPiece::Broken { range, why } => {
                    let at = place(range.clone());
                    self.findings.add(HALF_WRITTEN, at, why).hint("write ${NAME}, or $${ for a plain ${");
                    push(&mut parts, &text[range]);
                }
            }
        }
        Template { parts, span }
    }

    /// A regular expression, in which a variable's value will stand for itself.
    pub(super) fn regex(&mut self, template: &Template) {
        let sample: String = template
            .parts
            .iter()
            .map(|part| match part {
                TemplatePart::Text(text) => text.as_str(),
                TemplatePart::Var(_) => "x",
            })
            .collect();
        self.regex_text(&sample, template.span);
    }

    pub(super) fn regex_text(&mut self, pattern: &str, span: Span) {
        if let Err(error) = Regex::new(pattern) {
            let complaint = error.to_string();
            let why = complaint.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
            self.findings.add(BAD_REGEX, span, format!("this regular expression does not compile: {why}"));
        }
    }
}
