//! An editor, as far as the protocol goes.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Test;

/// No machine is slower than this.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    Utf8,
    Utf16,
}

pub(super) struct Client {
    child: Child,
    stdin: ChildStdin,
    messages: Receiver<Value>,
    /// Notifications that nobody has asked for yet.
    waiting: VecDeque<Value>,
    versions: HashMap<PathBuf, i64>,
    next: i64,
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

impl Client {
    pub(super) fn start(counts: Counts, roots: &[PathBuf]) -> Self {
        Self::start_with(counts, roots, None)
    }

    /// With the user's cache folder, in which runs are saved.
    pub(super) fn start_with(counts: Counts, roots: &[PathBuf], cache: Option<&Path>) -> Self {
        let test = Test::new(&["lsp"]);
        let mut command = test.command();
        if let Some(cache) = cache {
            command.env("XDG_CACHE_HOME", cache);
        }
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let stdin = child.stdin.take().expect("a pipe");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = message(&mut stdout) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut client = Self { child, stdin, messages, waiting: VecDeque::new(), versions: HashMap::new(), next: 0 };
        let encoding = if counts == Counts::Utf8 { "utf-8" } else { "utf-16" };
        let folders: Vec<Value> = roots.iter().map(|root| json!({"uri": uri(root), "name": "labs"})).collect();
        let answer = client.request(
            "initialize",
            json!({
                "processId": null, "rootUri": null, "workspaceFolders": folders,
                "capabilities": {"general": {"positionEncodings": [encoding]}},
            }),
        );
        assert_eq!(answer["capabilities"]["positionEncoding"], encoding, "{answer}");
        client.notify("initialized", json!({}));
        client
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.stdin, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("the server reads");
        self.stdin.flush().expect("the server reads");
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// The result of a request; an error is a map with `error`.
    pub(super) fn request(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("an answer");
            if message["id"] == id {
                return match message.get("error") {
                    Some(error) => json!({"error": error}),
                    None => message["result"].clone(),
                };
            }
            self.waiting.push_back(message);
        }
    }

    /// A request about a file.
    pub(super) fn ask(&mut self, method: &str, file: &Path, mut params: Value) -> Value {
        params["textDocument"] = json!({"uri": uri(file)});
        self.request(method, params)
    }

    pub(super) fn open(&mut self, file: &Path, text: &str) {
        self.versions.insert(file.to_owned(), 1);
        let document = json!({"uri": uri(file), "languageId": "markdown", "version": 1, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": document}));
    }

    pub(super) fn replace(&mut self, file: &Path, text: &str) {
        self.edit(file, vec![json!({"text": text})]);
    }

    pub(super) fn edit(&mut self, file: &Path, changes: Vec<Value>) {
        let version = self.versions.get_mut(file).expect("an open file");
        *version += 1;
        let document = json!({"uri": uri(file), "version": version});
        self.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": changes}));
    }

    /// The last that was published of a file, once the server has read all that was sent; `None` where nothing was.
    pub(super) fn published(&mut self, file: &Path) -> Option<Value> {
        // Answers come in order: what is published of the text comes before this one.
        self.ask("textDocument/codeLens", file, json!({}));
        let is_own = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == uri(file)
        };
        let last = self.waiting.iter().rfind(|message| is_own(message)).map(|message| message["params"].clone());
        self.waiting.retain(|message| !is_own(message));
        last
    }

    /// The next notification of this kind.
    pub(super) fn notified(&mut self, method: &str) -> Value {
        if let Some(at) = self.waiting.iter().position(|message| message["method"] == method) {
            return self.waiting.remove(at).expect("it is there")["params"].clone();
        }
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("a notification");
            if message["method"] == method {
                return message["params"].clone();
            }
            self.waiting.push_back(message);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Asked to end, it ends: a server that hangs would stay for ever in somebody's machine.
        if !std::thread::panicking() {
            assert_eq!(self.request("shutdown", Value::Null), Value::Null);
            self.notify("exit", Value::Null);
            let status = self.child.wait().expect("the server ends");
            assert!(status.success(), "{status}");
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn message(from: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().split_once(": ") {
            Some(("Content-Length", number)) => length = number.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
