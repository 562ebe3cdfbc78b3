//! Text that becomes HTML: the one way in.

use crate::text::{html_escaped, redact};

/// A text as HTML shows it, without what is secret.
pub(super) fn escaped(text: &str) -> String {
    html_escaped(&redact(text))
}

/// A sentence in which what stands between backticks is code.
pub(super) fn sentence(text: &str) -> String {
    if text.matches('`').count() % 2 == 1 {
        return escaped(text);
    }
    let piece = |(at, piece): (usize, &str)| match at % 2 {
        1 => format!("<code>{}</code>", escaped(piece)),
        _ => escaped(piece),
    };
    text.split('`').enumerate().map(piece).collect()
}

/// Where a link may lead.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// To another site, or a letter.
    Outside(&'a str),
    /// Within the lab.
    Inside(&'a str),
    /// A file beside the lab, which the page does not serve.
    Beside(&'a str),
    /// `javascript:` and whatever else is not known to be harmless.
    Never,
}

pub(super) fn target(url: &str) -> Target<'_> {
    if let Some(place) = url.strip_prefix('#') {
        return Target::Inside(place);
    }
    // What browsers leave out of an address could hide its scheme.
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Target::Never;
    }
    let lower = url.to_ascii_lowercase();
    if ["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme)) {
        return Target::Outside(url);
    }
    let before_slash = url.split(['/', '?', '#']).next().unwrap_or_default();
    if before_slash.contains(':') || url.starts_with("//") || url.contains('\\') {
        return Target::Never;
    }
    Target::Beside(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_a_tag() {
        assert_eq!(escaped("<a href=\"x\" onclick='y'>&"), "&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;");
        assert_eq!(escaped("a\u{1b}[31m\u{202e}b\nc"), "a\u{fffd}[31m\u{fffd}b\nc");
        assert_eq!(sentence("the key `/a<b` is there"), "the key <code>/a&lt;b</code> is there");
        assert_eq!(sentence("a ` alone"), "a ` alone");
    }

    #[test]
    fn links_lead_to_sites_letters_and_places_only() {
        assert_eq!(target("https://etcd.io/docs"), Target::Outside("https://etcd.io/docs"));
        assert_eq!(target("MAILTO:a@b.c"), Target::Outside("MAILTO:a@b.c"));
        assert_eq!(target("#find"), Target::Inside("find"));
        assert_eq!(target("../README.md#by-hand"), Target::Beside("../README.md#by-hand"));
        assert_eq!(target("a/b:c.md"), Target::Beside("a/b:c.md"));
        for bad in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\nscript:alert(1)",
            " javascript:alert(1)",
            "\u{1}javascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "//evil.example",
            "\\\\evil.example",
            "blob:x",
        ] {
            assert_eq!(target(bad), Target::Never, "{bad}");
        }
    }
}
