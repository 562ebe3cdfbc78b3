//! A tutorial of another tool as a file of its own, in which lines may change: fences of a shell run, those with prompts
//! are of `console`, and front matter that no lab has is left out but for its title.

use std::path::Path;

use crate::parse::{FenceOutline, is_ours, outline};
use crate::text::SourceFile;

/// Languages of shells that a lab only shows.
pub(super) const SHELLS: [&str; 7] = ["shell", "zsh", "shell-session", "terminal", "ksh", "fish", "command"];
/// What a fence without a language begins with where it shows a shell.
const PROMPTS: [&str; 2] = ["$ kubectl ", "$ etcdctl "];

pub fn converted(source: &SourceFile, to: &Path) -> SourceFile {
    let text = source.text();
    let parts = outline(source);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    if parts.body > 0 && !is_ours(text) {
        let title = text[..parts.body].lines().find(|line| line.starts_with("title:"));
        if let Some(title) = title {
            out.push_str(&format!("---\n{title}\n---\n"));
        }
        from = parts.body;
    }
    for fence in &parts.fences {
        let span = fence.language.span;
        if let Some(language) = language(fence)
            && span.start >= from
        {
            out.push_str(&text[from..span.start]);
            out.push_str(language);
            from = span.end;
        }
    }
    out.push_str(&text[from..]);
    SourceFile::new(to.display().to_string(), to, out)
}

/// What the fence is in a lab, where that is another language.
fn language(fence: &FenceOutline) -> Option<&'static str> {
    let own = fence.language.value.to_ascii_lowercase();
    let content = fence.content.text();
    let first = content.lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))?;
    let has_prompt = first.starts_with("$ ");
    match own.as_str() {
        "bash" | "sh" if has_prompt => Some("console"),
        "" if PROMPTS.iter().any(|prompt| first.starts_with(prompt)) => Some("console"),
        language if SHELLS.contains(&language) => Some(if has_prompt { "console" } else { "bash" }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_of_shells_run_and_foreign_front_matter_goes() {
        let page = "---\ntitle: Keys\nweight: 30\n---\n\n```shell\nkubectl get ns\n```\n\n```bash\n$ etcdctl put a b\nOK\n```\n\n```\n$ etcdctl get a\n```\n\n```\nplain\n```\n";
        let of = |text: &str| converted(&SourceFile::new("a.md", "a.md", text), Path::new("b.md")).text().to_owned();
        assert_eq!(
            of(page),
            "---\ntitle: Keys\n---\n\n```bash\nkubectl get ns\n```\n\n```console\n$ etcdctl put a b\nOK\n```\n\n```console\n$ etcdctl get a\n```\n\n```\nplain\n```\n"
        );
        let lab = "---\ntitle: A\nlevel: beginner\n---\n## A\n\n```bash\nls\n```\n";
        assert_eq!(of(lab), lab);
    }
}
