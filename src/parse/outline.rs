//! What stands where in a file, whatever is wrong with it: an editor asks this of a text that is being written.

use super::attrs;
use super::context::Context;
use super::findings::Findings;
use super::front_matter;
use super::html::{Tag, tags};
use super::markdown::{self, Block, Heading};
use crate::lab::FoldKind;
use crate::lab::keywords::FenceKind;
use crate::text::{Joined, SourceFile, Span, Spanned};

/// The parts of a file.
#[derive(Debug)]
pub struct Outline {
    /// Where the Markdown begins, after the front matter.
    pub body: usize,
    pub fences: Vec<FenceOutline>,
    pub folds: Vec<FoldOutline>,
    /// `lab:` comments, from their word on.
    pub comments: Vec<Span>,
    /// Those of lists and quotes aside.
    pub headings: Vec<HeadingOutline>,
    /// Code that is only indented.
    pub indented: Vec<Span>,
}

#[derive(Debug)]
pub struct HeadingOutline {
    pub level: u8,
    pub text: String,
    pub span: Span,
}

/// A fold, from its first tag to its last.
#[derive(Debug)]
pub struct FoldOutline {
    pub kind: FoldKind,
    pub span: Span,
}

/// A fence.
#[derive(Debug)]
pub struct FenceOutline {
    pub span: Span,
    /// What follows the backticks.
    pub info: Span,
    pub language: Spanned<String>,
    pub kind: Option<FenceKind>,
    /// The braces and all.
    pub braces: Option<Span>,
    pub attributes: Vec<Written>,
    pub content: Joined,
}

/// An attribute as it is written.
#[derive(Debug)]
pub struct Written {
    pub name: Spanned<String>,
    /// Without its quotes.
    pub value: Option<Spanned<String>>,
}

impl FenceOutline {
    pub fn attribute(&self, name: &str) -> Option<&Written> {
        self.attributes.iter().find(|attribute| attribute.name.value == name)
    }
}

/// Reads the parts of a file.
pub fn outline(source: &SourceFile) -> Outline {
    let mut outline = Outline {
        body: 0,
        fences: Vec::new(),
        folds: Vec::new(),
        comments: Vec::new(),
        headings: Vec::new(),
        indented: Vec::new(),
    };
    if markdown::too_much(source.text()).is_some() {
        return outline;
    }
    let mut cx = Context::new(source);
    let (head, body) = front_matter::head(&mut cx);
    outline.body = body;
    let mut open: Vec<(usize, FoldKind)> = Vec::new();
    for block in markdown::blocks(source.text(), outline.body) {
        match block {
            Block::Fence(fence) => {
                let info = attrs::info(source, fence.info);
                let mut ignored = Findings::default();
                let read = info.braces.map(|braces| attrs::in_braces(source, braces, &mut ignored));
                outline.fences.push(FenceOutline {
                    span: fence.span,
                    info: fence.info,
                    kind: FenceKind::of(&info.language.value),
                    language: info.language,
                    braces: info.braces,
                    attributes: read.unwrap_or_default().into_iter().map(written).collect(),
                    content: fence.content,
                });
            }
            Block::Html(span) => {
                for tag in tags(source, span) {
                    match tag {
                        Tag::Directive(span) => outline.comments.push(span),
                        Tag::DetailsOpen(span) => open.push((span.start, FoldKind::Other)),
                        Tag::Summary { text, .. } => {
                            if let Some((_, kind)) = open.last_mut() {
                                *kind = FoldKind::of(&text, head.language);
                            }
                        }
                        Tag::DetailsClose(span) => {
                            let Some((start, kind)) = open.pop() else { continue };
                            let end = source.text()[span.end..].find('>').map_or(span.end, |at| span.end + at + 1);
                            outline.folds.push(FoldOutline { kind, span: Span::new(start, end) });
                        }
                    }
                }
            }
            Block::Heading(Heading { level, text, span, nested: false }) => {
                outline.headings.push(HeadingOutline { level, text, span });
            }
            Block::Indented(span) => outline.indented.push(span),
            Block::Heading(_) | Block::Prose(_) => {}
        }
    }
    outline
}

fn written(attr: attrs::Attr) -> Written {
    Written { name: attr.name, value: attr.value.map(|value| Spanned::new(value.text, value.span)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_written_has_its_place_all_the_same() {
        let text = "---\ntitle: A\nvars: {\n---\n## A\n<!-- lab:step id=x -->\n\n```bash {name=a stop=\nls\n```\n\n- x\n\n  ```check\n  key /reg\n  ```\n";
        let source = SourceFile::new("lab.md", "lab.md", text);
        let outline = outline(&source);
        assert_eq!(outline.body, text.find("## A").unwrap_or_default());
        let kinds: Vec<_> = outline.fences.iter().map(|fence| fence.kind).collect();
        assert_eq!(kinds, [Some(FenceKind::Script), Some(FenceKind::Check)]);
        let name = outline.fences[0].attribute("name").and_then(|name| name.value.as_ref());
        assert_eq!(name.map(|name| name.value.as_str()), Some("a"));
        assert_eq!(outline.fences[1].content.text(), "key /reg\n");
        assert_eq!(source.slice(outline.comments[0]).trim(), "lab:step id=x");
    }
}
