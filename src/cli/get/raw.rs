//! The bytes of a value.

use std::fmt::Write;

use crate::journal::Reading;
use crate::text::wrapped;
use kube_etcd_codec::{Piece, explain};

/// Of a piece's bytes so many are shown.
const SHOWN: usize = 6;
const HEX_LINE: usize = 16;

/// Whether the bytes must not be shown: a Secret, what lies where Secrets lie, and what cannot be read.
pub(super) fn may_be_secret(key: &str, read: &Reading) -> bool {
    key.contains("/secrets/")
        || matches!(read, Reading::Not { .. })
        || matches!(read, Reading::Object { hidden, .. } if *hidden > 0)
}

/// A line for each piece: where it begins, its bytes, and what they say.
pub(super) fn explained(value: &[u8], key: &str, show_secrets: bool) -> String {
    let columns = console::Term::stdout().size_checked().map_or(usize::MAX, |(_, columns)| usize::from(columns));
    let pieces = explain(value);
    // What lies where Secrets lie and is none hides all that it holds.
    let is_object = pieces.len() > 1;
    let all_secret = key.contains("/secrets/") && !is_object;
    let mut out = String::new();
    for Piece { offset, length, depth, text, secret } in pieces {
        let hidden = (secret || all_secret) && !show_secrets;
        let bytes = &value[offset..offset + length];
        let shown = if hidden { "…".to_owned() } else { pairs(&bytes[..length.min(SHOWN)]) };
        let more = if !hidden && length > SHOWN { " …" } else { "" };
        let text = if all_secret && hidden { format!("{length} bytes, hidden") } else { text };
        let indent = "  ".repeat(depth);
        let line = format!("{offset:04x}  {:<19}  {indent}{text}", format!("{shown}{more}"));
        for line in wrapped(&line, columns) {
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    out
}

pub(super) fn hex(value: &[u8]) -> String {
    let mut out = String::new();
    for (index, line) in value.chunks(HEX_LINE).enumerate() {
        let text: String = line
            .iter()
            .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' })
            .collect();
        let _ = writeln!(out, "{:04x}  {:<47}  {text}", index * HEX_LINE, pairs(line));
    }
    out
}

fn pairs(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_in_lines_of_sixteen() {
        assert_eq!(
            hex(b"k8s\0\n\x0f0123456789abcdef"),
            "0000  6b 38 73 00 0a 0f 30 31 32 33 34 35 36 37 38 39  k8s...0123456789\n\
             0010  61 62 63 64 65 66                                abcdef\n"
        );
    }

    #[test]
    fn what_lies_where_secrets_lie_is_hidden_as_a_whole() {
        let told = explained(b"hunter2", "/registry/secrets/a/b", false);
        assert_eq!(told, "0000  …                    7 bytes, hidden\n");
        assert!(explained(b"hunter2", "/registry/secrets/a/b", true).contains("hunter2"));
    }
}
