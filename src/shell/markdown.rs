//! Markdown set for a terminal.

use console::{Style, measure_text_width as width};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::flow::Flow;
use super::look::Look;
use super::raw_text::{printable, summary};
use super::table::{Table, set_table};
use crate::text::Span;

/// A block that is not Markdown's to set: a fence, by where it stands in the file.
pub(super) enum Fence<'a> {
    /// As it stands, with the info string and the content.
    Code {
        info: &'a str,
        content: &'a str,
    },
    Indented {
        content: &'a str,
    },
}

/// Sets what only the lab knows.
pub(super) trait Fences {
    /// The lines for a fence, or `None` where it is not shown.
    fn fence(&mut self, span: Span, fence: &Fence<'_>, width: usize) -> Option<Vec<String>>;
    /// Text with the variables' values.
    fn fill(&self, text: &str) -> String;
    /// A fold with this summary: whether its content is shown.
    fn opens(&mut self, summary: &str) -> bool;
}

/// Sets a part of the file.
pub(super) fn set(text: &str, part: Span, look: Look, fences: &mut dyn Fences) -> Vec<String> {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS | Options::ENABLE_FOOTNOTES;
    let slice = text.get(part.start..part.end).unwrap_or_default();
    let mut setter = Setter::new(look, fences);
    for (event, range) in Parser::new_ext(slice, options).into_offset_iter() {
        setter.event(event, Span::new(range.start + part.start, range.end + part.start));
    }
    setter.close_flow();
    while setter.lines.last().is_some_and(String::is_empty) {
        setter.lines.pop();
    }
    setter.lines
}

struct Setter<'f> {
    look: Look,
    fences: &'f mut dyn Fences,
    lines: Vec<String>,
    flow: Flow,
    styles: Vec<Style>,
    containers: Vec<Container>,
    lists: Vec<Option<u64>>,
    heading: Option<HeadingLevel>,
    code: Option<(Option<String>, String, Span)>,
    link: Option<String>,
    table: Option<Table>,
    html: Option<String>,
    /// How deep in folds that are not shown.
    folded: usize,
    folds: Vec<bool>,
    /// An empty line is due before the next block.
    gap: bool,
}

/// What stands before the lines of a list's item or a quote.
struct Container {
    first: Option<String>,
    rest: String,
}

impl<'f> Setter<'f> {
    fn new(look: Look, fences: &'f mut dyn Fences) -> Self {
        Self {
            look,
            fences,
            lines: Vec::new(),
            flow: Flow::default(),
            styles: Vec::new(),
            containers: Vec::new(),
            lists: Vec::new(),
            heading: None,
            code: None,
            link: None,
            table: None,
            html: None,
            folded: 0,
            folds: Vec::new(),
            gap: false,
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
                self.close_flow();
                if let Some(html) = self.html.take() {
                    self.tags(&html);
                }
            }
            Event::InlineHtml(html) => self.tags(&html),
            _ if self.folded > 0 => {}
            Event::Start(tag) => self.start(tag, span),
            Event::End(end) => self.end(end),
            Event::Text(text) => {
                if let Some((_, content, _)) = &mut self.code {
                    content.push_str(&printable(&text));
                } else {
                    let (text, style) = (printable(&self.fences.fill(&text)), self.style());
                    self.inline().text(&text, &style);
                }
            }
            Event::Code(code) => self.inline_code(&code),
            Event::SoftBreak => {
                let style = self.style();
                self.inline().text(" ", &style);
            }
            Event::HardBreak => self.inline().line_break(),
            Event::Rule => self.block(|look, width| vec![look.dim().apply_to(rule(look, width)).to_string()]),
            Event::TaskListMarker(done) => {
                let style = self.style();
                self.inline().text(if done { "[x] " } else { "[ ] " }, &style);
            }
            Event::FootnoteReference(name) => {
                let style = self.look.dim();
                self.inline().text(&format!("[{name}]"), &style);
            }
            Event::InlineMath(_) | Event::DisplayMath(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, span: Span) {
        match tag {
            Tag::Heading { level, .. } => {
                self.close_flow();
                self.heading = Some(level);
            }
            Tag::CodeBlock(kind) => {
                self.close_flow();
                let info = match kind {
                    CodeBlockKind::Fenced(info) => Some(info.into_string()),
                    CodeBlockKind::Indented => None,
                };
                self.code = Some((info, String::new(), span));
            }
            Tag::BlockQuote(_) => {
                self.close_flow();
                let bar =
                    if self.look.plain { "  ".to_owned() } else { format!("{} ", self.look.dim().apply_to("│")) };
                self.open(Container { first: None, rest: bar });
            }
            Tag::List(first) => {
                self.close_flow();
                self.lists.push(first);
            }
            Tag::Item => {
                self.close_flow();
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ if self.look.plain => "- ".to_owned(),
                    _ => "• ".to_owned(),
                };
                let rest = " ".repeat(width(&mark));
                self.open(Container { first: Some(mark), rest });
            }
            Tag::Table(alignments) => {
                self.close_flow();
                self.table = Some(Table { alignments, rows: Vec::new() });
            }
            Tag::TableHead => {
                self.styles.push(self.look.bold());
                self.row();
            }
            Tag::TableRow => self.row(),
            Tag::TableCell => {
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(Flow::default());
                }
            }
            Tag::Emphasis => self.styles.push(self.look.italic()),
            Tag::Strong => self.styles.push(self.look.bold()),
            Tag::Strikethrough => self.styles.push(self.look.dim()),
            Tag::Link { dest_url, .. } => {
                self.link = Some(dest_url.into_string());
                self.styles.push(self.look.link());
            }
            Tag::Image { dest_url, .. } => {
                self.link = Some(dest_url.into_string());
                self.styles.push(self.look.italic());
            }
            Tag::Paragraph => self.close_flow(),
            _ => {}
        }
    }

    fn end(&mut self, end: TagEnd) {
        match end {
            TagEnd::Paragraph => self.close_flow(),
            TagEnd::Heading(_) => {
                let flow = std::mem::take(&mut self.flow);
                self.heading = None;
                self.gap |= !self.lines.is_empty();
                self.block(|_, width| flow.set(width));
                self.gap = true;
            }
            TagEnd::CodeBlock => self.close_code(),
            TagEnd::BlockQuote(_) => {
                self.close_flow();
                self.containers.pop();
                self.gap = true;
            }
            TagEnd::Item => {
                self.close_flow();
                if self.containers.last().is_some_and(|container| container.first.is_some()) {
                    self.block(|_, _| vec![String::new()]);
                }
                self.containers.pop();
                // The items of a list stand close; what has gaps of its own keeps one.
            }
            TagEnd::List(_) => {
                self.close_flow();
                self.lists.pop();
                self.gap = true;
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    self.block(|look, width| set_table(table, look, width));
                    self.gap = true;
                }
            }
            TagEnd::TableHead | TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.styles.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                self.styles.pop();
                if let Some(target) = self.link.take().filter(|target| !target.starts_with('#')) {
                    let style = self.look.dim();
                    self.inline().text(&format!(" ({target})"), &style);
                }
            }
            _ => {}
        }
    }

    /// Where words go: a table's cell, or the open paragraph.
    fn inline(&mut self) -> &mut Flow {
        match &mut self.table {
            Some(table) => match table.rows.last_mut().and_then(|row| row.last_mut()) {
                Some(cell) => cell,
                None => &mut self.flow,
            },
            None => &mut self.flow,
        }
    }

    fn inline_code(&mut self, code: &str) {
        let code = printable(&self.fences.fill(code));
        let (style, most) = (self.look.code(), self.look.width() / 2);
        let quoted = if self.look.color { code } else { format!("`{code}`") };
        self.inline().whole(&quoted, &style, most);
    }

    fn style(&self) -> Style {
        match (self.heading, self.styles.last()) {
            (Some(_), _) => self.look.bold(),
            (None, Some(style)) => style.clone(),
            (None, None) => Style::new().force_styling(self.look.color),
        }
    }

    fn row(&mut self) {
        if let Some(table) = &mut self.table {
            table.rows.push(Vec::new());
        }
    }

    fn open(&mut self, container: Container) {
        self.close_gap();
        self.containers.push(container);
    }

    fn close_flow(&mut self) {
        let flow = std::mem::take(&mut self.flow);
        if !flow.is_empty() && self.table.is_none() {
            self.block(|_, width| flow.set(width));
            self.gap = self.lists.is_empty();
        }
    }

    fn close_code(&mut self) {
        let Some((info, content, span)) = self.code.take() else { return };
        let fence = match &info {
            Some(info) => Fence::Code { info, content: &content },
            None => Fence::Indented { content: &content },
        };
        let room = self.room();
        let Some(lines) = self.fences.fence(span, &fence, room) else { return };
        self.gap = !self.lines.is_empty();
        self.block(|_, _| lines);
        self.gap = true;
    }

    fn room(&self) -> usize {
        let before: usize = self.containers.iter().map(|container| width(&container.rest)).sum();
        self.look.width().saturating_sub(before).max(20)
    }

    /// Sets a block, with an empty line before it where one is due.
    fn block(&mut self, lines: impl FnOnce(Look, usize) -> Vec<String>) {
        let lines = lines(self.look, self.room());
        self.close_gap();
        for line in lines {
            let mut full = String::new();
            for container in &mut self.containers {
                full.push_str(&container.first.take().unwrap_or_else(|| container.rest.clone()));
            }
            full.push_str(&line);
            self.lines.push(full.trim_end().to_owned());
        }
    }

    /// The empty line that is due.
    fn close_gap(&mut self) {
        if std::mem::take(&mut self.gap) {
            let open = self.containers.iter().filter(|container| container.first.is_none());
            let prefix: String = open.map(|container| container.rest.as_str()).collect();
            self.lines.push(prefix.trim_end().to_owned());
        }
    }

    /// Folds open and close by raw HTML; all other tags are nothing to a terminal.
    fn tags(&mut self, html: &str) {
        let lower = html.to_ascii_lowercase();
        let mut at = 0;
        while let Some(found) = lower[at..].find('<') {
            let tag = at + found;
            at = tag + 1;
            if lower[tag..].starts_with("</details") {
                if self.folds.pop() == Some(false) {
                    self.folded -= 1;
                }
            } else if lower[tag..].starts_with("<details") {
                let summary = summary(&html[tag..]).unwrap_or_default();
                let is_shown = self.folded == 0 && self.fences.opens(&summary);
                self.folds.push(is_shown);
                self.folded += usize::from(!is_shown);
                if is_shown {
                    self.close_flow();
                    let style = self.look.bold();
                    self.flow.text(&printable(&summary), &style);
                    self.close_flow();
                    self.gap = true;
                }
            }
        }
    }
}

fn rule(look: Look, width: usize) -> String {
    if look.plain { "---".to_owned() } else { "─".repeat(width.min(40)) }
}
