//! What a container would answer a probe. Nothing runs here: commands are followed, well-known servers listen where
//! they do, and of what is not known it is taken that it answers as meant.

use serde_json::Value;

use super::run::Run;
use super::shell::{End, Found, absolute, name_of};
use crate::runtime::meta;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Good { for_ever: bool },
    Bad(String),
}

const GOOD: Answer = Answer::Good { for_ever: true };
/// A server's first seconds, of the lesson whose server is well for ten.
const WELL_FOR: i64 = 10;

/// `at` is in seconds since the container's start.
pub(super) fn answer(spec: &Value, run: &Run, probe: &Value, address: &str, at: i64) -> Answer {
    if let Some(asked) = probe.get("exec") {
        return exec(run, asked, meta::int(&probe["timeoutSeconds"], 1), at);
    }
    let fields = ["httpGet", "tcpSocket", "grpc"];
    let Some(field) = fields.into_iter().find(|field| probe.get(*field).is_some()) else { return GOOD };
    let asked = &probe[field];
    let Some(port) = port(spec, &asked["port"]) else { return GOOD };
    let listens = run.listens().is_none_or(|ports| ports.contains(&port));
    if field == "grpc" {
        let answers =
            run.facts.as_ref().is_none_or(|facts| facts.grpc.contains(&port) || is_agnhost(run) && port == 5000);
        return if listens && answers {
            GOOD
        } else {
            let seconds = meta::int(&probe["timeoutSeconds"], 1);
            Answer::Bad(format!(
                "timeout: failed to connect service \"{address}:{port}\" within {seconds}s: context deadline exceeded"
            ))
        };
    }
    if !listens {
        let host = asked["host"].as_str().filter(|host| !host.is_empty()).unwrap_or(address);
        let refused = format!("dial tcp {host}:{port}: connect: connection refused");
        if field == "tcpSocket" {
            return Answer::Bad(refused);
        }
        let scheme = asked["scheme"].as_str().unwrap_or("HTTP").to_lowercase();
        let path = asked["path"].as_str().unwrap_or("/");
        return Answer::Bad(format!("Get \"{scheme}://{host}:{port}{path}\": {refused}"));
    }
    if field == "httpGet" { page(run, asked["path"].as_str().unwrap_or("/"), at) } else { GOOD }
}

fn is_agnhost(run: &Run) -> bool {
    run.line.first().is_some_and(|program| name_of(program) == "agnhost")
}

/// What a web server answers for a path.
fn page(run: &Run, path: &str, at: i64) -> Answer {
    let liveness = is_agnhost(run) && run.line.get(1).is_some_and(|word| word == "liveness")
        || run.line.first().is_some_and(|program| program == "/server");
    if liveness && path.starts_with("/healthz") {
        return if at > WELL_FOR {
            Answer::Bad("HTTP probe failed with statuscode: 500".to_owned())
        } else {
            Answer::Good { for_ever: false }
        };
    }
    let root = match run.played.serves.as_ref().and_then(|line| line.first()).map(|program| name_of(program)) {
        Some("nginx") => "/usr/share/nginx/html",
        Some("httpd" | "httpd-foreground") => "/usr/local/apache2/htdocs",
        _ => return GOOD,
    };
    let path = path.split(['?', '#']).next().unwrap_or(path);
    if run.facts.is_none() || run.own_files || ["/", "", "/index.html"].contains(&path) {
        return GOOD;
    }
    match run.files().find(&absolute(path.trim_start_matches('/'), root), run.world.start + at * 1000) {
        Found::Text(_) | Found::There | Found::Folder => Answer::Good { for_ever: false },
        // The image brings one page, and one for errors.
        Found::Unknown if path == "/50x.html" => GOOD,
        _ => Answer::Bad("HTTP probe failed with statuscode: 404".to_owned()),
    }
}

/// A port by its number, or by its name in the container.
fn port(spec: &Value, port: &Value) -> Option<i64> {
    if let Some(number) = port.as_i64() {
        return Some(number);
    }
    let name = port.as_str()?;
    let named = spec["ports"].as_array().into_iter().flatten().find(|held| held["name"] == name);
    named.map_or_else(|| name.parse().ok(), |held| held["containerPort"].as_i64())
}

/// The words of a command that a probe or a hook runs.
pub(super) fn command(asked: &Value) -> Vec<String> {
    asked["command"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn exec(run: &Run, asked: &Value, timeout: i64, at: i64) -> Answer {
    let words = command(asked);
    if let Some(program) = words.first()
        && run.world.programs.has(program) == Some(false)
    {
        return Answer::Bad(format!(
            "rpc error: code = Unknown desc = failed to exec in container: failed to start exec: OCI runtime exec failed: exec \
             failed: unable to start container process: exec: \"{program}\": executable file not found in $PATH"
        ));
    }
    let begun = run.world.start + at * 1000;
    let played = run.beside(&words, begun);
    match played.end {
        End::At { at, code: 0 } if at - begun < timeout * 1000 => {
            // What depends on no file and no other thing is as well for ever.
            Answer::Good {
                for_ever: run.besides.is_empty()
                    && run.played.changes.is_empty()
                    && run.shares.is_empty()
                    && !asks_files(&words),
            }
        }
        End::At { at, code } if code != 0 && at - begun < timeout * 1000 => {
            Answer::Bad(played.printed.iter().map(|piece| piece.text.as_str()).collect())
        }
        End::Open { .. } => Answer::Good { for_ever: false },
        _ => Answer::Bad(format!("command timed out: \"{}\" timed out after {timeout}s", words.join(" "))),
    }
}

/// Somebody may make the file later, by a command of their own.
fn asks_files(words: &[String]) -> bool {
    words.iter().any(|word| word.contains('/') || word.contains("date"))
}
