//! A shell in a container that is played, for whoever types into it: a prompt, a line that can be mended, and what the
//! line would do. What nobody can know of it is said.

mod editor;

use std::time::Duration;

use super::channels::{Channels, Sent};
use super::place::{Place, now, send};
use crate::agent::shell::{End, Typed, World, name_of};
use editor::{Editor, Key};

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What may be typed ahead.
const MOST: usize = 64 << 10;
/// Shells within shells.
const DEEPEST: usize = 8;
/// Of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Whether the program is a shell that would read what is typed.
pub(super) fn is_shell(line: &[String]) -> bool {
    let Some((program, rest)) = line.split_first() else { return false };
    let asks = |flag: &String| matches!(flag.as_str(), "-i" | "-l" | "--login" | "-il" | "-li" | "-");
    matches!(name_of(program), "sh" | "bash" | "ash" | "dash") && rest.iter().all(asks)
}

struct Typing<'c> {
    channels: &'c mut Channels,
    place: &'c Place,
    tty: bool,
    editor: Editor,
    /// Typed, and not yet looked at.
    ahead: std::collections::VecDeque<u8>,
    closed: bool,
}

enum Over {
    /// The client has gone.
    Gone,
    /// The container has ended, with this status.
    Ended(i32),
}

/// Reads lines and follows them until the shell ends: its status; `None` where the client went before.
pub(super) async fn session(channels: &mut Channels, place: &Place, program: &str, tty: bool) -> Option<i32> {
    let closed = false;
    let mut typing = Typing { channels, place, tty, editor: Editor::default(), ahead: [].into(), closed };
    match typing.run(program).await {
        Ok(status) | Err(Over::Ended(status)) => Some(status),
        Err(Over::Gone) => None,
    }
}

impl Typing<'_> {
    async fn run(&mut self, program: &str) -> Result<i32, Over> {
        let world = self.world()?;
        let mut shells = vec![Typed::new(&world, program)];
        let mut text = String::new();
        loop {
            let world = self.world()?;
            let Some(shell) = shells.last().cloned() else { return Ok(0) };
            if self.tty {
                let prompt = if text.is_empty() { shell.prompt(&world) } else { "> ".to_owned() };
                self.say(&prompt).await?;
            }
            let status = shell.status();
            let exits = match self.read().await? {
                Key::Interrupt => {
                    text.clear();
                    shells.pop();
                    shells.push(shell.with_status(INTERRUPTED));
                    continue;
                }
                Key::End => {
                    if self.tty {
                        self.say("exit\r\n").await?;
                    }
                    true
                }
                Key::Line(line) => {
                    text.push_str(&line);
                    if Typed::wants_more(&text) {
                        text.push('\n');
                        continue;
                    }
                    let line = std::mem::take(&mut text);
                    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
                    if is_shell(&words) && shells.len() < DEEPEST && world.programs.has(&words[0]) != Some(false) {
                        shells.push(shell.another(&words[0]));
                        continue;
                    }
                    shells.pop();
                    let (after, exits) = self.follow(&shell, &line).await?;
                    shells.push(after);
                    exits
                }
            };
            if exits {
                let ended = shells.pop().map_or(status, |shell| shell.status());
                let Some(outer) = shells.pop() else { return Ok(ended & 0xff) };
                shells.push(outer.with_status(ended & 0xff));
            }
        }
    }

    /// What a line finds around it by now.
    fn world(&self) -> Result<World, Over> {
        match self.place.run() {
            Some(run) if run.ended.is_none() => Ok(run.world_beside(now())),
            _ => Err(Over::Ended(137)),
        }
    }

    async fn say(&mut self, text: &str) -> Result<(), Over> {
        if self.channels.to.stdout(text.as_bytes()).await { Ok(()) } else { Err(Over::Gone) }
    }

    /// Takes in what is typed next.
    async fn take(&mut self) -> Result<(), Over> {
        match self.channels.from.receive().await {
            Sent::Stdin(bytes) => {
                let room = MOST.saturating_sub(self.ahead.len());
                self.ahead.extend(bytes.iter().take(room));
                Ok(())
            }
            Sent::StdinClosed => {
                self.closed = true;
                Ok(())
            }
            Sent::Resize { .. } => Ok(()),
            Sent::Gone => Err(Over::Gone),
        }
    }

    async fn read(&mut self) -> Result<Key, Over> {
        loop {
            let mut shown = Vec::new();
            let mut key = None;
            while key.is_none()
                && let Some(byte) = self.ahead.pop_front()
            {
                key = self.editor.feed(byte, self.tty, &mut shown);
            }
            if !shown.is_empty() && !self.channels.to.stdout(&shown).await {
                return Err(Over::Gone);
            }
            match key {
                Some(key) => return Ok(key),
                None if self.closed => return Ok(self.editor.rest().map_or(Key::End, Key::Line)),
                None => self.take().await?,
            }
        }
    }

    /// Prints what a line does as time passes; how the shell stands after it, and whether that was its end.
    async fn follow(&mut self, shell: &Typed, text: &str) -> Result<(Typed, bool), Over> {
        let begun = now();
        let mut world = World { start: begun, ..self.world()? };
        let mut line = shell.line(&world, text);
        let mut shown = 0;
        if let Some(unknown) = line.played.unknown.take() {
            let note = format!("simulated: nothing runs here; what {unknown} does is not known\n");
            let note = if self.tty { note.replace('\n', "\r\n") } else { note };
            let sent = if self.tty {
                self.channels.to.stdout(note.as_bytes()).await
            } else {
                self.channels.to.stderr(note.as_bytes()).await
            };
            if !sent {
                return Err(Over::Gone);
            }
        }
        loop {
            let moment = now();
            let due = line.played.printed.iter().skip(shown).take_while(|piece| piece.at <= moment).count();
            let pieces = &line.played.printed[shown..shown + due];
            if !send(self.channels, pieces, self.tty).await {
                return Err(Over::Gone);
            }
            shown += due;
            match line.played.end {
                End::At { at, .. } if at <= moment => {
                    self.place.did(line.played.changes);
                    return Ok((line.after, line.exits));
                }
                End::OutOfMemory { at } if at <= moment => {
                    self.say("Killed\r\n").await?;
                    return Ok((shell.clone().with_status(137), false));
                }
                End::Open { at } if at <= moment => {
                    world = World { start: begun, now: moment, ..self.world()? };
                    line = shell.line(&world, text);
                    line.played.unknown = None;
                    shown = shown.min(line.played.printed.len());
                }
                _ => {}
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                taken = self.take(), if !self.closed => taken?,
            }
            let waits = matches!(line.played.end, End::Never);
            let stops = |byte: &u8| *byte == editor::INTERRUPT || waits && *byte == editor::END;
            if self.tty
                && let Some(at) = self.ahead.iter().position(stops)
            {
                self.ahead.drain(..=at);
                self.say("^C\r\n").await?;
                let upto = now();
                self.place.did(line.played.changes.into_iter().filter(|change| change.at <= upto).collect());
                return Ok((shell.clone().with_status(INTERRUPTED), false));
            }
            if self.closed && waits {
                return Ok((shell.clone(), false));
            }
            self.world()?;
        }
    }
}
