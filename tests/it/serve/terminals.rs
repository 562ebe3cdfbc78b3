//! Terminals that belong to the server: pages come, go, come back, and share them.

use std::time::{Duration, Instant};

use serde_json::json;

use super::client::Serving;
use crate::harness::need;

#[test]
fn a_terminal_outlives_its_pages_and_is_shared_by_them() {
    need!("etcd", "kubectl");
    let serving = Serving::start(&["--present"]);
    serving.open("first-look");
    let mut one = serving.terminal("first-look", "main", 0);
    one.until("1/");
    one.types("echo first-$((40 + 2))\r");
    one.until("first-42");
    let at = one.at;

    // The socket is cut; what comes meanwhile is shown to the page that comes back, once.
    drop(one);
    let mut other = serving.terminal("first-look", "main", 0);
    let all = other.until("first-42");
    assert!(all.contains("echo first-"), "{all}");
    other.types("echo second-$((40 + 3))\r");
    other.until("second-43");
    let mut one = serving.terminal("first-look", "main", at);
    let new = one.until("second-43");
    assert!(!new.contains("first-42"), "what was shown before comes again: {new}");

    // Two pages on one terminal, and one that looks on.
    let looks_on = serving.present.clone().expect("a second secret");
    let path = "/api/sessions/first-look/terminals/main";
    let mut looker =
        serving.socket(path, &[("Host", &serving.host()), ("Origin", &serving.origin())]).expect("a socket");
    looker.say(&json!({"secret": looks_on, "rows": 10, "cols": 40, "from": 0}));
    looker.until("second-43");
    one.types("stty size; echo third-$((40 + 4))\r");
    for page in [&mut one, &mut other, &mut looker] {
        let shown = page.until("third-44\r\n");
        assert!(shown.contains("30 100"), "who looks on sets no size: {shown}");
    }
    looker.types("echo sneaked-$((40 + 5))\r");
    looker.say(&json!({"resize": {"rows": 11, "cols": 41}}));
    one.say(&json!({"resize": {"rows": 20, "cols": 90}}));
    one.types("stty size; echo fourth-$((40 + 6))\r");
    let shown = one.until("fourth-46\r\n");
    assert!(shown.contains("20 90") && !shown.contains("sneaked"), "{shown}");

    // A block that is typed while a command runs comes after it.
    one.types("echo runs-$((40 + 1)); sleep 1; echo slept-$((40 + 7))\r");
    one.until("runs-41");
    let ran = serving.post("/api/sessions/first-look/run", &json!({"block": "find"})).json();
    assert_eq!(ran["typed"]["terminal"], "main", "{ran}");
    let shown = one.until("component=etcd");
    assert!(shown.contains("slept-47"), "{shown}");
    one.until("etcd-");

    // One more, by its name; and its end.
    let opened = serving.post("/api/sessions/first-look/terminals", &json!({"name": "side"}));
    assert_eq!(opened.status, 200, "{}", opened.body);
    for bad in ["", "../x", "a/b", ".x", &"x".repeat(65)] {
        let reply = serving.post("/api/sessions/first-look/terminals", &json!({"name": bad}));
        assert_eq!(reply.status, 400, "{bad}: {}", reply.body);
    }
    let mut side = serving.terminal("first-look", "side", 0);
    side.until("1/");
    let mut events = serving.stream("/api/sessions/first-look/events", None);
    side.types("exit\r");
    loop {
        let told = side.step().expect("it is told");
        if !told["closed"].is_null() {
            break;
        }
    }
    // What ran in it has ended with it; with which status, nobody knows.
    events.until(|event| event["event"] == "terminal_left" && event["terminal"] == "side");
    let line = serving.get("/api/sessions/first-look/timeline").json();
    let of_side = |command: &&serde_json::Value| command["terminal"] == "side";
    let exit = line["commands"].as_array().expect("commands").iter().rfind(of_side).expect("the last command");
    assert!(exit["text"] == "exit" && exit["ended"].is_string() && exit["status"].is_null(), "{exit}");
    let page = serving.until("first-look", |page| page["terminals"].as_array().is_some_and(|list| list.len() == 1));
    assert_eq!(page["terminals"][0]["name"], "main");

    // The word of the learner's own shells is there, and answers of this session.
    one.types("lab list --plain\r");
    one.until("Find the etcd pod");
    for _ in 0..15 {
        assert_eq!(serving.post("/api/sessions/first-look/terminals", &json!({})).status, 200);
    }
    assert_eq!(serving.post("/api/sessions/first-look/terminals", &json!({})).status, 429);
}

#[test]
fn a_flood_waits_for_its_page_and_ctrl_c_gets_through() {
    need!("etcd", "kubectl");
    let serving = Serving::start(&[]);
    serving.open("first-look");
    let mut page = serving.terminal("first-look", "main", 0);
    page.until("1/");
    page.types("yes | head -c 200M\r");
    page.until("y\r\ny\r\n");
    for _ in 0..200 {
        page.step();
    }
    // The page stalls: what is printed waits, and not in the server's memory.
    let before = memory(&serving);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let grown = memory(&serving).saturating_sub(before);
    assert!(grown < 30 << 20, "{grown} bytes more");
    page.types("\x03");
    page.types("echo after-$((40 + 2))\r");
    page.until("after-42");
    let began = page.at;
    assert!(began < 200 << 20, "it was ended, and not waited for: {began}");
}

/// Of the server, in bytes.
fn memory(serving: &Serving) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", serving.process())).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("its memory");
    let kilobytes: u64 = line.split_whitespace().nth(1).and_then(|count| count.parse().ok()).expect("a number");
    kilobytes * 1024
}
