//! Links and pictures that lead nowhere: to files that are not beside the lab, and headings that it does not have.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use regex::Regex;

use super::context::Context;
use super::findings::NO_SUCH_FILE;
use super::markdown::OPTIONS;
use super::steps::slug;
use crate::text::Span;

static HTML: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)<(?:img|a)\b[^>]*?\b(src|href|id|name)\s*=\s*["']([^"']*)["']"#)
        .expect("a regular expression of ours")
});

struct Link {
    span: Span,
    to: String,
    noun: &'static str,
}

pub(super) fn look(from: usize, cx: &mut Context<'_>) {
    let text = &cx.source.text()[from..];
    // Most labs have none.
    if !text.contains("](") && !text.contains("]:") && !text.contains("<img") && !text.contains("<a ") {
        return;
    }
    let (links, anchors) = read(text, from);
    for link in links {
        let Some(what) = missing(&link.to, &anchors, cx) else { continue };
        let noun = link.noun;
        let hint = if link.to.starts_with('#') {
            "an anchor is a heading in lower case, with `-` for each blank and without punctuation"
        } else {
            "a path is read from the lab's own folder; upper and lower case count"
        };
        cx.findings
            .add(NO_SUCH_FILE, link.span, format!("this {noun} leads to {what}, which does not exist"))
            .hint(hint);
    }
}

fn read(text: &str, from: usize) -> (Vec<Link>, BTreeSet<String>) {
    let mut links = Vec::new();
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for (event, range) in Parser::new_ext(text, OPTIONS).into_offset_iter() {
        let span = Span::new(range.start + from, range.end + from);
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let slug = slug(heading.take().unwrap_or_default().trim());
                // GitHub counts those that repeat.
                let more = (1..).map(|number| format!("{slug}-{number}"));
                let fresh = std::iter::once(slug.clone()).chain(more).find(|slug| !anchors.contains(slug));
                anchors.extend(fresh);
            }
            Event::Text(piece) | Event::Code(piece) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&piece);
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                links.push(Link { span, to: dest_url.to_string(), noun: "link" });
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                links.push(Link { span, to: dest_url.to_string(), noun: "picture" });
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                for found in HTML.captures_iter(&html) {
                    let Some(value) = found.get(2) else { continue };
                    let place = Span::new(span.start + value.start(), span.start + value.end());
                    match found[1].to_ascii_lowercase().as_str() {
                        "src" => links.push(Link { span: place, to: value.as_str().to_owned(), noun: "picture" }),
                        "href" => links.push(Link { span: place, to: value.as_str().to_owned(), noun: "link" }),
                        _ => drop(anchors.insert(value.as_str().to_owned())),
                    }
                }
            }
            _ => {}
        }
    }
    (links, anchors)
}

/// What a link leads to, if that is in the lab's own hands and does not exist.
fn missing(to: &str, anchors: &BTreeSet<String>, cx: &Context<'_>) -> Option<String> {
    // A variable's value is not known, another site's pages are not looked at, and `/` is the site's own root.
    let is_elsewhere = to.is_empty() || to.contains("${") || to.contains("://") || to.starts_with('/');
    let has_scheme = to.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':'));
    if is_elsewhere || has_scheme {
        return None;
    }
    if let Some(anchor) = to.strip_prefix('#') {
        let anchor = percent_decode_str(anchor).decode_utf8_lossy().to_lowercase();
        let exists = anchor.is_empty() || anchors.iter().any(|known| known.to_lowercase() == anchor);
        return (!exists).then(|| format!("the heading `#{anchor}`"));
    }
    let path = to.split(['?', '#']).next().unwrap_or(to);
    let path = percent_decode_str(path).decode_utf8_lossy();
    let folder = cx.source.path().parent()?;
    (!folder.join(&*path).exists()).then(|| format!("`{path}`"))
}
