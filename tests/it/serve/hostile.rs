//! Requests of those who should not get in: each hole that another tool had, and a lab that means harm. All are
//! refused, and no shell is started for any of them.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};
use tungstenite::Message;

use super::client::Serving;
use crate::harness::need;

const COURSE: &str = "/api/course";
const MAIN: &str = "/api/sessions/hostile/terminals/main";

/// What other origins a page of an attacker's may have.
fn other_origins(serving: &Serving) -> Vec<String> {
    let port = serving.port;
    vec![
        "http://evil.example".to_owned(),
        // By prefix, by suffix, by another port or scheme, by an address.
        format!("http://127.0.0.1:{port}.evil.example"),
        format!("http://evil127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}0"),
        "http://127.0.0.1".to_owned(),
        format!("https://127.0.0.1:{port}"),
        "http://10.1.2.3".to_owned(),
        format!("http://10.1.2.3:{port}"),
        "null".to_owned(),
        String::new(),
        "*".to_owned(),
    ]
}

#[test]
fn requests_without_the_secret_or_of_other_pages_are_refused() {
    let serving = Serving::start(&["--present"]);
    let (host, origin) = (serving.host(), serving.origin());
    let bearer = format!("Bearer {}", serving.secret);
    let json_type = ("Content-Type", "application/json");
    let ok = serving.send("GET", COURSE, &[("Host", &host), ("Authorization", &bearer)], "");
    assert_eq!(ok.status, 200, "{}", ok.body);

    // No secret, another, part of it, in other places.
    let cookie = format!("secret={0}; token={0}; keywitness={0}", serving.secret);
    for header in [
        ("Accept", "*/*"),
        ("Authorization", "Bearer 0123456789abcdef0123456789abcdef0123456789a"),
        ("Authorization", &bearer[..bearer.len() - 1]),
        ("Authorization", &serving.secret),
        ("Cookie", &cookie),
        ("Sec-Fetch-Site", "same-origin"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Real-IP", "127.0.0.1"),
        ("X-Forwarded-User", "admin"),
    ] {
        let reply = serving.send("GET", COURSE, &[("Host", &host), header], "");
        assert_eq!((reply.status, reply.body.contains("labs")), (401, false), "{header:?}: {}", reply.body);
    }
    let in_line = format!("{COURSE}?secret={0}&token={0}&access_token={0}", serving.secret);
    assert_eq!(serving.send("GET", &in_line, &[("Host", &host)], "").status, 401);

    // Another name: a page whose name was made to lead here. The secret does not help it.
    for name in ["evil.example", "evil.example:80", "127.0.0.1", "0.0.0.0:80", &format!("{host}.evil.example"), ""] {
        let reply = serving.send("GET", COURSE, &[("Host", name), ("Authorization", &bearer)], "");
        assert_eq!(reply.status, 421, "{name}: {}", reply.body);
        assert_ne!(serving.send("GET", "/", &[("Host", name)], "").status, 200, "{name}");
    }
    assert_ne!(serving.send("GET", COURSE, &[("Authorization", &bearer)], "").status, 200);
    let in_line =
        serving.send("GET", "http://evil.example/api/course", &[("Host", &host), ("Authorization", &bearer)], "");
    assert_eq!(in_line.status, 421);

    // Another page with the secret, and one without an origin that writes.
    for other in other_origins(&serving) {
        let headers = [("Host", host.as_str()), ("Origin", &other), ("Authorization", &bearer)];
        assert_eq!(serving.send("GET", COURSE, &headers, "").status, 403, "{other}");
        let headers = [&headers[..], &[json_type]].concat();
        assert_eq!(serving.send("POST", "/api/open", &headers, "{\"lab\": \"first-look\"}").status, 403, "{other}");
    }
    let blind = [("Host", host.as_str()), ("Authorization", &bearer), json_type];
    assert_eq!(serving.send("POST", "/api/open", &blind, "{\"lab\": \"first-look\"}").status, 403);
    // What a form of another page can send.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""] {
        let headers =
            [("Host", host.as_str()), ("Origin", &origin), ("Authorization", &bearer), ("Content-Type", kind)];
        assert_eq!(serving.send("POST", "/api/open", &headers, "{\"lab\": \"first-look\"}").status, 415, "{kind}");
    }
    // No other page is told that it may ask.
    let asked = serving.send(
        "OPTIONS",
        COURSE,
        &[("Host", &host), ("Origin", "http://evil.example"), ("Access-Control-Request-Method", "GET")],
        "",
    );
    assert!(asked.status >= 400 && asked.header("Access-Control-Allow-Origin").is_none());
    assert!(ok.header("Access-Control-Allow-Origin").is_none());

    // The link that looks on asks nothing and does not learn the other secret.
    let looks_on = format!("Bearer {}", serving.present.as_ref().expect("a second secret"));
    let headers = [("Host", host.as_str()), ("Origin", &origin), ("Authorization", &looks_on), json_type];
    for path in [
        "/api/open",
        "/api/sessions/x/ask",
        "/api/sessions/x/run",
        "/api/sessions/x/close",
        "/api/sessions/x/terminals",
    ] {
        assert_eq!(serving.send("POST", path, &headers, "{\"lab\": \"first-look\"}").status, 403, "{path}");
    }
    assert_eq!(serving.send("GET", COURSE, &headers[..3], "").status, 200);
    let link = serving.send("GET", "/api/present", &headers[..3], "");
    assert!(link.status == 404 && !link.body.contains(&serving.secret), "{}", link.body);

    // Nothing was begun by any of it.
    assert!(serving.get(COURSE).json()["labs"].as_array().expect("labs").iter().all(|lab| lab["session"].is_null()));
}

#[test]
fn files_come_from_the_table_with_a_policy_and_no_path_leaves_it() {
    let serving = Serving::start(&[]);
    let host = serving.host();
    let get = |path: &str| serving.send("GET", path, &[("Host", &host)], "");
    for path in ["/", "/lab", "/lab?lab=first-look"] {
        let page = get(path);
        assert_eq!(page.status, 200);
        let policy = page.header("Content-Security-Policy").expect("a policy");
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(page.header("Referrer-Policy"), Some("no-referrer"));
        assert!(page.header("Set-Cookie").is_none());
        assert!(
            !page.body.contains(&serving.secret) && !page.body.contains("first-look"),
            "nothing of a lab or a secret"
        );
    }
    for path in [
        "/assets/../secret.rs",
        "/assets/..%2fsecret.rs",
        "/assets/%2e%2e/secret.rs",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/",
        "/assets/index.html%00",
        "/../../etc/passwd",
        "//etc/passwd",
    ] {
        assert_eq!(get(path).status, 404, "{path}");
    }
    assert_eq!(get("/api/../api/course").status, 401);
}

#[test]
fn what_is_too_large_or_too_slow_is_cut_off() {
    let serving = Serving::start(&[]);
    let large = json!({"lab": "x".repeat(100_000)});
    assert_eq!(serving.post("/api/open", &large).status, 413);
    // One that says how long it is and sends less.
    let mut slow = serving.connect();
    let head = format!(
        "POST /api/open HTTP/1.1\r\nHost: {}\r\nOrigin: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{{",
        serving.host(),
        serving.origin(),
        serving.secret
    );
    slow.write_all(head.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    drop(slow.read_to_string(&mut answer));
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let mut long = serving.connect();
    drop(long.write_all(
        format!("GET / HTTP/1.1\r\nHost: {}\r\nX: {}\r\n\r\n", serving.host(), "x".repeat(200_000)).as_bytes(),
    ));
    let mut answer = Vec::new();
    drop(long.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    // The server is there all the same.
    assert_eq!(serving.get(COURSE).status, 200);
}

/// A lab that wants to run something in the page, and to show files that are not its own.
const HOSTILE: &str = r#"---
title: Hostile <script>alert(0)</script>
clusters: [sandbox]
---
# Hostile

<script>alert(1)</script>

<img src=x onerror=alert(1)> ![p](../outside.png) ![q](javascript:alert(1)) ![in](inside.svg)

[a](javascript:alert(1)) <a href="javascript:alert(1)">b</a>

## Do it

<iframe srcdoc="<script>alert(1)</script>"></iframe>

<details ontoggle=alert(1)><summary onclick=alert(1)>More</summary>

x

</details>

```bash {name=make}
kubectl create namespace x
```

```check
key /registry/namespaces/x exists
```
"#;

#[test]
fn sockets_and_labs_that_mean_harm_get_nothing_and_start_no_shell() {
    need!("etcd", "kubectl");
    let home = tempfile::tempdir().expect("a folder");
    let lab = home.path().join("course/hostile");
    std::fs::create_dir_all(&lab).expect("a folder");
    std::fs::write(lab.join("README.md"), HOSTILE).expect("written");
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    for file in ["inside.svg", "notes.txt", "../outside.png"] {
        std::fs::write(lab.join(file), svg).expect("written");
    }
    std::os::unix::fs::symlink("../outside.png", lab.join("link.png")).expect("a link");
    std::os::unix::fs::symlink("..", lab.join("up")).expect("a link");
    let serving = Serving::at(home.path(), &["course", "--present"]);
    let page = serving.open("hostile");
    let html = format!("{}{}", page["intro_html"], page["step"]["html"]).to_lowercase();
    for bad in ["<script", "<iframe", "onerror", "ontoggle", "onclick", "href=\\\"javascript", "src=x", "../outside"] {
        assert!(!html.contains(bad), "{bad} in {html}");
    }

    let picture = |path: &str| serving.get(&format!("/api/sessions/hostile/picture?path={path}"));
    let inside = picture("inside.svg");
    assert_eq!((inside.status, inside.header("Content-Type")), (200, Some("image/svg+xml")));
    assert!(
        inside.header("Content-Security-Policy").is_some_and(|policy| policy.contains("sandbox; default-src 'none'"))
    );
    for path in [
        "../outside.png",
        "..%2foutside.png",
        "%2e%2e/outside.png",
        "up/outside.png",
        "link.png",
        "/etc/hostname",
        "%2fetc%2fpasswd",
        "notes.txt",
        "README.md",
        "../../.state/x.png",
        "file:///etc/passwd",
        "inside.svg%00.png",
    ] {
        let reply = picture(path);
        assert_eq!((reply.status, reply.body.contains("svg")), (404, false), "{path}");
    }
    let unknown =
        serving.send("GET", "/api/sessions/hostile/picture?path=inside.svg", &[("Host", &serving.host())], "");
    assert_eq!(unknown.status, 401);

    sockets(&serving);

    // Of all that nothing has started a shell.
    let page = serving.page("hostile");
    assert_eq!(page["terminals"], json!([{"name": "main", "title": "Terminal", "open": false}]), "{page:#}");
    let children =
        std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", serving.process())).unwrap_or_default();
    for child in children.split_whitespace() {
        let command = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        assert!(!command.starts_with(b"bash"), "a shell runs: {}", String::from_utf8_lossy(&command));
    }
    // A page of ours gets one.
    let mut terminal = serving.terminal("hostile", "main", 0);
    terminal.until("1/1)");
}

fn sockets(serving: &Serving) {
    let (host, origin) = (serving.host(), serving.origin());
    let bearer = format!("Bearer {}", serving.secret);
    let refused = |headers: &[(&str, &str)]| serving.socket(MAIN, headers).err();
    // Without an origin, with another, under another name; whatever else it shows.
    assert_eq!(refused(&[("Host", &host)]), Some(403));
    assert_eq!(refused(&[("Host", &host), ("Authorization", &bearer)]), Some(403));
    assert_eq!(refused(&[("Host", &host), ("Cookie", &format!("secret={}", serving.secret))]), Some(403));
    assert_eq!(refused(&[("Host", &host), ("X-Forwarded-Host", &host), ("X-Forwarded-For", "127.0.0.1")]), Some(403));
    for other in other_origins(serving) {
        assert_eq!(refused(&[("Host", &host), ("Origin", &other), ("Authorization", &bearer)]), Some(403), "{other}");
        assert_eq!(refused(&[("Host", &host), ("Origin", &other), ("Sec-Fetch-Site", "same-origin")]), Some(403));
    }
    assert_eq!(refused(&[("Host", "evil.example"), ("Origin", &origin)]), Some(421));
    assert_eq!(refused(&[("Host", "evil.example"), ("Origin", "http://evil.example")]), Some(421));

    // With an origin of ours, but no secret in the first frame.
    let socket = || serving.socket(MAIN, &[("Host", &host), ("Origin", &origin)]).expect("a socket");
    let secret_of = |secret: &str| json!({"secret": secret, "rows": 24, "cols": 80, "from": 0}).to_string();
    let firsts = [
        Message::Text(secret_of("").into()),
        Message::Text(secret_of(&serving.secret[1..]).into()),
        Message::Text("{}".into()),
        Message::Text("ls\n".into()),
        Message::Binary(b"ls\n".to_vec().into()),
        Message::Binary(secret_of(&serving.secret).into_bytes().into()),
        // The right one, with a frame that is too large, and one that no frame may be.
        Message::Text(format!("{}{}", secret_of(&serving.secret), " ".repeat(5000)).into()),
        Message::Text("x".repeat(200_000).into()),
        Message::Close(None),
    ];
    for first in firsts {
        let mut socket = socket();
        let what = format!("{first:?}").chars().take(120).collect::<String>();
        drop(socket.send(first));
        let mut told = Vec::new();
        while let Some(message) = socket.read() {
            assert!(!matches!(message, Message::Binary(_)), "a terminal answers {what}");
            told.push(message);
        }
        assert!(!told.iter().any(|message| message.to_string().contains("\"at\"")), "{what}: {told:?}");
    }
    // One that says nothing is not waited for.
    let mut silent = socket();
    let why = silent.told();
    assert!(why["error"].as_str().is_some_and(|why| why.contains("5 s")), "{why}");

    // Who looks on types nothing, and starts nothing.
    let mut looker = socket();
    looker.say(&json!({"secret": serving.present, "rows": 24, "cols": 80, "from": 0}));
    let told: Value = looker.told();
    assert!(told["error"].is_string(), "{told}");
}
