//! A shell's byte stream, taken apart into what it printed and the marks that we had it print.

use std::collections::VecDeque;

use vte::{Params, Parser, Perform};

use super::capture::Capture;
use super::cast::CastOf;
use super::screen::Screen;
use super::typed::beginning;

/// The number of the operating system command under which marks travel: private use, and nothing that a
/// terminal would show.
pub(super) const MARK_COMMAND: &str = "7777";

/// Kept of what a shell prints where no command is to be recorded: prompts, echo, its last words.
const NOISE_KEPT: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signpost {
    /// Our own shell is at its prompt.
    Prompt,
    /// A shell that a lab opened is at its prompt.
    InnerPrompt,
    /// A typed line begins or ends; its number.
    Start(u64),
    End(u64, i32),
    /// The command of the typed line ended: reported from within what evaluates it.
    Done(u64, i32),
    /// A shell answered the probe of this number.
    Probe(u64),
}

/// Fed with bytes as they come.
pub(super) struct Recorder {
    parser: Parser,
    state: State,
}

struct State {
    nonce: String,
    screen: Screen,
    recording: bool,
    noise: String,
    /// What stood before the last typed line: the prompt, and maybe an echo of the line.
    prompt: String,
    /// With the offset in the text where each came.
    signposts: VecDeque<(Signpost, u64)>,
    closed: bool,
    cast: Option<CastOf>,
    /// Of these bytes, what a terminal shows and no mark is.
    shown: String,
}

impl Recorder {
    pub(super) fn new(nonce: String, rows: u16, recording: bool) -> Self {
        let state = State {
            nonce,
            screen: Screen::new(rows),
            recording,
            noise: String::new(),
            prompt: String::new(),
            signposts: VecDeque::new(),
            closed: false,
            cast: None,
            shown: String::new(),
        };
        Self { parser: Parser::new(), state }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.parser.advance(&mut self.state, bytes);
        let shown = std::mem::take(&mut self.state.shown);
        if let Some(cast) = &self.state.cast {
            cast.show(shown);
        }
    }

    /// What is printed is recorded there too.
    pub(super) fn record_on(&mut self, cast: Option<CastOf>) {
        self.state.cast = cast;
    }

    /// A command is handed to the shell, which does not echo it.
    pub(super) fn command(&mut self, text: &str) {
        if let Some(cast) = &self.state.cast {
            cast.command(text);
        }
    }

    pub(super) fn close(&mut self) {
        self.state.closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.closed
    }

    pub(super) fn next_signpost(&mut self) -> Option<(Signpost, u64)> {
        self.state.signposts.pop_front()
    }

    pub(super) fn screen(&mut self) -> &mut Screen {
        &mut self.state.screen
    }

    pub(super) fn printed(&self) -> u64 {
        self.state.screen.printed()
    }

    /// The prompt of the shell that took the last typed line, as far as it can be distinguished from an echo.
    pub(super) fn prompt(&self) -> &str {
        let line = self.state.prompt.lines().find(|line| !line.is_empty()).unwrap_or("");
        line.split(&beginning(&self.state.nonce)).next().unwrap_or(line)
    }

    /// What is printed from here on counts, although no mark said so.
    pub(super) fn record(&mut self) {
        self.state.recording = true;
    }

    /// Begins a block; what the one before printed is handed over.
    pub(super) fn restart(&mut self) -> Capture {
        self.state.screen.restart()
    }

    /// The last lines of all, recorded or not.
    pub(super) fn last_words(&self) -> String {
        let (recorded, _) = self.state.screen.since(0);
        let text = if recorded.trim().is_empty() { &self.state.noise } else { &recorded };
        let lines: Vec<&str> = text.trim_end().lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl State {
    fn show(&mut self, add: impl FnOnce(&mut String)) {
        if self.cast.is_some() {
            add(&mut self.shown);
        }
    }

    fn noise(&mut self, char: char) {
        self.noise.push(char);
        if self.noise.len() > 2 * NOISE_KEPT {
            let mut cut = self.noise.len() - NOISE_KEPT;
            while !self.noise.is_char_boundary(cut) {
                cut += 1;
            }
            self.noise.drain(..cut);
        }
    }

    fn signpost(&mut self, post: Signpost) {
        let offset = self.screen.freeze();
        match post {
            Signpost::Start(_) | Signpost::Prompt => self.recording = true,
            Signpost::Done(..) | Signpost::End(..) | Signpost::Probe(_) | Signpost::InnerPrompt => {
                self.recording = false;
            }
        }
        let before = std::mem::take(&mut self.noise);
        if matches!(post, Signpost::Start(_)) {
            self.prompt = before;
        }
        self.signposts.push_back((post, offset));
    }
}

impl Perform for State {
    fn print(&mut self, char: char) {
        if self.recording {
            self.show(|shown| shown.push(char));
            self.screen.put(char);
        } else {
            self.noise(char);
        }
    }

    fn execute(&mut self, byte: u8) {
        if self.recording {
            self.show(|shown| shown.push(char::from(byte)));
            self.screen.control(byte);
        } else if byte == b'\n' {
            self.noise('\n');
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _ignore: bool, action: char) {
        if self.recording {
            self.show(|shown| sequence(shown, params, intermediates, action));
        }
        if self.recording && intermediates.is_empty() {
            let mut values = params.iter().map(|param| param.first().copied().unwrap_or(0));
            let (first, second) = (values.next().unwrap_or(0), values.next().unwrap_or(0));
            self.screen.sequence(action, first, second);
        }
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _bell_terminated: bool) {
        if let Some(post) = signpost(params, &self.nonce) {
            self.signpost(post);
        }
    }
}

/// A control sequence as it came.
fn sequence(shown: &mut String, params: &Params, intermediates: &[u8], action: char) {
    // Private markers stand before the parameters, other intermediates behind them.
    let (before, behind): (Vec<u8>, Vec<u8>) = intermediates.iter().partition(|byte| (0x3c..=0x3f).contains(*byte));
    let number = |param: &[u16]| param.iter().map(u16::to_string).collect::<Vec<_>>().join(":");
    shown.push_str("\u{1b}[");
    shown.extend(before.into_iter().map(char::from));
    shown.push_str(&params.iter().map(number).collect::<Vec<_>>().join(";"));
    shown.extend(behind.into_iter().map(char::from));
    shown.push(action);
}

fn signpost(params: &[&[u8]], nonce: &str) -> Option<Signpost> {
    let words: Vec<&str> = params.iter().map(|param| std::str::from_utf8(param).unwrap_or("")).collect();
    match words.as_slice() {
        [command, whose, rest @ ..] if *command == MARK_COMMAND && *whose == nonce => match rest {
            ["p"] => Some(Signpost::Prompt),
            ["q"] => Some(Signpost::InnerPrompt),
            ["d", number, status] => Some(Signpost::Done(number.parse().ok()?, status.parse().ok()?)),
            ["s", number] => Some(Signpost::Start(number.parse().ok()?)),
            ["e", number, status] => Some(Signpost::End(number.parse().ok()?, status.parse().ok()?)),
            ["b", number] => Some(Signpost::Probe(number.parse().ok()?)),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> String {
        let mut recorder = Recorder::new("n".into(), 24, true);
        recorder.feed(bytes);
        recorder.screen().since(0).0
    }

    #[test]
    fn colours_titles_and_bells_leave_nothing() {
        assert_eq!(read(b"\x1b[1;32mok\x1b[0m\x07 \x1b]0;title\x07\x1b(Bdone\r\n"), "ok done\n");
    }

    #[test]
    fn a_progress_line_leaves_what_stands_there_at_last() {
        assert_eq!(read(b" 10%\r 50%\r100%\r\ndone\r\n"), "100%\ndone\n");
        assert_eq!(read(b"a long line\rshort\x1b[K\r\n"), "short\n");
        assert_eq!(read(b"12\x08\x08ab\r\n"), "ab\n");
        // What is not overwritten stays, as on a screen.
        assert_eq!(read(b"abcdef\rXY\r\n"), "XYcdef\n");
    }

    #[test]
    fn lines_redrawn_further_up_are_overwritten() {
        assert_eq!(
            read(b"one: wait\r\ntwo: wait\r\n\x1b[2A\x1b[2Kone: done\r\n\x1b[2Ktwo: done\r\n"),
            "one: done\ntwo: done\n"
        );
    }

    #[test]
    fn a_cleared_screen_keeps_what_was_printed() {
        assert_eq!(read(b"before\r\n\x1b[H\x1b[2Jafter\r\n"), "before\nafter\n");
    }

    #[test]
    fn tabs_and_wide_text_stay_as_they_are() {
        assert_eq!(read("a\tb äöü 漢字 ✓\r\n".as_bytes()), "a\tb äöü 漢字 ✓\n");
    }

    #[test]
    fn marks_are_found_across_reads_and_others_marks_are_not_ours() {
        let mut recorder = Recorder::new("n".into(), 24, true);
        let stream = b"out\r\n\x1b]7777;x;p\x07\x1b]7777;n;p\x07more";
        for byte in stream {
            recorder.feed(&[*byte]);
        }
        assert_eq!(recorder.next_signpost(), Some((Signpost::Prompt, 4)));
        assert_eq!(recorder.next_signpost(), None);
        assert_eq!(recorder.screen().since(4).0, "more");
    }

    #[test]
    fn a_recording_shows_commands_and_what_they_print_and_no_mark() {
        use crate::terminal::{Casts, TerminalId};
        let casts = Casts::default();
        let mut recorder = Recorder::new("n".into(), 24, false);
        recorder.record_on(Some(casts.of(TerminalId::host("1"), 24, 80)));
        recorder.feed(b"\x1b]7777;n;p\x07");
        recorder.command("for i in 1\ndo echo $i; done");
        recorder.feed(b"\x1b[1;32mok\x1b[0m \x1b[38:5:1mred\x1b[?25l\r\n\x1b]0;title\x07\x1b]7777;n;p\x07");
        casts.mark("over");
        let all = casts.all();
        let shown: String = all[0].shown.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            shown,
            "$ for i in 1\r\n> do echo $i; done\r\n\u{1b}[1;32mok\u{1b}[0m \u{1b}[38:5:1mred\u{1b}[?25l\r\n"
        );
        assert_eq!((all[0].rows, all[0].columns, all[0].marks.len(), all[0].is_cut), (24, 80, 1, false));
        for _ in 0..3 {
            recorder.feed(&vec![b'x'; 1 << 20]);
        }
        let all = casts.all();
        assert!(all[0].is_cut && all[0].shown.iter().map(|(_, text)| text.len()).sum::<usize>() <= 2 << 20);
    }

    #[test]
    fn an_endless_line_is_bounded_and_whole() {
        let mut recorder = Recorder::new("n".into(), 24, true);
        for _ in 0..20 {
            recorder.feed(&[b'x'; 10_000]);
        }
        assert_eq!(recorder.screen().since(0).0.len(), 200_000);
    }

    #[test]
    fn between_a_typed_lines_end_and_the_next_start_nothing_is_recorded() {
        let mut recorder = Recorder::new("n".into(), 24, false);
        recorder.feed(b"$ echo\r\n\x1b]7777;n;s;1\x07out\r\n\x1b]7777;n;e;1;0\x07$ prompt");
        assert_eq!(recorder.screen().since(0).0, "out\n");
    }
}
