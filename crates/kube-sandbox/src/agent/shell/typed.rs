//! A shell to which somebody types. Each line is followed by itself; what it sets is there for the next.

use std::collections::BTreeMap;

use super::Played;
use super::run::{Shell, followed};
use super::syntax::{self, Unread};
use super::world::{World, name_of};

/// How a shell stands between two lines.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    name: String,
    vars: BTreeMap<String, String>,
    folder: String,
    status: i32,
}

/// What a line does.
#[derive(Debug, Clone)]
pub(crate) struct Entered {
    pub(crate) played: Played,
    pub(crate) after: Typed,
    /// It ends the shell.
    pub(crate) exits: bool,
}

impl Typed {
    /// One that has just been started, by this program.
    pub(crate) fn new(world: &World, program: &str) -> Self {
        let shell = Shell::new(world, 0);
        Self { name: name_of(program).to_owned(), vars: shell.vars, folder: shell.folder, status: 0 }
    }

    /// The same, started from it.
    pub(crate) fn another(&self, program: &str) -> Self {
        Self { name: name_of(program).to_owned(), status: 0, ..self.clone() }
    }

    pub(crate) fn status(&self) -> i32 {
        self.status
    }

    #[must_use]
    pub(crate) fn with_status(mut self, status: i32) -> Self {
        self.status = status;
        self
    }

    /// What it writes before it reads, as the shells of usual images do.
    pub(crate) fn prompt(&self, world: &World) -> String {
        let sign = if world.user == 0 { '#' } else { '$' };
        let home = self.vars.get("HOME").map(String::as_str);
        let folder = if home == Some(self.folder.as_str()) && self.folder != "/" { "~" } else { &self.folder };
        match (self.name.as_str(), world.programs.busybox) {
            ("bash", _) if world.user == 0 => format!("root@{}:{folder}{sign} ", world.host),
            ("bash", _) => format!("I have no name!@{}:{folder}{sign} ", world.host),
            (_, true) => format!("{folder} {sign} "),
            (_, false) => format!("{sign} "),
        }
    }

    /// Whether the shell would wait for the rest of a command.
    pub(crate) fn wants_more(text: &str) -> bool {
        let continued = text.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
        let open = |why: &str| why.contains("unexpected end of file") || why.contains("unterminated");
        continued || matches!(syntax::script(text), Err(Unread::Wrong(why)) if open(&why))
    }

    pub(crate) fn line(&self, world: &World, text: &str) -> Entered {
        let begin = |shell: &mut Shell<'_>| {
            (shell.vars, shell.folder, shell.status) = (self.vars.clone(), self.folder.clone(), self.status);
        };
        let (played, left) = followed(world, false, begin, |shell, streams| shell.text(text, streams));
        let after = Self { name: self.name.clone(), vars: left.vars, folder: left.folder, status: left.status };
        Entered { played, after, exits: left.exits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::shell::{End, Files, Programs};

    fn world() -> World {
        let listed = ["ls", "cat", "mkdir", "sleep", "sh"].map(str::to_owned).into_iter().collect();
        let programs = Programs { listed: Some(std::sync::Arc::new(listed)), busybox: true, ..Programs::default() };
        World {
            programs,
            files: Files { known: true, ..Files::default() },
            host: "web".into(),
            now: i64::MAX / 4,
            once: true,
            open: true,
            ..World::default()
        }
    }

    /// What is printed for each line.
    fn session(lines: &[&str]) -> Vec<String> {
        let mut world = world();
        let mut shell = Typed::new(&world, "/bin/sh");
        let mut said = Vec::new();
        for text in lines {
            let line = shell.line(&world, text);
            let printed: String = line.played.printed.iter().map(|piece| piece.text.as_str()).collect();
            world.files.changes.extend(line.played.changes);
            said.push(format!("{printed}{}", if line.exits { "(exit)" } else { "" }));
            shell = line.after;
        }
        said
    }

    #[test]
    fn a_line_finds_what_the_lines_before_it_left() {
        let said = session(&["cd /tmp", "pwd", "A=b; echo $A > f", "cat /tmp/f", "echo $A $?", "nosuch", "echo $?"]);
        assert_eq!(said, ["", "/tmp\n", "", "b\n", "b 0\n", "sh: nosuch: not found\n", "127\n"]);
        assert_eq!(session(&["false", "exit"])[1], "(exit)");
        let world = world();
        assert_eq!(Typed::new(&world, "sh").line(&world, "exit 3").after.status(), 3);
        assert!(matches!(Typed::new(&world, "sh").line(&world, "cat").played.end, End::Never));
    }

    #[test]
    fn prompts_are_those_of_the_images() {
        let mut world = world();
        let shell = Typed::new(&world, "sh");
        assert_eq!(shell.prompt(&world), "/ # ");
        assert_eq!(shell.line(&world, "cd /root").after.prompt(&world), "~ # ");
        assert_eq!(shell.another("bash").prompt(&world), "root@web:/# ");
        world.programs.busybox = false;
        world.user = 1000;
        assert_eq!(shell.prompt(&world), "$ ");
    }

    #[test]
    fn a_command_may_take_several_lines() {
        for text in ["for i in 1 2; do", "if true", "echo 'a", "echo a \\"] {
            assert!(Typed::wants_more(text), "{text}");
        }
        for text in ["echo a", "echo \\\\", ")", "for i in 1; do echo $i; done"] {
            assert!(!Typed::wants_more(text), "{text}");
        }
    }
}
