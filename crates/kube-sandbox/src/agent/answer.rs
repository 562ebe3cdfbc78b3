//! What a container would answer a probe. Nothing runs here: plain commands are foreseen, files that a script makes
//! and removes are known, well-known servers listen where they do.

use serde_json::Value;

use super::command::{self, Course};
use super::image;
use super::life::Container;
use crate::controllers::meta;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Good { for_ever: bool },
    Bad(String),
}

const GOOD: Answer = Answer::Good { for_ever: true };

/// `at` is in seconds since the container's start.
pub(super) fn answer(container: &Container, probe: &Value, address: &str, at: i64) -> Answer {
    if let Some(asked) = probe.get("exec") {
        let words: Vec<&str> = asked["command"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        return exec(container, &words, meta::int(&probe["timeoutSeconds"], 1), at);
    }
    let (field, scheme) = if probe.get("httpGet").is_some() { ("httpGet", "http") } else { ("tcpSocket", "") };
    let Some(asked) = probe.get(field) else { return GOOD };
    let Some(port) = port(container, &asked["port"]) else { return GOOD };
    if !listens(container, port) {
        let host = asked["host"].as_str().filter(|host| !host.is_empty()).unwrap_or(address);
        let refused = format!("dial tcp {host}:{port}: connect: connection refused");
        if scheme.is_empty() {
            return Answer::Bad(refused);
        }
        let scheme = asked["scheme"].as_str().unwrap_or("HTTP").to_lowercase();
        let path = asked["path"].as_str().unwrap_or("/");
        return Answer::Bad(format!("Get \"{scheme}://{host}:{port}{path}\": {refused}"));
    }
    let path = asked["path"].as_str().unwrap_or("/");
    if field == "httpGet" && is_plain_web_server(container) && !["/", "", "/index.html"].contains(&path) {
        return Answer::Bad("HTTP probe failed with statuscode: 404".to_owned());
    }
    GOOD
}

/// A port by its number, or by its name in the container.
fn port(container: &Container, port: &Value) -> Option<i64> {
    if let Some(number) = port.as_i64() {
        return Some(number);
    }
    let name = port.as_str()?;
    let named = container.spec["ports"].as_array().into_iter().flatten().find(|held| held["name"] == name);
    named.map_or_else(|| name.parse().ok(), |held| held["containerPort"].as_i64())
}

/// Where servers listen as their images come.
const LISTEN: [(&str, i64); 12] = [
    ("nginx", 80),
    ("httpd", 80),
    ("caddy", 80),
    ("redis", 6379),
    ("mysql", 3306),
    ("mariadb", 3306),
    ("postgres", 5432),
    ("mongo", 27017),
    ("memcached", 11211),
    ("tomcat", 8080),
    ("rabbitmq", 5672),
    ("nginx-unprivileged", 8080),
];

/// Nothing is known of a server that was given a command, variables or files of its own: it is taken to do as meant.
fn is_as_it_comes(container: &Container) -> bool {
    let none = |field: &str| container.spec[field].as_array().is_none_or(Vec::is_empty);
    let mounts = container.spec["volumeMounts"].as_array().into_iter().flatten();
    let own = mounts.filter(|mount| !meta::text(mount, "/mountPath").starts_with("/var/run/secrets/")).count();
    none("command") && none("args") && own == 0
}

fn listens(container: &Container, port: i64) -> bool {
    if command::only_waits(&container.words("command"), &container.words("args")) {
        return false;
    }
    let known = LISTEN.iter().find(|(name, _)| *name == image::repository(container.image()));
    !is_as_it_comes(container) || known.is_none_or(|(_, own)| *own == port)
}

fn is_plain_web_server(container: &Container) -> bool {
    is_as_it_comes(container) && ["nginx", "httpd"].contains(&image::repository(container.image()))
}

fn exec(container: &Container, words: &[&str], timeout: i64, at: i64) -> Answer {
    if let Some(path) = file_asked_for(words) {
        let line: Vec<&str> = container.words("command").into_iter().chain(container.words("args")).collect();
        let (there, for_ever) = match command::file_at(&line, path, at) {
            Some(there) => (there, false),
            None => (!path.starts_with("/tmp/"), true),
        };
        if there {
            return Answer::Good { for_ever };
        }
        let program = words[0].rsplit('/').next().unwrap_or(words[0]);
        let said = match (program, image::repository(container.image())) {
            ("cat", "busybox" | "alpine") => format!("cat: can't open '{path}': No such file or directory\n"),
            ("cat", _) => format!("cat: {path}: No such file or directory\n"),
            ("ls", "busybox" | "alpine") => format!("ls: {path}: No such file or directory\n"),
            ("ls", _) => format!("ls: cannot access '{path}': No such file or directory\n"),
            _ => String::new(),
        };
        return Answer::Bad(said);
    }
    match command::foresee("", words, &[], true) {
        Course::Exits { code: 0, after } if i64::try_from(after.as_secs()).is_ok_and(|after| after < timeout) => GOOD,
        Course::Exits { code, after } if code != 0 && after.is_zero() => Answer::Bad(String::new()),
        _ => Answer::Bad(format!("command timed out: \"{}\" timed out after {timeout}s", words.join(" "))),
    }
}

/// The file whose presence is all that a command asks for.
fn file_asked_for<'a>(words: &[&'a str]) -> Option<&'a str> {
    match words {
        ["sh" | "/bin/sh" | "bash" | "/bin/bash", "-c", script] => {
            let mut words = script.split_whitespace();
            let found = [words.next()?, words.next()?];
            let (third, fourth) = (words.next(), words.next());
            match (found, third, fourth) {
                (["cat" | "ls", path], None, None)
                | (["test", "-f" | "-e"], Some(path), None)
                | (["[", "-f" | "-e"], Some(path), Some("]")) => Some(path),
                _ => None,
            }
        }
        ["cat" | "/bin/cat" | "ls" | "/bin/ls", path] | ["test", "-f" | "-e", path] | ["[", "-f" | "-e", path, "]"] => {
            Some(path)
        }
        _ => None,
    }
}
