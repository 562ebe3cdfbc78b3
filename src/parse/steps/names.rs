//! Names of fences that are nearly known, and the anchors of headings.

pub(super) fn near_language(written: &str, near: &str) -> String {
    match written.chars().find(|c| !c.is_ascii()) {
        Some(c) if written.replace(c, "") == near => {
            format!("U+{:04X} follows `{near}`, so this fence is only shown", c as u32)
        }
        _ => format!("`{written}` is only shown, and nearly `{near}`"),
    }
}

/// As GitHub makes a heading's anchor.
pub(in crate::parse) fn slug(title: &str) -> String {
    title
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}
