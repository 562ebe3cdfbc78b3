//! Languages that an author most likely meant to be one of the runner's.

use crate::lab::keywords::{FenceKind, LANGUAGES};

/// Near to a lab language by letters, and something else.
const OTHERS: &[&str] = &[
    "ash", "awk", "bat", "batch", "c", "cs", "css", "csh", "cpp", "cue", "dash", "diff", "fish", "go", "h", "hcl",
    "html", "http", "ini", "java", "js", "jsx", "json", "ksh", "lua", "math", "md", "nu", "out", "perl", "php", "ps",
    "pwsh", "py", "r", "rb", "rs", "rust", "sql", "ssh", "sed", "svg", "text", "toml", "ts", "tsx", "txt", "vim",
    "xml", "yaml", "yml", "zsh", "mermaid", "shell", "proto", "make", "lint",
];

/// The lab language that `language` is but for case or two letters.
pub(super) fn nearly(language: &str) -> Option<&'static str> {
    if FenceKind::of(language).is_some() {
        return None;
    }
    let lower: String = language.to_lowercase().chars().filter(char::is_ascii_graphic).collect();
    if let Some((name, _)) = LANGUAGES.iter().find(|(name, _)| *name == lower) {
        return Some(name);
    }
    if OTHERS.contains(&lower.as_str()) || lower.len() < 3 {
        return None;
    }
    LANGUAGES
        .iter()
        .filter(|(name, _)| name.len() > 2)
        .map(|(name, _)| (strsim::damerau_levenshtein(&lower, name), *name))
        .filter(|(distance, name)| *distance <= if name.len() > 4 { 2 } else { 1 })
        .min()
        .map(|(_, name)| name)
}
