//! The custom resources that a lab declares: in manifests beside it, and in what its blocks and fences write.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::expr::{Definition, definition};
use crate::text::SourceFile;

const KIND: &str = "CustomResourceDefinition";

/// A folder of a course holds a few manifests, none of them large.
const MOST_FILES: usize = 200;
/// A folder with more entries is no lab's own.
const MOST_ENTRIES: usize = 2000;
const LARGEST: u64 = 1 << 20;

/// The custom resources that this lab declares.
pub fn of(source: &SourceFile) -> Vec<Definition> {
    let mut found = in_text(source.text());
    if let Some(folder) = source.path().parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let mut left = MOST_FILES;
        beside(folder, 1, &mut left, &mut found);
    }
    found
}

fn beside(folder: &Path, deeper: usize, left: &mut usize, found: &mut Vec<Definition>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    // What lies in a folder is known from the listing itself: each call of `stat` would count for large courses.
    let listed = entries.flatten().take(MOST_ENTRIES).filter_map(|entry| Some((entry.path(), entry.file_type().ok()?)));
    let mut listed: Vec<_> = listed
        .filter(|(path, about)| {
            (about.is_dir() && deeper > 0 && !is_hidden(path)) || (about.is_file() && is_manifest(path))
        })
        .collect();
    listed.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (path, about) in listed {
        let Some(less) = left.checked_sub(1) else { return };
        if about.is_dir() {
            beside(&path, deeper - 1, left, found);
        } else if fs::symlink_metadata(&path).is_ok_and(|about| about.len() <= LARGEST) {
            *left = less;
            if let Ok(text) = fs::read_to_string(&path) {
                found.extend(in_manifest(&text));
            }
        }
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_manifest(path: &Path) -> bool {
    path.extension().and_then(|end| end.to_str()).is_some_and(|end| matches!(end, "yaml" | "yml" | "json"))
}

fn in_manifest(text: &str) -> Vec<Definition> {
    if !text.contains(KIND) {
        return Vec::new();
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) => {
            let items = value["items"].as_array().cloned().unwrap_or_default();
            std::iter::once(value).chain(items).filter_map(|value| definition(&value)).collect()
        }
        Err(_) => in_text(text),
    }
}

/// The documents of a text that define custom resources: a manifest's own, or one in a heredoc or a fence.
fn in_text(text: &str) -> Vec<Definition> {
    if !text.contains(KIND) {
        return Vec::new();
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let bare = line.trim_start();
        let Some(value) = bare.strip_prefix("kind:") else { continue };
        if value.trim().trim_matches(['"', '\'']) != KIND {
            continue;
        }
        let indent = line.len() - bare.len();
        let belongs = |line: &&&str| {
            let rest = line.trim_start();
            let deeper = line.len() - rest.len() > indent;
            // A fence's end, a heredoc's and `---` are no keys of this document.
            let is_key = line.len() - rest.len() == indent
                && rest
                    .split_once(':')
                    .is_some_and(|(key, value)| is_name(key) && (value.is_empty() || value.starts_with(' ')));
            rest.is_empty()
                || deeper
                || is_key
                || rest.starts_with('#')
                || (rest.starts_with("- ") && line.len() - rest.len() == indent)
        };
        let before = lines[..at].iter().rev().take_while(belongs).count();
        let after = lines[at..].iter().take_while(belongs).count();
        let document: String =
            lines[at - before..at + after].iter().flat_map(|line| [line.get(indent..).unwrap_or(""), "\n"]).collect();
        if let Ok(value) = serde_saphyr::from_str::<Value>(&document) {
            found.extend(definition(&value));
        }
    }
    found
}

fn is_name(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
