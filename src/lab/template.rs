use std::collections::BTreeMap;

use regex::Regex;

use crate::text::{Span, Spanned};

/// Text in which `${NAME}` stands for a variable's value, put in after parsing, as data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pub parts: Vec<TemplatePart>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    Text(String),
    Var(Spanned<String>),
}

/// A key pattern as written: `*` within a segment, `**` across, `\*` a star. A variable's value is data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(pub Template);

/// The cluster keeps its objects under a prefix of its own; labs always write this one.
pub const WRITTEN_PREFIX: &str = "/registry";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable {0} has no value")]
pub struct Unbound(pub String);

pub type Vars = BTreeMap<String, String>;

impl Template {
    /// A text without variables.
    pub fn text(text: impl Into<String>, span: Span) -> Self {
        Self { parts: vec![TemplatePart::Text(text.into())], span }
    }

    pub fn render(&self, vars: &Vars) -> Result<String, Unbound> {
        self.fold(vars, ToOwned::to_owned, ToOwned::to_owned)
    }

    /// A key, with the cluster's own prefix for `/registry`.
    pub fn render_key(&self, vars: &Vars, prefix: &str) -> Result<String, Unbound> {
        Ok(with_prefix(&self.render(vars)?, prefix))
    }

    /// A regular expression, in which a variable's value stands for itself.
    pub fn render_regex(&self, vars: &Vars) -> Result<String, Unbound> {
        self.fold(vars, ToOwned::to_owned, regex::escape)
    }

    pub fn vars(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Text(_) => None,
            TemplatePart::Var(name) => Some(name),
        })
    }

    /// The text up to the first variable.
    pub fn leading_text(&self) -> &str {
        match self.parts.first() {
            Some(TemplatePart::Text(text)) => text,
            _ => "",
        }
    }

    fn fold(
        &self,
        vars: &Vars,
        text: impl Fn(&str) -> String,
        value: impl Fn(&str) -> String,
    ) -> Result<String, Unbound> {
        self.parts.iter().try_fold(String::new(), |out, part| match part {
            TemplatePart::Text(part) => Ok(out + &text(part)),
            TemplatePart::Var(name) => {
                let found = vars.get(&name.value).ok_or_else(|| Unbound(name.value.clone()))?;
                Ok(out + &value(found))
            }
        })
    }
}

impl Glob {
    /// The pattern with the variables' values in it and the cluster's own prefix for `/registry`.
    pub fn matcher(&self, vars: &Vars, prefix: &str) -> Result<KeyMatcher, Unbound> {
        let pattern = self.0.fold(vars, glob_regex, regex::escape)?;
        let literal = self.literal_prefix(vars)?;
        let pattern = match pattern.strip_prefix(WRITTEN_PREFIX) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{}{rest}", regex::escape(prefix)),
            _ => pattern,
        };
        // Every piece is escaped or one of our own, so only an enormous value can be refused.
        let regex =
            Regex::new(&format!("^(?s:{pattern})$")).map_err(|_| Unbound(String::from("(too long a value)")))?;
        Ok(KeyMatcher { regex, literal: with_prefix(&literal, prefix) })
    }

    /// Whether a key matches; compile a [`Glob::matcher`] for many keys.
    pub fn matches(&self, key: &str, vars: &Vars, prefix: &str) -> Result<bool, Unbound> {
        Ok(self.matcher(vars, prefix)?.matches(key))
    }

    /// The text before the first star.
    fn literal_prefix(&self, vars: &Vars) -> Result<String, Unbound> {
        let mut out = String::new();
        for part in &self.0.parts {
            match part {
                TemplatePart::Var(name) => {
                    out.push_str(vars.get(&name.value).ok_or_else(|| Unbound(name.value.clone()))?);
                }
                TemplatePart::Text(text) => {
                    for piece in glob_pieces(text) {
                        match piece {
                            GlobPiece::Text(text) => out.push_str(text),
                            GlobPiece::Segment | GlobPiece::Across => return Ok(out),
                        }
                    }
                }
            }
        }
        Ok(out)
    }
}

/// A glob ready to be held against keys.
#[derive(Debug, Clone)]
pub struct KeyMatcher {
    regex: Regex,
    literal: String,
}

impl KeyMatcher {
    pub fn matches(&self, key: &str) -> bool {
        self.regex.is_match(key)
    }

    /// What every matching key begins with: the prefix to read or to watch.
    pub fn prefix(&self) -> &str {
        &self.literal
    }
}

fn with_prefix(key: &str, prefix: &str) -> String {
    match key.strip_prefix(WRITTEN_PREFIX) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{prefix}{rest}"),
        _ => key.to_owned(),
    }
}

enum GlobPiece<'a> {
    Text(&'a str),
    Segment,
    Across,
}

fn glob_pieces(text: &str) -> Vec<GlobPiece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, length) = if rest.starts_with("\\*") {
            (GlobPiece::Text("*"), 2)
        } else if rest.starts_with("**") {
            (GlobPiece::Across, 2)
        } else if rest.starts_with('*') {
            (GlobPiece::Segment, 1)
        } else {
            let plain = rest[1..].find(['*', '\\']).map_or(rest.len(), |at| at + 1);
            let plain = if rest.is_char_boundary(plain) { plain } else { rest.len() };
            (GlobPiece::Text(&rest[..plain]), plain)
        };
        pieces.push(piece);
        rest = &rest[length..];
    }
    pieces
}

fn glob_regex(text: &str) -> String {
    glob_pieces(text)
        .iter()
        .map(|piece| match piece {
            GlobPiece::Text(text) => regex::escape(text),
            GlobPiece::Segment => "[^/]*".to_owned(),
            GlobPiece::Across => ".*".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(parts: &[&str]) -> Glob {
        let parts = parts
            .iter()
            .map(|part| match part.strip_prefix('$') {
                Some(name) => TemplatePart::Var(Spanned::new(name.to_owned(), Span::default())),
                None => TemplatePart::Text((*part).to_owned()),
            })
            .collect();
        Glob(Template { parts, span: Span::default() })
    }

    fn vars() -> Vars {
        Vars::from([("NS".to_owned(), "de*mo".to_owned())])
    }

    #[test]
    fn stars_stay_in_their_segment_or_cross() {
        let matches = |parts: &[&str], key: &str| glob(parts).matches(key, &vars(), "/registry").expect("bound");
        assert!(matches(&["/registry/pods/*/web"], "/registry/pods/demo/web"));
        assert!(!matches(&["/registry/pods/*"], "/registry/pods/demo/web"));
        assert!(matches(&["/registry/pods/**"], "/registry/pods/demo/web"));
        assert!(matches(&["/registry/pods/\\*"], "/registry/pods/*"));
        assert!(!matches(&["/registry/pods/\\*"], "/registry/pods/a"));
        assert!(matches(&["/registry/pods/", "$NS", "/*"], "/registry/pods/de*mo/a"));
        assert!(!matches(&["/registry/pods/", "$NS", "/*"], "/registry/pods/deXmo/a"));
        assert!(!matches(&["/registry/pods"], "/registry/pods/a"));
        assert!(matches(&["/é/\\é*"], "/é/\\éa"));
    }

    #[test]
    fn the_prefix_is_the_clusters_own() {
        let matcher = glob(&["/registry/pods/", "$NS", "/*"]).matcher(&vars(), "/kine").expect("bound");
        assert!(matcher.matches("/kine/pods/de*mo/a"));
        assert_eq!(matcher.prefix(), "/kine/pods/de*mo/");
        let other = glob(&["/registryx/a"]).matcher(&vars(), "/kine").expect("bound");
        assert!(other.matches("/registryx/a"));
    }

    #[test]
    fn an_unbound_variable_is_told() {
        assert_eq!(glob(&["$NONE"]).0.render(&vars()), Err(Unbound("NONE".to_owned())));
    }
}
