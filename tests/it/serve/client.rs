//! A server of the test's own, and a client that can send whatever it likes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

/// A cluster comes up, a check turns green: all of it long before this, on a machine that is busy with other tests.
pub(super) const SOON: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(30);

/// A server with a home and a state folder of its own.
pub(super) struct Serving {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(super) port: u16,
    pub(super) secret: String,
    pub(super) present: Option<String>,
    own: Option<tempfile::TempDir>,
}

pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }
}

fn labs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("labs")
}

impl Serving {
    /// Of the course's own labs.
    pub(super) fn start(args: &[&str]) -> Self {
        let course = labs().display().to_string();
        Self::of(&[&[course.as_str()], args].concat())
    }

    pub(super) fn of(args: &[&str]) -> Self {
        let own = tempfile::tempdir().expect("a folder");
        let mut serving = Self::at(own.path(), args);
        serving.own = Some(own);
        serving
    }

    /// In a home that is there.
    pub(super) fn at(home: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keywitness"));
        command.args(["serve", "--port", "0"]).args(args).current_dir(home);
        command.env("HOME", home).env("XDG_STATE_HOME", home.join(".state")).env("NO_COLOR", "1");
        // Its folders lie where a test can see that none is left.
        std::fs::create_dir_all(Self::folders(home)).expect("a folder");
        command.env("TMPDIR", Self::folders(home));
        for name in [
            "XDG_RUNTIME_DIR",
            "CI",
            "KEYWITNESS_STATE",
            "KUBECONFIG",
            "KUBEBUILDER_ASSETS",
            "PROMPT_COMMAND",
            "KEYWITNESS_WEB_ASSETS",
        ] {
            command.env_remove(name);
        }
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (mut links, mut listens) = (Vec::new(), None);
        loop {
            let mut line = String::new();
            assert!(stdout.read_line(&mut line).expect("it is read") > 0, "the server ended: {links:?}");
            if let Some(link) = line.trim().strip_prefix("http") {
                links.push(link.to_owned());
            }
            if let Some(address) = line.trim().strip_prefix("It listens on 127.0.0.1:") {
                listens = address.trim_end_matches('.').parse().ok();
            }
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        let part = |link: &String| link.split_once('#').expect("a secret").1.to_owned();
        let named = links[0].split(['/', '#']).nth(2).and_then(|host| host.rsplit_once(':'));
        let port = listens.or_else(|| named?.1.parse().ok()).expect("a port");
        Self { child, stdout, port, secret: part(&links[0]), present: links.get(1).map(part), own: None }
    }

    /// Where a server of this home has its temporary folders.
    pub(super) fn folders(home: &Path) -> PathBuf {
        home.join("tmp")
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.host())
    }

    pub(super) fn process(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(SOON)).expect("a limit");
        stream
    }

    /// Exactly these headers, and no others but the body's length.
    pub(super) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut stream = self.connect();
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        // What is refused before it is read may be cut off.
        drop(stream.write_all(format!("{head}\r\n{body}").as_bytes()));
        let mut bytes = Vec::new();
        drop(stream.read_to_end(&mut bytes));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, rest) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { unchunked(rest) } else { rest.to_owned() };
        Reply { status, head: head.to_owned(), body }
    }

    /// As the page asks.
    pub(super) fn get(&self, path: &str) -> Reply {
        let bearer = format!("Bearer {}", self.secret);
        self.send("GET", path, &[("Host", &self.host()), ("Authorization", &bearer)], "")
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Reply {
        let (bearer, body) = (format!("Bearer {}", self.secret), body.to_string());
        let headers = [
            ("Host", self.host()),
            ("Origin", self.origin()),
            ("Authorization", bearer),
            ("Content-Type", "application/json".to_owned()),
        ];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.send("POST", path, &headers, &body)
    }

    pub(super) fn ask(&self, session: &str, request: &Value) -> Value {
        self.post(&format!("/api/sessions/{session}/ask"), request).json()
    }

    pub(super) fn page(&self, session: &str) -> Value {
        self.get(&format!("/api/sessions/{session}/page")).json()
    }

    /// Until the page is as wanted; the last one is told where it never is.
    #[track_caller]
    pub(super) fn until(&self, session: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let page = self.page(session);
            if wanted(&page) {
                return page;
            }
            if began.elapsed() > SOON {
                let why = self.ask(session, &json!({"request": "why"}));
                panic!("it never came: {page:#}\n{why:#}");
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Opens a lab and waits for its first step.
    #[track_caller]
    pub(super) fn open(&self, lab: &str) -> Value {
        let opened = self.post("/api/open", &json!({ "lab": lab }));
        assert_eq!((opened.status, &opened.json()["session"]), (200, &json!(lab)), "{}", opened.body);
        let page = self.until(lab, |page| !page["failed"].is_null() || page["view"]["step"]["preparing"] == false);
        assert!(page["failed"].is_null(), "{page:#}");
        page
    }

    /// What happens from now on, or after an event with this number.
    pub(super) fn stream(&self, path: &str, last: Option<&str>) -> Stream {
        let mut stream = self.connect();
        let last = last.map_or(String::new(), |last| format!("Last-Event-ID: {last}\r\n"));
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{last}\r\n",
            self.host(),
            self.secret
        );
        stream.write_all(head.as_bytes()).expect("it is sent");
        let mut lines = BufReader::new(stream);
        let mut status = String::new();
        lines.read_line(&mut status).expect("an answer");
        assert!(status.contains(" 200 "), "{status}");
        Stream { lines, waiting: Vec::new() }
    }

    pub(super) fn socket(&self, path: &str, headers: &[(&str, &str)]) -> Result<Socket, u16> {
        let mut request = tungstenite::http::Request::builder()
            .uri(format!("ws://{}{path}", self.host()))
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        match tungstenite::client::client_with_config(request, self.connect(), Some(config)) {
            Ok((socket, _)) => Ok(Socket { socket, seen: Vec::new(), at: 0 }),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                Err(answer.status().as_u16())
            }
            Err(error) => panic!("no socket and no refusal: {error}"),
        }
    }

    /// A terminal, as the page opens it.
    pub(super) fn terminal(&self, session: &str, name: &str, from: u64) -> Socket {
        let path = format!("/api/sessions/{session}/terminals/{name}");
        let host = self.host();
        let mut socket = self.socket(&path, &[("Host", &host), ("Origin", &self.origin())]).expect("a socket");
        socket.say(&json!({"secret": self.secret, "rows": 30, "cols": 100, "from": from}));
        socket.at = socket.told()["at"].as_u64().expect("a place");
        socket
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process()), signal).expect("it is there");
    }

    /// Its status, and what it printed at last.
    pub(super) fn ended(mut self) -> (Option<i32>, String) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                break status;
            }
            assert!(began.elapsed() < SOON, "it does not end");
            std::thread::sleep(LOOK);
        };
        let mut rest = String::new();
        drop(self.stdout.read_to_string(&mut rest));
        (status.code(), rest)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Before its home goes.
        let _ = kill(Pid::from_raw(self.process()), Signal::SIGTERM);
        drop(self.child.wait());
        drop(self.own.take());
    }
}

fn unchunked(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some(chunk) = after.get(..size).filter(|_| size > 0) else { break };
        out.push_str(chunk);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    out
}

/// Server-sent events.
pub(super) struct Stream {
    lines: BufReader<TcpStream>,
    /// Those that came and were not waited for yet.
    waiting: Vec<(String, Value)>,
}

impl Stream {
    /// The next event with its number; `None` at the stream's end.
    pub(super) fn next(&mut self) -> Option<(String, Value)> {
        let (mut id, mut data) = (String::new(), String::new());
        let began = Instant::now();
        loop {
            let mut line = String::new();
            // Signs of life come all the time.
            if began.elapsed() > SOON || self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            if let Some(number) = line.strip_prefix("id: ") {
                number.clone_into(&mut id);
            } else if let Some(text) = line.strip_prefix("data: ") {
                data.push_str(text);
            } else if line.is_empty() && !data.is_empty() {
                return Some((id, serde_json::from_str(&data).expect("JSON")));
            }
        }
    }

    /// The first such event that was not waited for yet, in whatever order they come.
    #[track_caller]
    pub(super) fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> (String, Value) {
        if let Some(at) = self.waiting.iter().position(|(_, event)| wanted(event)) {
            return self.waiting.remove(at);
        }
        while let Some((id, event)) = self.next() {
            if wanted(&event) {
                return (id, event);
            }
            self.waiting.push((id, event));
        }
        panic!("it never came: {:#?}", self.waiting)
    }
}

/// A terminal's socket, which shows everything at once.
pub(super) struct Socket {
    socket: WebSocket<TcpStream>,
    pub(super) seen: Vec<u8>,
    /// The place of the next byte.
    pub(super) at: u64,
}

impl Socket {
    pub(super) fn say(&mut self, value: &Value) {
        drop(self.socket.send(Message::Text(value.to_string().into())));
    }

    pub(super) fn send(&mut self, message: Message) -> Result<(), tungstenite::Error> {
        self.socket.send(message)
    }

    pub(super) fn types(&mut self, text: &str) {
        self.socket.send(Message::Binary(text.as_bytes().to_vec().into())).expect("it is sent");
    }

    /// The next message, if any comes.
    pub(super) fn read(&mut self) -> Option<Message> {
        self.socket.read().ok()
    }

    /// The next text.
    pub(super) fn told(&mut self) -> Value {
        loop {
            match self.read() {
                Some(Message::Text(text)) => return serde_json::from_str(&text).expect("JSON"),
                Some(_) => {}
                None => return Value::Null,
            }
        }
    }

    /// Reads one message; output is shown and acknowledged.
    pub(super) fn step(&mut self) -> Option<Value> {
        match self.read()? {
            Message::Binary(bytes) => {
                self.at += bytes.len() as u64;
                self.seen.extend_from_slice(&bytes);
                let at = self.at;
                self.say(&json!({ "ack": at }));
                Some(Value::Null)
            }
            Message::Text(text) => {
                let told: Value = serde_json::from_str(&text).expect("JSON");
                if let Some(at) = told["at"].as_u64() {
                    self.at = at;
                }
                Some(told)
            }
            _ => Some(Value::Null),
        }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Shows output until this stands in what came since the last time.
    #[track_caller]
    pub(super) fn until(&mut self, wanted: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(at) = find(&self.seen, wanted.as_bytes()) {
                let shown: Vec<u8> = self.seen.drain(..at + wanted.len()).collect();
                return String::from_utf8_lossy(&shown).into_owned();
            }
            assert!(began.elapsed() < SOON, "{wanted:?} is not in {:?}", self.text());
            assert!(self.step().is_some(), "the socket is closed: {wanted:?} is not in {:?}", self.text());
        }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
