//! Lines typed into a shell that may be any POSIX shell, behind any number of PTYs.
//!
//! A line is read whole before any of it runs, so the mark at its end is not swallowed by a command that
//! reads its input. The command travels as the format of a `printf`: nothing in it is special to a line
//! editor, and its echo never looks like a mark.

use super::recorder::MARK_COMMAND;

/// A terminal in canonical mode cuts lines at 4096 bytes; the rest of the line needs some of that.
const LONGEST_PIECE: usize = 3000;

/// Prints the answer to a probe, for a shell that may not be there yet.
pub(super) fn probe(nonce: &str, number: u64) -> String {
    format!(" printf '\\033]{MARK_COMMAND};{nonce};b;%s\\007' {number}\n")
}

/// The same past a redirection of the shell's own output.
pub(super) fn probe_terminal(nonce: &str, number: u64) -> String {
    format!(" printf '\\033]{MARK_COMMAND};{nonce};b;%s\\007' {number} >/dev/tty\n")
}

/// The lines that hand over one command. All but the last must each be answered before the next is typed:
/// a terminal holds 4096 bytes of what nobody has read yet.
pub(super) fn command(nonce: &str, number: u64, text: &str, last_exit: i32) -> (Vec<String>, String) {
    let mut pieces = encode(text);
    let last = pieces.pop().unwrap_or_default();
    let first = if pieces.is_empty() { "" } else { "$__kw" };
    let lines = pieces
        .iter()
        .enumerate()
        .map(|(index, piece)| {
            let before = if index == 0 { "" } else { "$__kw" };
            // The dot keeps line ends that a substitution would drop.
            format!(" __kw=\"{before}$(printf '{piece}.')\"; __kw=\"${{__kw%.}}\";")
        })
        .collect();
    // What a person's `$?` would be; without a subshell where it is the usual 0.
    let status = if last_exit == 0 { String::new() } else { format!("(exit {last_exit}); ") };
    let line = format!(
        " __kw=\"{first}$(printf '{last}')\"; printf '\\033]{MARK_COMMAND};{nonce};s;%s\\007' {number}; {status}\
         command eval \"$__kw\"; printf '\\033]{MARK_COMMAND};{nonce};e;%s;%s\\007' {number} \"$?\"\n"
    );
    (lines, line)
}

/// The text as formats of `printf`, none of them too long for a line.
fn encode(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for byte in text.bytes() {
        let piece = match pieces.last_mut() {
            Some(piece) if piece.len() < LONGEST_PIECE => piece,
            _ => {
                pieces.push(String::new());
                pieces.last_mut().expect("just pushed")
            }
        };
        match byte {
            b'\n' => piece.push_str("\\n"),
            b'%' => piece.push_str("%%"),
            b'\\' => piece.push_str("\\\\"),
            b'\'' | b'!' | 0..=0x1f | 0x7f..=0xff => {
                piece.extend(['\\'].into_iter().chain(format!("{byte:03o}").chars()));
            }
            _ => piece.push(char::from(byte)),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_line_editor_acts_on_is_left() {
        let (lines, line) = command("n", 7, "echo 'a!b'\t\"é%\\\" <<X\nx\nX", 0);
        assert!(lines.is_empty());
        let (_, typed) = line.split_once("printf '").expect("a format");
        let (format, _) = typed.split_once('\'').expect("its end");
        assert_eq!(format, "echo \\047a\\041b\\047\\011\"\\303\\251%%\\\\\" <<X\\nx\\nX");
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn a_long_command_comes_in_lines_that_a_terminal_takes() {
        let (lines, line) = command("n", 7, &"\u{e9}".repeat(5000), 0);
        assert_eq!(lines.len(), 13);
        assert!(lines.iter().chain([&line]).all(|line| line.len() < 4000));
    }
}
