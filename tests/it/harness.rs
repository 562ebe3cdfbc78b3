//! One builder for every test of the binary: whole streams, exit status, and the file tree.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

#[path = "../support/skip.rs"]
mod skip;

pub(crate) use owned_processes::tool;
pub(crate) use skip::record_skip;

/// Returns from the test, recording why, where a tool that it needs is missing.
macro_rules! need {
    ($($tool:literal),+) => {
        $(if owned_processes::tool($tool).is_none() {
            $crate::harness::record_skip(module_path!(), $tool, concat!($tool, " is not installed"));
            return;
        })+
    };
}
pub(crate) use need;

/// One call of the binary in a folder of its own.
#[must_use = "a test that is not run checks nothing"]
pub(crate) struct Test {
    dir: tempfile::TempDir,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    stdin: Vec<u8>,
}

impl Test {
    pub(crate) fn new(args: &[&str]) -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temp folder"),
            args: args.iter().map(ToString::to_string).collect(),
            env: BTreeMap::new(),
            stdin: Vec::new(),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.bytes(path, text.as_bytes())
    }

    pub(crate) fn bytes(self, path: &str, bytes: &[u8]) -> Self {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("the folder is made");
        fs::write(path, bytes).expect("the file is written");
        self
    }

    pub(crate) fn link(self, path: &str, to: &str) -> Self {
        std::os::unix::fs::symlink(to, self.dir.path().join(path)).expect("the link is made");
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keywitness"));
        command.args(&self.args).current_dir(self.dir.path()).env_remove("CI").env_remove("GITHUB_ACTIONS");
        command.env_remove("KUBEBUILDER_ASSETS").env_remove("KEYWITNESS_STATE");
        // What whoever runs the tests has learned is their own affair.
        command.env("XDG_STATE_HOME", self.dir.path().join(".state"));
        // Reports are compared whole, and the folder of a saved run is another one each time.
        command.env("XDG_CACHE_HOME", self.dir.path().join(".cache")).env("KEYWITNESS_NO_SAVE", "true");
        command.env("NO_COLOR", "1").envs(&self.env);
        command
    }

    #[track_caller]
    pub(crate) fn run(self) -> Done {
        let command = self.command();
        self.finish(command)
    }

    /// Runs as another user, where root's rights would hide what is tested.
    #[track_caller]
    pub(crate) fn run_as(self, user: u32) -> Done {
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::process::CommandExt;
        fs::set_permissions(self.dir.path(), fs::Permissions::from_mode(0o777)).expect("the folder is opened");
        let mut command = self.command();
        command.uid(user).gid(user);
        self.finish(command)
    }

    /// For a call that a test has driven by itself.
    pub(crate) fn done(self, output: Output) -> Done {
        Done { output, dir: self.dir }
    }

    #[track_caller]
    fn finish(self, mut command: Command) -> Done {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let bytes = self.stdin.clone();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
        let output = child.wait_with_output().expect("the binary ends");
        writer.join().expect("the writer ends");
        self.look_at_reports(&output);
        Done { output, dir: self.dir }
    }

    /// Each report that it wrote keeps its schema.
    #[track_caller]
    fn look_at_reports(&self, output: &Output) {
        let is_whole = |command: &&str| ["run", "test", "grade", "lint", "merge"].contains(command);
        if !self.args.first().is_some_and(|word| is_whole(&word.as_str())) {
            return;
        }
        for (option, schema) in [("--json", REPORT), ("--sarif", SARIF)] {
            let named = self.args.iter().position(|arg| arg == option).and_then(|at| self.args.get(at + 1));
            let path = named.map(|name| self.dir.path().join(name)).filter(|path| path.is_file());
            let text = path.map(|path| fs::read(path).expect("the report is read")).filter(|text| !text.is_empty());
            if let Some(text) = text {
                expect_schema(schema, &text);
            }
        }
        let is_json = self.args.windows(2).any(|pair| pair == ["--format", "json"]);
        if is_json && !output.stdout.is_empty() && !self.args.iter().any(|arg| arg == "--mutate") {
            expect_schema(REPORT, &output.stdout);
        }
    }
}

pub(crate) const REPORT: &str = include_str!("../../schemas/report.json");
pub(crate) const SARIF: &str = include_str!("../data/sarif-2.1.0.json");

#[track_caller]
fn expect_schema(schema: &str, text: &[u8]) {
    let value = serde_json::from_slice(text).expect("a report is JSON");
    if let Err(error) = keeps_its_schema(schema, &value) {
        panic!("{error}");
    }
}

pub(crate) fn keeps_its_schema(schema: &str, value: &Value) -> Result<(), String> {
    const NAME: &str = "https://keywitness.dev/schema.json";
    let mut schema: Value = serde_json::from_str(schema).expect("a schema is JSON");
    schema["$id"] = NAME.into();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource(NAME, schema).expect("a schema");
    let index = compiler.compile(NAME, &mut schemas).expect("it compiles");
    schemas.validate(value, index).map_err(|error| format!("{error:#}"))
}

/// What came of it.
pub(crate) struct Done {
    output: Output,
    dir: tempfile::TempDir,
}

impl Done {
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    pub(crate) fn exit(&self) -> Option<i32> {
        self.output.status.code()
    }

    #[track_caller]
    pub(crate) fn expect_exit(self, exit: i32) -> Self {
        assert_eq!(self.exit(), Some(exit), "stdout:\n{}\nstderr:\n{}", self.stdout(), self.stderr());
        self
    }
}
