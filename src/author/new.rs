//! A lab to begin with: it passes its own test, and its comments teach the format.

/// What kind of lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// Commands to follow, and checks of what they do.
    Tutorial,
    /// Tasks with hints and solutions, worth points.
    Challenge,
    /// An etcd of the lab's own, without Kubernetes.
    Bare,
}

/// The text of a new lab with this id.
pub fn new_lab(template: Template, id: &str) -> String {
    let text = match template {
        Template::Tutorial => include_str!("templates/tutorial.md"),
        Template::Challenge => include_str!("templates/challenge.md"),
        Template::Bare => include_str!("templates/bare.md"),
    };
    text.replace("@TITLE@", &title(id)).replace("@ID@", id)
}

/// `my-first-lab` as a heading.
fn title(id: &str) -> String {
    let words = id.replace('-', " ");
    let mut chars = words.trim().chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;
    use crate::text::SourceFile;

    #[test]
    fn each_template_is_a_lab_without_findings() {
        for template in [Template::Tutorial, Template::Challenge, Template::Bare] {
            let source = SourceFile::new("README.md", "my-lab/README.md", new_lab(template, "my-lab"));
            let parsed = parse(&source);
            let drawn: String = parsed.findings.iter().map(|finding| finding.draw(&source, false)).collect();
            assert!(drawn.is_empty(), "{template:?}: {drawn}");
            assert_eq!(parsed.lab.map(|lab| lab.title), Some("My lab".to_owned()));
        }
    }
}
