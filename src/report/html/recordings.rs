//! What the terminals showed, where the run was saved: as text, and as the recording itself, to be downloaded and played.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::block;
use crate::outcome::LabReport;
use crate::text::html_escaped;

/// A longer recording stays where it lies, so that the page can still be opened.
const LARGEST: usize = 512 << 10;

pub(super) fn write(out: &mut String, lab: &LabReport) {
    let Some(folder) = &lab.saved else { return };
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut casts: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_cast(path)).collect();
    casts.sort();
    for path in casts {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let file = format!("{}-{name}.cast", lab.id);
        let _ = writeln!(out, "<details class=\"step\"><summary>Recording of {}</summary>", html_escaped(&name));
        if text.len() > LARGEST {
            let where_it_is = format!("longer than {} KiB: {}", LARGEST >> 10, path.display());
            let _ = writeln!(out, "<p>{}</p>", html_escaped(&where_it_is));
        } else {
            let _ = writeln!(
                out,
                "<p><a download=\"{}\" href=\"data:application/x-asciicast;base64,{}\">{}</a>, for asciinema play</p>",
                html_escaped(&file),
                BASE64_STANDARD.encode(&text),
                html_escaped(&file),
            );
            block(out, &format!("what {name} showed"), &shown(&text));
        }
        out.push_str("</details>\n");
    }
}

fn is_cast(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "cast")
}

/// What a terminal wrote, without what moves the cursor and sets colours; a mark of the lab as a line of its own.
fn shown(cast: &str) -> String {
    let mut out = String::new();
    for line in cast.lines().skip(1) {
        let Ok(Value::Array(event)) = serde_json::from_str(line) else { continue };
        let [_, Value::String(kind), Value::String(text)] = event.as_slice() else { continue };
        match kind.as_str() {
            "o" => out.push_str(text),
            "m" => {
                if !out.ends_with('\n') {
                    out.push('\n');
                }
                let _ = writeln!(out, "· {text}");
            }
            _ => {}
        }
    }
    let plain = console::strip_ansi_codes(&out);
    plain.chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_text_without_its_colours() {
        let cast =
            "{\"version\":3}\n[0.1,\"o\",\"\\u001b[1m$\\u001b[0m ls\\r\\n\"]\n[0,\"m\",\"Look\"]\n[1,\"o\",\"a<b\"]\n";
        assert_eq!(shown(cast), "$ ls\n· Look\na<b");
    }
}
