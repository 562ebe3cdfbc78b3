//! Markdown as HTML. Of a lab's raw HTML nothing is left but folds and line breaks, written anew.

use pulldown_cmark::{Alignment, CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::code::highlighted;
use super::escape::{Target, escaped, target};
use crate::text::Span;

/// A fold as it is written.
pub(super) enum Fold {
    Open(String),
    /// With this opening tag, its summary, and nothing of its content.
    Closed(String),
}

/// Sets what only the lab knows.
pub(super) trait Fences {
    /// The HTML for a fence with its info string; `None` where it is not shown.
    fn fence(&mut self, span: Span, info: &str, content: &str) -> Option<String>;
    /// Text with the variables' values.
    fn fill(&self, text: &str) -> String;
    /// The opening tag of a fold.
    fn fold(&mut self, summary: &str) -> Fold;
}

/// Sets a part of the file, below the headings of its lab and its step.
pub(super) fn set(text: &str, part: Span, fences: &mut dyn Fences) -> String {
    set_below(text, part, fences, 3)
}

/// Sets a text that has all its headings.
pub(super) fn set_whole(text: &str, fences: &mut dyn Fences) -> String {
    set_below(text, Span::new(0, text.len()), fences, 1)
}

fn set_below(text: &str, part: Span, fences: &mut dyn Fences, highest: u8) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS | Options::ENABLE_FOOTNOTES;
    let slice = text.get(part.start..part.end).unwrap_or_default();
    let mut writer = Writer {
        fences,
        highest,
        out: String::new(),
        code: None,
        html: None,
        image: None,
        link_ends: Vec::new(),
        aligned: Vec::new(),
        column: 0,
        in_head: false,
        folds: Vec::new(),
        is_in_script: None,
    };
    for (event, range) in Parser::new_ext(slice, options).into_offset_iter() {
        writer.event(event, Span::new(range.start + part.start, range.end + part.start));
    }
    writer.finish()
}

/// A code fence or an indented one as an element.
pub(super) fn code(language: &str, content: &str) -> String {
    let plain: String = language.chars().filter(|c| c.is_ascii_alphanumeric() || "-_+".contains(*c)).collect();
    let class = if plain.is_empty() { String::new() } else { format!(" class=\"language-{plain}\"") };
    format!("<pre tabindex=\"0\"><code{class}>{}</code></pre>", highlighted(&plain, content.trim_end_matches('\n')))
}

struct Writer<'f> {
    fences: &'f mut dyn Fences,
    /// The level of the highest heading.
    highest: u8,
    out: String,
    code: Option<(String, String, Span)>,
    html: Option<String>,
    image: Option<(String, String)>,
    link_ends: Vec<&'static str>,
    aligned: Vec<Alignment>,
    column: usize,
    in_head: bool,
    /// The folds that are open, and whether what they hold is shown.
    folds: Vec<bool>,
    /// The raw element whose content is no text for a reader.
    is_in_script: Option<&'static str>,
}

impl Writer<'_> {
    fn is_hidden(&self) -> bool {
        self.folds.contains(&false)
    }

    fn push(&mut self, html: &str) {
        if !self.is_hidden() {
            self.out.push_str(html);
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::Start(Tag::HtmlBlock) => self.html = Some(String::new()),
            Event::Html(html) => match &mut self.html {
                Some(text) => text.push_str(&html),
                None => self.tags(&html),
            },
            Event::End(TagEnd::HtmlBlock) => {
                if let Some(html) = self.html.take() {
                    self.tags(&html);
                }
            }
            Event::InlineHtml(html) => self.tags(&html),
            _ if self.is_hidden() => {}
            Event::Start(tag) => self.start(tag, span),
            Event::End(end) => self.end(end),
            Event::Text(text) => match (&mut self.code, &mut self.image) {
                (Some((_, content, _)), _) => content.push_str(&text),
                (None, Some((_, alt))) => alt.push_str(&text),
                (None, None) if self.is_in_script.is_some() => {}
                (None, None) => {
                    let text = escaped(&self.fences.fill(&text));
                    self.push(&text);
                }
            },
            Event::Code(code) => {
                if let Some((_, alt)) = &mut self.image {
                    alt.push_str(&code);
                } else {
                    let code = escaped(&self.fences.fill(&code));
                    self.push(&format!("<code>{code}</code>"));
                }
            }
            Event::SoftBreak => self.push("\n"),
            Event::HardBreak => self.push("<br>\n"),
            Event::Rule => self.push("<hr>\n"),
            Event::TaskListMarker(done) => {
                let checked = if done { " checked" } else { "" };
                self.push(&format!("<input type=\"checkbox\" disabled{checked}> "));
            }
            Event::FootnoteReference(name) => {
                let name = escaped(&name);
                self.push(&format!("<sup>[{name}]</sup>"));
            }
            Event::InlineMath(text) | Event::DisplayMath(text) => {
                let text = escaped(&text);
                self.push(&text);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, span: Span) {
        match tag {
            Tag::Paragraph => self.push("<p>"),
            Tag::Heading { level, .. } => {
                let level = (level as u8).max(self.highest);
                self.push(&format!("<h{level}>"));
            }
            Tag::BlockQuote(_) => self.push("<blockquote>\n"),
            Tag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((info, String::new(), span));
            }
            Tag::List(None) => self.push("<ul>\n"),
            Tag::List(Some(1)) => self.push("<ol>\n"),
            Tag::List(Some(first)) => self.push(&format!("<ol start=\"{first}\">\n")),
            Tag::Item => self.push("<li>"),
            Tag::FootnoteDefinition(name) => {
                let name = escaped(&name);
                self.push(&format!("<div class=\"footnote\"><sup>[{name}]</sup> "));
            }
            Tag::Table(aligned) => {
                self.aligned = aligned;
                self.push("<div class=\"table\" tabindex=\"0\"><table>\n");
            }
            Tag::TableHead => {
                (self.in_head, self.column) = (true, 0);
                self.push("<thead><tr>");
            }
            Tag::TableRow => {
                self.column = 0;
                self.push("<tr>");
            }
            Tag::TableCell => {
                let class = match self.aligned.get(self.column) {
                    Some(Alignment::Right) => " class=\"right\"",
                    Some(Alignment::Center) => " class=\"center\"",
                    _ => "",
                };
                let cell = if self.in_head { format!("<th scope=\"col\"{class}>") } else { format!("<td{class}>") };
                self.column += 1;
                self.push(&cell);
            }
            Tag::Emphasis => self.push("<em>"),
            Tag::Strong => self.push("<strong>"),
            Tag::Strikethrough => self.push("<del>"),
            Tag::Link { dest_url, .. } => self.link(&dest_url),
            Tag::Image { dest_url, .. } => self.image = Some((dest_url.into_string(), String::new())),
            _ => {}
        }
    }

    fn end(&mut self, end: TagEnd) {
        match end {
            TagEnd::Paragraph => self.push("</p>\n"),
            TagEnd::Heading(level) => {
                let level = (level as u8).max(self.highest);
                self.push(&format!("</h{level}>\n"));
            }
            TagEnd::BlockQuote(_) => self.push("</blockquote>\n"),
            TagEnd::CodeBlock => {
                let Some((info, content, span)) = self.code.take() else { return };
                if let Some(html) = self.fences.fence(span, &info, &content) {
                    self.push(&html);
                    self.push("\n");
                }
            }
            TagEnd::List(is_ordered) => self.push(if is_ordered { "</ol>\n" } else { "</ul>\n" }),
            TagEnd::Item => self.push("</li>\n"),
            TagEnd::FootnoteDefinition => self.push("</div>\n"),
            TagEnd::Table => self.push("</tbody></table></div>\n"),
            TagEnd::TableHead => {
                self.in_head = false;
                self.push("</tr></thead>\n<tbody>");
            }
            TagEnd::TableRow => self.push("</tr>\n"),
            TagEnd::TableCell => self.push(if self.in_head { "</th>" } else { "</td>" }),
            TagEnd::Emphasis => self.push("</em>"),
            TagEnd::Strong => self.push("</strong>"),
            TagEnd::Strikethrough => self.push("</del>"),
            TagEnd::Link => {
                let end = self.link_ends.pop().unwrap_or("");
                self.push(end);
            }
            TagEnd::Image => {
                if let Some((url, alt)) = self.image.take() {
                    self.picture(&url, &alt);
                }
            }
            _ => {}
        }
    }

    fn link(&mut self, url: &str) {
        let (open, close) = match target(url) {
            Target::Outside(url) => {
                (format!("<a href=\"{}\" target=\"_blank\" rel=\"noopener noreferrer\">", escaped(url)), "</a>")
            }
            Target::Inside(place) => {
                let place = escaped(place);
                (format!("<a href=\"#s-{place}\" data-step=\"{place}\">"), "</a>")
            }
            Target::Beside(file) => (format!("<span class=\"beside\" title=\"{}\">", escaped(file)), "</span>"),
            Target::Never => ("<span>".to_owned(), "</span>"),
        };
        self.push(&open);
        self.link_ends.push(close);
    }

    /// The page fetches it with its secret. One from elsewhere is not fetched: its words stand for it.
    fn picture(&mut self, url: &str, alt: &str) {
        let alt = escaped(&self.fences.fill(alt));
        let html = match target(url) {
            Target::Beside(path) if !path.starts_with('/') && !path.split('/').any(|part| part == "..") => {
                let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
                format!("<img data-picture=\"{}\" alt=\"{alt}\">", escaped(&path))
            }
            _ => format!("<span class=\"no-picture\">{alt}</span>"),
        };
        self.push(&html);
    }

    /// Folds and line breaks; of all other tags only what stands between them.
    fn tags(&mut self, html: &str) {
        let mut rest = html;
        while !rest.is_empty() {
            let Some(open) = rest.find('<') else { return self.raw_text(rest) };
            self.raw_text(&rest[..open]);
            rest = &rest[open..];
            if rest.starts_with("<!--") {
                rest = rest.find("-->").map_or("", |end| &rest[end + 3..]);
                continue;
            }
            let end = rest.find('>').map_or(rest.len(), |end| end + 1);
            let name = tag_name(&rest[..end]);
            if name.trim_start_matches('/').is_empty() {
                self.raw_text("<");
                rest = &rest[1..];
                continue;
            }
            let after = &rest[end..];
            rest = self.tag(&name, after);
        }
    }

    /// What follows the tag, and its summary where it is a fold.
    fn tag<'t>(&mut self, name: &str, after: &'t str) -> &'t str {
        match (self.is_in_script, name) {
            (Some(open), name) if name.strip_prefix('/') == Some(open) => self.is_in_script = None,
            (None, "script") => self.is_in_script = Some("script"),
            (None, "style") => self.is_in_script = Some("style"),
            (None, "details") => {
                let (summary, after) = summary(after);
                self.open(&summary);
                return after;
            }
            (None, "/details") => self.close(),
            (None, "br" | "br/") => self.push("<br>"),
            _ => {}
        }
        after
    }

    fn raw_text(&mut self, text: &str) {
        if self.is_in_script.is_none() && self.image.is_none() {
            let text = escaped(&self.fences.fill(&unescaped(text)));
            self.push(&text);
        }
    }

    fn open(&mut self, summary: &str) {
        let summary = self.fences.fill(summary);
        if self.is_hidden() {
            return self.folds.push(false);
        }
        let (tag, is_shown) = match self.fences.fold(&summary) {
            Fold::Open(tag) => (tag, true),
            Fold::Closed(tag) => (tag, false),
        };
        self.out.push_str(&format!("{tag}<summary>{}</summary>\n", escaped(&summary)));
        self.folds.push(is_shown);
    }

    fn close(&mut self) {
        let Some(_) = self.folds.pop() else { return };
        self.push("</details>\n");
    }

    fn finish(mut self) -> String {
        while !self.folds.is_empty() {
            self.close();
        }
        self.out
    }
}

/// In lower case, with the slash of a closing one.
fn tag_name(tag: &str) -> String {
    let inner = tag.trim_start_matches('<');
    let end = inner.char_indices().find(|(at, c)| !(c.is_ascii_alphanumeric() || *at == 0 && *c == '/'));
    inner[..end.map_or(inner.len(), |(at, _)| at)].to_ascii_lowercase()
}

/// The text of a fold's summary, which follows its tag, and what comes then.
fn summary(after: &str) -> (String, &str) {
    let lower = after.to_ascii_lowercase();
    let opened = lower.trim_start();
    let skipped = lower.len() - opened.len();
    if !opened.starts_with("<summary") {
        return ("Details".to_owned(), after);
    }
    let Some(start) = opened.find('>').map(|at| skipped + at + 1) else { return ("Details".to_owned(), "") };
    let end = lower[start..].find("</summary").map_or(after.len(), |at| start + at);
    let rest = after[end..].find('>').map_or("", |at| &after[end + at + 1..]);
    let mut text = String::new();
    let mut is_tag = false;
    for c in after[start..end].chars() {
        match c {
            '<' => is_tag = true,
            '>' if is_tag => is_tag = false,
            c if !is_tag => text.push(c),
            _ => {}
        }
    }
    (unescaped(text.trim()), rest)
}

/// The few names that stand in raw HTML instead of signs.
fn unescaped(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&nbsp;", " ").replace("&amp;", "&")
}
