//! Whether a Markdown file is a lab, said without reading all of it as one.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag};

use super::front_matter::KEYS;
use super::head_slips;
use crate::lab::keywords::FenceKind;
use crate::text::nearest;

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
    if has_fence(text, is_lab_fence) {
        Kind::Lab
    } else {
        Kind::Other("it has no front matter, no check, and no attributes on a fence")
    }
}

/// Whether an editor is to say anything of a file: front matter is what other tools' pages have too, with keys that no lab
/// has.
pub fn is_ours(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if kind_of(text) != Kind::Lab {
        return false;
    }
    if super::markdown::too_much(text).is_none() && has_fence(text, is_lab_fence) {
        return true;
    }
    let near = |key: &str| nearest(key, KEYS.iter().copied());
    let keys: Vec<&str> = keys_of_front_matter(text);
    let ours = |key: &&str| near(key).is_some_and(|near| !["title", "summary", "lang"].contains(&near));
    keys.iter().any(ours) || keys.iter().all(|key| near(key).is_some())
}

/// The first words of the front matter's lines, as far as they are keys.
fn keys_of_front_matter(text: &str) -> Vec<&str> {
    let inner = head_slips::near_miss(text, 0).map_or_else(
        || {
            let start = text.find('\n').map_or(text.len(), |end| end + 1);
            let rest = &text[start..];
            let end = rest.find("\n---").or_else(|| rest.find("\n...")).or_else(|| rest.find("\n#"));
            start..start + end.unwrap_or(rest.len())
        },
        |(place, _)| place.inner,
    );
    let lines = text[inner].lines().filter(|line| !line.starts_with([' ', '\t', '#', '-']));
    let keys = lines.filter_map(|line| line.split_once(':')).map(|(key, _)| key.trim_end());
    keys.filter(|key| !key.is_empty() && !key.contains(' ')).collect()
}

fn language(info: &str) -> &str {
    let info = info.trim();
    &info[..info.find([' ', '\t', '{']).unwrap_or(info.len())]
}

fn is_lab_fence(info: &str) -> bool {
    let language = language(info);
    let braces = info.trim()[language.len()..].trim_start().starts_with('{');
    FenceKind::of(language)
        .is_some_and(|kind| braces || matches!(kind, FenceKind::Check | FenceKind::Wait | FenceKind::Question))
}

fn has_fence(text: &str, is: impl Fn(&str) -> bool) -> bool {
    Parser::new(text).any(|event| match event {
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => is(&info),
        _ => false,
    })
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

    #[test]
    fn an_editor_is_silent_on_pages_of_other_tools() {
        for page in [
            "---\ntitle: My post\nlayout: post\ndate: 2026-01-01\n---\n\n```bash\nls\n```\n",
            "---\ntitle: My page\nweight: 3\n---\n\nText.\n",
            "---\nname: Bug report\nabout: \"\"\n---\n",
            "# A\n\n```bash\nls\n```\n",
            "",
        ] {
            assert!(!is_ours(page), "{page}");
        }
        for lab in [
            "---\ntitle: A\nlevel: beginner\n---\n",
            "---\ntitle: A\nlevl: beginner\n---\n",
            "---\ntitle: A\n---\n## A\n\n```bash\nls\n```\n",
            "---\ntitle: A\nlayout: post\n---\n## A\n\n```check\nkey /a exists\n```\n",
        ] {
            assert!(is_ours(lab), "{lab}");
        }
    }
}
