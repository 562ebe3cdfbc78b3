//! Inputs that once were judged wrongly, each with what is right. A row names a file or a folder of
//! `tests/cases`, the command, and what its reports must say; `scripts/cases` prints the rows as a table.

mod clock;
mod environment;
mod judge;
mod sandbox;
mod temp_folder;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Done, Test};

/// One test for each row: `name => Case::new(…)….exit(…);`
macro_rules! cases {
    ($($name:ident => $case:expr;)+) => {
        $(#[test]
        fn $name() {
            $crate::harness::need!("etcd", "kubectl", "etcdctl");
            $case.check();
        })+
    };
}
use cases;

/// Where the report that a word is looked for in is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    Screen,
    /// Findings, errors of the call, and the annotations for GitHub.
    StandardError,
    Junit,
}

#[must_use = "a case that is not checked checks nothing"]
pub(super) struct Case {
    path: &'static str,
    args: &'static [&'static str],
    exit: i32,
    words: Vec<(Report, &'static str, bool)>,
    values: Vec<(&'static str, Value)>,
    env: Vec<(&'static str, &'static str)>,
}

impl Case {
    /// A lab below `tests/cases`, or a folder of labs; it is named after the arguments.
    pub(super) fn new(args: &'static [&'static str], path: &'static str) -> Self {
        Self { path, args, exit: 0, words: Vec::new(), values: Vec::new(), env: Vec::new() }
    }

    pub(super) fn exit(mut self, exit: i32) -> Self {
        self.exit = exit;
        self
    }

    /// A variable of the runner's own environment.
    pub(super) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    pub(super) fn screen(self, words: &'static str) -> Self {
        self.word(Report::Screen, words, true)
    }

    pub(super) fn not_on_screen(self, words: &'static str) -> Self {
        self.word(Report::Screen, words, false)
    }

    pub(super) fn stderr(self, words: &'static str) -> Self {
        self.word(Report::StandardError, words, true)
    }

    pub(super) fn junit(self, words: &'static str) -> Self {
        self.word(Report::Junit, words, true)
    }

    pub(super) fn not_in_junit(self, words: &'static str) -> Self {
        self.word(Report::Junit, words, false)
    }

    /// The JSON report has this value at this pointer.
    pub(super) fn json(mut self, pointer: &'static str, value: impl Into<Value>) -> Self {
        self.values.push((pointer, value.into()));
        self
    }

    fn word(mut self, report: Report, words: &'static str, is_there: bool) -> Self {
        self.words.push((report, words, is_there));
        self
    }

    fn run(&self, more: &[&str]) -> Done {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(self.path);
        let name = root.file_name().expect("a name").to_string_lossy().into_owned();
        let args: Vec<&str> = self.args.iter().copied().chain([name.as_str()]).chain(more.iter().copied()).collect();
        let mut test = Test::new(&args);
        for file in files(&root) {
            let below = file.strip_prefix(root.parent().expect("a folder")).expect("a file of the case");
            test = test.file(&below.to_string_lossy(), &fs::read_to_string(&file).expect("a text file"));
        }
        for (name, value) in &self.env {
            test = test.env(name, value);
        }
        test.env("GITHUB_ACTIONS", "true").run()
    }

    #[track_caller]
    pub(super) fn check(self) {
        let mut wrong = Vec::new();
        let judges = matches!(self.args.first(), Some(&("run" | "test")));
        let done = self.run(if judges { &["--junit", "junit.xml"] } else { &[] });
        let junit = fs::read_to_string(done.dir().join("junit.xml")).unwrap_or_default();
        if done.exit() != Some(self.exit) {
            wrong.push(format!("exit {:?}, and {} is right", done.exit(), self.exit));
        }
        for (report, words, is_there) in &self.words {
            let text = match report {
                Report::Screen => done.stdout(),
                Report::StandardError => done.stderr(),
                Report::Junit => junit.clone(),
            };
            if text.contains(words) != *is_there {
                let is = if *is_there { "is missing" } else { "must not be there" };
                wrong.push(format!("{report:?}: {words:?} {is}"));
            }
        }
        if !self.values.is_empty() {
            let done = self.run(&["--format", "json"]);
            let report: Value = serde_json::from_str(&done.stdout()).unwrap_or_default();
            for (pointer, value) in &self.values {
                let found = report.pointer(pointer).unwrap_or(&Value::Null);
                if found != value {
                    wrong.push(format!("JSON: {pointer} is {found}, and {value} is right"));
                }
            }
        }
        self.enter(&done, wrong.is_empty());
        let told = format!("stdout:\n{}\nstderr:\n{}\nJUnit:\n{junit}", done.stdout(), done.stderr());
        assert!(wrong.is_empty(), "{}:\n  {}\n{told}", self.path, wrong.join("\n  "));
    }

    /// A line of the table that `scripts/cases` prints.
    fn enter(&self, done: &Done, is_right: bool) {
        let Some(table) = std::env::var_os("KEYWITNESS_CASES") else { return };
        let (stdout, stderr) = (done.stdout(), done.stderr());
        let last = stdout.lines().chain(stderr.lines().filter(|line| !line.starts_with("::"))).last();
        let seen = last.unwrap_or_default().trim();
        let exit = done.exit().map_or_else(|| "none".to_owned(), |exit| exit.to_string());
        let right = if is_right { "right" } else { "WRONG" };
        let line = format!("{}\t{}\t{exit}\t{seen}\t{right}\n", self.path, self.args.join(" "));
        let mut table = fs::OpenOptions::new().create(true).append(true).open(table).expect("the table opens");
        table.write_all(line.as_bytes()).expect("the table takes a line");
    }
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries.flat_map(|entry| files(&entry.expect("an entry").path())).collect()
}
