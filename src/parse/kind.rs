//! Whether a Markdown file is a lab, said without reading all of it as one.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag};

use super::head_slips;
use crate::lab::keywords::FenceKind;

/// What a Markdown file of a course is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Lab,
    /// Something else, and why.
    Other(&'static str),
}

/// A file is a lab that has front matter, or that tries to, or that has a lab fence with attributes or checks.
pub fn kind_of(text: &str) -> Kind {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or("");
    if first.trim_end() == "---" || head_slips::near_miss(text, 0).is_some() {
        return Kind::Lab;
    }
    // Such a file is refused with its reason.
    if super::markdown::too_much(text).is_some() {
        return if text.lines().any(|line| line.trim_start().starts_with("```check")) {
            Kind::Lab
        } else {
            Kind::Other("no front matter")
        };
    }
    let is_lab_fence = |info: &str| {
        let info = info.trim();
        let end = info.find([' ', '\t', '{']).unwrap_or(info.len());
        let braces = info[end..].trim_start().starts_with('{');
        FenceKind::of(&info[..end])
            .is_some_and(|kind| braces || matches!(kind, FenceKind::Check | FenceKind::Wait | FenceKind::Question))
    };
    let fences = Parser::new(text).any(|event| match event {
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => is_lab_fence(&info),
        _ => false,
    });
    if fences { Kind::Lab } else { Kind::Other("it has no front matter, no check, and no attributes on a fence") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_is_told_from_other_markdown() {
        for lab in [
            "---\ntitle: A\n---\n",
            "\u{feff}---\ntitle: A\n---\n",
            "\n---\ntitle: A\n---\n",
            "--\nlevel: beginner\n---\n",
            "# A\n\n```check\nkey /a exists\n```\n",
            "# A\n\n```bash {name=a}\nls\n```\n",
            "# A\n\n```bash{name=a}\nls\n```\n",
            "# A\n\n- x\n\n  ```wait\n  key /a exists\n  ```\n",
        ] {
            assert_eq!(kind_of(lab), Kind::Lab, "{lab}");
        }
        for other in [
            "# A\n\n```bash\nls\n```\n",
            "text\n---\ntext: a\n---\n",
            "# A\n\n---\n\ntitle: a\n",
            "",
            "```yaml {a}\n```\n",
        ] {
            assert!(matches!(kind_of(other), Kind::Other(_)), "{other}");
        }
    }
}
