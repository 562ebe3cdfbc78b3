//! Lines typed into a shell that may be any POSIX shell, behind any number of PTYs.
//!
//! A line is read whole before any of it runs, so the mark at its end is not swallowed by a command that
//! reads its input. The command travels as the format of a `printf`: nothing in it is special to a line
//! editor, and its echo never looks like a mark.
//!
//! What a block defines does not reach what is typed: no word is an alias (each is quoted), variables have the
//! run's own random name, and marks are printed in subshells in which `unset` is a special builtin, which goes
//! before functions, and `printf` is no function any more.

use super::recorder::MARK_COMMAND;

/// A terminal in canonical mode cuts lines at 4096 bytes; the rest of the line needs some of that.
const LONGEST_PIECE: usize = 2800;

/// How a typed line begins: a blank keeps it out of a history.
pub(super) fn beginning(nonce: &str) -> String {
    format!(" k{nonce}")
}

/// Prints a mark, on the terminal even where the shell's own output goes elsewhere, and not into a trace.
fn mark(nonce: &str, rest: &str) -> String {
    let status = format!("s{nonce}");
    let print = format!("\\printf '\\033]{MARK_COMMAND};{nonce};{rest}\\007' \"${status}\"");
    format!(
        "({status}=$?; POSIXLY_CORRECT=1; \\unset -f printf; {{ {print} >/dev/tty; }} 2>/dev/null || {print}) 2>/dev/null"
    )
}

/// Prints the answer to a probe, for a shell that may not be there yet.
pub(super) fn probe(nonce: &str, number: u64) -> String {
    format!("{}=; {}\n", beginning(nonce), mark(nonce, &format!("b;{number}")))
}

/// Sets `$?` for the command after it, whatever `exit` is by now.
pub(super) fn after(status: i32) -> String {
    // Without a subshell where it is the usual 0; a failure before `||` sets off neither `set -e` nor a trap.
    if status == 0 { String::new() } else { format!("(POSIXLY_CORRECT=1; \\exit {status}) >/dev/null 2>&1 || ") }
}

/// Asks a shell at its prompt for the status of a line that it gave up half-way.
pub(super) fn ask_status(nonce: &str, number: u64) -> String {
    format!(" {}\n", mark(nonce, &format!("e;{number};%s")))
}

/// What a shell must end with that evaluates as it should.
pub(super) const HONEST: i32 = 93;

/// Tries whether what evaluates a command still does so, and passes on its status.
pub(super) fn try_eval(nonce: &str, number: u64) -> String {
    let end = mark(nonce, &format!("e;{number};%s"));
    format!(" \\command \\eval '(POSIXLY_CORRECT=1; \\exit {HONEST})'; {end}\n")
}

/// How a typed command reports its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndReport {
    /// By the last of what is evaluated, and by the line.
    Itself,
    /// By the line alone: what is evaluated may be left before its last.
    LineAlone,
}

/// The lines that hand over one command. All but the last must each be answered before the next is typed:
/// a terminal holds 4096 bytes of what nobody has read yet.
pub(super) fn command(
    nonce: &str,
    number: u64,
    text: &str,
    last_exit: i32,
    end_report: EndReport,
) -> (Vec<String>, String) {
    let name = format!("k{nonce}_{number}");
    let text = match end_report {
        EndReport::Itself => format!("{text}\n{}", mark(nonce, &format!("d;{number};%s"))),
        EndReport::LineAlone => text.to_owned(),
    };
    let own = "POSIXLY_CORRECT=1; \\unset -f printf; \\printf";
    let mut pieces = encode(&text);
    let last = pieces.pop().unwrap_or_default();
    let first = if pieces.is_empty() { String::new() } else { format!("${name}") };
    let lines = pieces
        .iter()
        .enumerate()
        .map(|(index, piece)| {
            let before = if index == 0 { "" } else { first.as_str() };
            // The dot keeps line ends that a substitution would drop.
            format!(" {name}=\"{before}$({own} '{piece}.')\"; {name}=\"${{{name}%.}}\";")
        })
        .collect();
    let start = mark(nonce, &format!("s;{number}"));
    let end = mark(nonce, &format!("e;{number};%s"));
    let after = after(last_exit);
    let line = format!(" {name}=\"{first}$({own} '{last}')\"; {start}; {after}\\command \\eval \"${name}\"; {end}\n");
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
        let (lines, line) = command("n", 7, "echo 'a!b'\t\"é%\\\" <<X\nx\nX", 0, EndReport::LineAlone);
        assert!(lines.is_empty());
        let (_, typed) = line.split_once("printf '").expect("a format");
        let (format, _) = typed.split_once('\'').expect("its end");
        assert_eq!(format, "echo \\047a\\041b\\047\\011\"\\303\\251%%\\\\\" <<X\\nx\\nX");
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn a_long_command_comes_in_lines_that_a_terminal_takes() {
        let nonce = "0123456789abcdef0123456789abcdef";
        let (lines, line) = command(nonce, 7, &"\u{e9}".repeat(5000), 130, EndReport::Itself);
        assert_eq!(lines.len(), 14);
        let probe = probe(nonce, 7).len();
        assert!(lines.iter().chain([&line]).all(|line| line.len() + probe < 4090));
    }
}
