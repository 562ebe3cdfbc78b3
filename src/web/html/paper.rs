//! A whole Markdown text as one HTML page that needs nothing else: style and pictures stand in it.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::escape::escaped;
use super::walk::{self, Fences, Fold};
use crate::text::Span;
use crate::web::picture;

const STYLE: &str = include_str!("paper.css");

/// The page; its pictures are those of the lab's own folder.
pub fn paper(title: &str, language: &str, markdown: &str, dir: &Path) -> String {
    let body = walk::set_whole(markdown, &mut Plain);
    let body = with_pictures(&body, dir);
    format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escaped(title)
    )
}

/// Code as it stands; folds that can be opened.
struct Plain;

impl Fences for Plain {
    fn fence(&mut self, _: Span, info: &str, content: &str) -> Option<String> {
        Some(walk::code(info.split([' ', '{', ',']).next().unwrap_or_default(), content))
    }

    fn fill(&self, text: &str) -> String {
        text.to_owned()
    }

    fn fold(&mut self, _: &str) -> Fold {
        Fold::Open("<details>".to_owned())
    }
}

/// Each picture in its place; one that is not there is named by its words.
fn with_pictures(html: &str, dir: &Path) -> String {
    const MARK: &str = "<img data-picture=\"";
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once(MARK) {
        out.push_str(before);
        let Some((path, tail)) = after.split_once('"') else { break };
        let path = path.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
        match picture::read(dir, &path.replace("&amp;", "&")) {
            Some((kind, bytes)) => {
                out.push_str(&format!("<img src=\"data:{kind};base64,{}\"", STANDARD.encode(bytes)));
            }
            None => out.push_str("<img"),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_its_pictures_and_no_scripts() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("a b.svg"), "<svg/>").expect("written");
        let text = "# A & B\n\n## Step\n\n<script>alert(1)</script>\n\n![one](a%20b.svg) ![two](../x.png)\n\n- [ ] done\n\n```bash\nls\n```\n";
        let page = paper("A & B", "en", text, dir.path());
        assert!(page.contains("<title>A &amp; B</title>") && page.contains("<h1>A &amp; B</h1>"), "{page}");
        assert!(page.contains("<h2>Step</h2>") && page.contains("data:image/svg+xml;base64,PHN2Zy8+"), "{page}");
        assert!(!page.contains("alert") && !page.contains("data-picture") && page.contains("two"), "{page}");
        assert!(page.contains("<input type=\"checkbox\" disabled>"), "{page}");
    }
}
