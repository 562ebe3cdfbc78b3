//! How a server ends, and that nothing of it is left.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use nix::sys::signal::Signal;
use serde_json::json;

use super::client::{SOON, Serving};
use crate::harness::{Test, need};

/// Processes that carry this folder in their environment or command: all that a server starts does.
fn processes_of(home: &std::path::Path) -> Vec<String> {
    let home = home.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if pid.parse::<i32>().is_err() || pid == std::process::id().to_string() {
            continue;
        }
        let text = |name: &str| {
            let bytes = std::fs::read(entry.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        if text("environ").contains(&home) || text("cmdline").contains(&home) {
            found.push(format!("{pid}: {}", text("cmdline").replace('\0', " ")));
        }
    }
    found
}

#[track_caller]
fn nothing_is_left(home: &std::path::Path, port: u16) {
    let began = Instant::now();
    loop {
        let left = processes_of(home);
        let port_is_free = TcpStream::connect(("127.0.0.1", port)).is_err();
        let folders: Vec<_> = std::fs::read_dir(Serving::folders(home)).expect("read").flatten().collect();
        if left.is_empty() && port_is_free && folders.is_empty() {
            return;
        }
        assert!(began.elapsed() < SOON, "left: {left:#?}, {folders:?}, port free: {port_is_free}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn however_it_ends_nothing_is_left_and_labs_can_be_resumed() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let home = tempfile::tempdir().expect("a folder");
    let course = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("labs/first-look").display().to_string();
    for signal in [Signal::SIGINT, Signal::SIGKILL, Signal::SIGTERM] {
        let serving = Serving::at(home.path(), &[&course]);
        let page = serving.open("first-look");
        if signal != Signal::SIGINT {
            assert_eq!(page["resumed"], true, "before {signal}: {page:#}");
        }
        let mut events = serving.stream("/api/sessions/first-look/events", None);
        let mut terminal = serving.terminal("first-look", "main", 0);
        terminal.until("1/");
        terminal.types("sleep 1000 & sleep 1001 & echo both-$((40 + 2))\r");
        terminal.until("both-42");
        // A request that is under way.
        let port = serving.port;
        serving.signal(signal);
        while events.next().is_some() {}
        let (status, _) = serving.ended();
        let expected = (signal != Signal::SIGKILL).then_some(0);
        assert_eq!(status, expected, "{signal}");
        nothing_is_left(home.path(), port);
    }
}

#[test]
fn a_session_that_nobody_looks_at_is_left_and_can_be_resumed() {
    need!("etcd", "etcdctl", "etcdutl", "kubectl");
    let lab = "---\ntitle: T\nclusters: [sandbox]\n---\n# T\n\n## Do\n\n```bash\nkubectl create namespace idle\n```\n\n```check\nkey /registry/namespaces/idle exists\n```\n";
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(home.path().join("labs/t")).expect("a folder");
    std::fs::write(home.path().join("labs/t/README.md"), lab).expect("written");
    let serving = Serving::at(home.path(), &["labs", "--idle", "6s"]);
    assert_eq!(serving.open("t")["resumed"], false);
    let mut terminal = serving.terminal("t", "main", 0);
    terminal.until("1/");
    terminal.types("kubectl create namespace idle; echo made-$((40 + 2))\r");
    terminal.until("made-42");
    // Somebody looks on, for longer than that.
    let looked = Instant::now();
    while looked.elapsed() < std::time::Duration::from_secs(8) {
        terminal.types("echo again-$((40 + 2))\r");
        terminal.until("again-42");
    }
    drop(terminal);
    let began = Instant::now();
    while processes_of(home.path()).iter().any(|process| process.contains("etcd")) {
        assert!(began.elapsed() < SOON, "the session's etcd still runs");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let again = serving.open("t");
    assert_eq!(again["resumed"], true, "{again:#}");
    let mut terminal = serving.terminal("t", "main", 0);
    terminal.until("1/");
    terminal.types("kubectl get namespace idle -o name\r");
    terminal.until("namespace/idle");
}

#[test]
fn a_call_that_would_not_be_safe_or_cannot_work_says_so() {
    let busy = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = busy.local_addr().expect("its address").port().to_string();
    let lab = "---\ntitle: T\n---\n# T\n\n## Do\n\ntext\n";
    let serve = |args: &[&str]| {
        let done = Test::new(&[&["serve"], args].concat()).file("labs/t/README.md", lab).file("short", "abc").run();
        (done.exit(), done.stderr())
    };
    for (args, status, words) in [
        (&["--port", &port][..], 2, "--port 0 takes a free one"),
        (&["--secret-file", "short"], 2, "at least 32"),
        (&["--secret-file", "none"], 2, "No such file"),
        (&["--base-path", "a/../b"], 2, "/user/ann/"),
        (&["--origin", "*"], 2, "https://hub.example.org"),
        (&["--host", "*"], 2, "hub.example.org"),
        (&["--on", "attach"], 2, "--yes"),
        (&["none"], 2, "there is no lab at none"),
    ] {
        let (exit, stderr) = serve(args);
        assert_eq!(exit, Some(status), "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
}

#[test]
fn behind_a_proxy_it_answers_to_the_names_that_it_was_given_and_no_others() {
    let home = tempfile::tempdir().expect("a folder");
    let secret = "0123456789abcdef0123456789abcdef";
    std::fs::write(home.path().join("secret"), secret).expect("written");
    let course = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("labs").display().to_string();
    let args = [
        course.as_str(),
        "--base-path",
        "/user/ann",
        "--origin",
        "https://hub.example.org",
        "--host",
        "10.0.0.7:8888",
        "--secret-file",
        "secret",
    ];
    let serving = Serving::at(home.path(), &args);
    let own = serving.host();
    let get = |path: &str, headers: &[(&str, &str)]| {
        let all = [headers, &[("X-Keywitness-Secret", secret)]].concat();
        let mut stream = TcpStream::connect(own.as_str()).expect("it listens");
        let mut head = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in all {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).expect("sent");
        let mut text = String::new();
        drop(stream.read_to_string(&mut text));
        text
    };
    // The path may be handed on or taken off, and the name is the hub's or the proxy's own.
    for host in ["hub.example.org", "10.0.0.7:8888", own.as_str()] {
        for path in ["/user/ann/api/course", "/api/course"] {
            let answer = get(path, &[("Host", host)]);
            assert!(
                answer.starts_with("HTTP/1.1 200") && answer.contains("\"base\":\"/user/ann/\""),
                "{host}: {answer}"
            );
        }
    }
    let moved = get("/user/ann", &[("Host", "hub.example.org")]);
    assert!(moved.starts_with("HTTP/1.1 308") && moved.to_lowercase().contains("location: ./ann/"), "{moved}");
    for (host, origin, status) in [
        ("hub.example.org", "https://hub.example.org", "200"),
        ("10.0.0.7:8888", "https://hub.example.org", "200"),
        ("hub.example.org", "http://hub.example.org", "403"),
        ("hub.example.org", "https://hub.example.org.evil.example", "403"),
        ("hub.example.org", "https://10.0.0.7:8888", "403"),
        ("hub.example.org:80", "https://hub.example.org", "421"),
        ("evil.example", "https://hub.example.org", "421"),
    ] {
        let answer = get("/user/ann/api/course", &[("Host", host), ("Origin", origin)]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{host} {origin}: {answer}");
    }
    // Whoever stands before it says much: none of it counts.
    let forwarded =
        [("Host", "evil.example"), ("X-Forwarded-Host", "hub.example.org"), ("Forwarded", "host=hub.example.org")];
    assert!(get("/user/ann/api/course", &forwarded).starts_with("HTTP/1.1 421"));
    // The secret stands in no log.
    let link = json!(serving.secret);
    assert!(!link.to_string().contains(secret), "{link}");
}
