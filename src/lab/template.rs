use std::collections::BTreeMap;

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

fn with_prefix(key: &str, prefix: &str) -> String {
    match key.strip_prefix(WRITTEN_PREFIX) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{prefix}{rest}"),
        _ => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_the_clusters_own() {
        let key = |key: &str| Template::text(key, Span::default()).render_key(&Vars::new(), "/kine").expect("bound");
        assert_eq!(key("/registry/pods/demo/a"), "/kine/pods/demo/a");
        assert_eq!(key("/registryx/a"), "/registryx/a");
    }

    #[test]
    fn an_unbound_variable_is_told() {
        let name = Spanned::new("NONE".to_owned(), Span::default());
        let template = Template { parts: vec![TemplatePart::Var(name)], span: Span::default() };
        assert_eq!(template.render(&Vars::new()), Err(Unbound("NONE".to_owned())));
    }
}
