//! One run of one container: what it was started with, what it does by itself, and how it ends.

use std::sync::Arc;

use serde_json::Value;

use super::images::Facts;
use super::pages::{self, Serving};
use super::shell::{self, Asks, Change, End, Files, Page, Piece, Played, World};
#[cfg(test)]
use crate::runtime::meta;

/// One run of one container.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// By which the pod's status names it.
    pub(crate) id: String,
    pub(crate) line: Vec<String>,
    pub(crate) world: World,
    pub(crate) facts: Option<Arc<Facts>>,
    pub(crate) played: Played,
    /// What came to be in it besides: by a hook, or by somebody's command.
    pub(crate) besides: Vec<Change>,
    /// What it wrote of those who called it.
    pub(crate) heard: Vec<Piece>,
    pub(crate) ended: Option<i64>,
    /// By mount: where a volume that others have too lies in it.
    pub(crate) shares: Vec<(String, String)>,
    /// Whether something of its own was mounted into it.
    pub(crate) own_files: bool,
}

/// How a run ends that is told to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stopped {
    /// In milliseconds since 1970.
    pub(crate) at: i64,
    pub(crate) code: i32,
    /// All that it did then, where it did something about it.
    pub(crate) played: Option<Played>,
}

impl Run {
    pub(crate) fn new(line: Vec<String>, world: World, facts: Option<Arc<Facts>>) -> Self {
        let played = play(&line, &world, facts.as_deref());
        let (besides, heard, shares) = (Vec::new(), Vec::new(), Vec::new());
        Self { id: String::new(), line, world, facts, played, besides, heard, ended: None, shares, own_files: false }
    }

    /// The same, followed again from its start.
    pub(crate) fn anew(self) -> Self {
        let fresh = Self::new(self.line, self.world, self.facts);
        Self { shares: self.shares, own_files: self.own_files, ..fresh }
    }

    /// Follows it up to now, where it depended on what happens elsewhere.
    pub(crate) fn follow(&mut self, now: i64) {
        if matches!(self.played.end, End::Open { at } if at <= now) {
            self.world.now = now;
            self.world.files = self.files_of_start();
            self.played = play(&self.line, &self.world, self.facts.as_deref());
        }
    }

    fn files_of_start(&self) -> Files {
        let mut files = self.world.files.clone();
        files
            .changes
            .extend(self.besides.iter().filter(|change| !files.changes.contains(change)).cloned().collect::<Vec<_>>());
        files.changes.sort_by_key(|change| change.at);
        files
    }

    /// What it did below a folder until it ended, or up to a moment, as paths within the folder.
    pub(super) fn changes_in(&self, mount: &str, upto: i64) -> Vec<Change> {
        let upto = self.ended.unwrap_or(i64::MAX).min(upto);
        let done = self.played.changes.iter().chain(&self.besides).filter(|change| change.at <= upto);
        let within = |change: &Change| {
            let path = change.path.strip_prefix(mount.trim_end_matches('/'))?;
            path.starts_with('/').then(|| Change { path: path.to_owned(), ..change.clone() })
        };
        done.filter_map(within).collect()
    }

    /// All that is known of its files, with what it did itself.
    pub(crate) fn files(&self) -> Files {
        let mut files = self.files_of_start();
        files.changes.extend(self.played.changes.iter().cloned());
        files.changes.sort_by_key(|change| change.at);
        files
    }

    /// Another command in the same place, from a moment on.
    pub(crate) fn beside(&self, line: &[String], at: i64) -> Played {
        shell::play(&World { open: false, ..self.world_beside(at) }, line)
    }

    /// What a command finds that somebody starts beside it, and may type into.
    pub(crate) fn world_beside(&self, at: i64) -> World {
        World { files: self.files(), start: at, now: at, once: true, open: true, ..self.world.clone() }
    }

    /// Until when it runs by itself, and its status then.
    pub(crate) fn end(&self) -> &End {
        &self.played.end
    }

    fn serving(&self) -> Option<Serving<'_>> {
        let line = self.played.serves.as_deref()?;
        Some(Serving { world: &self.world, line, own_files: self.own_files })
    }

    /// Whether pages of it are known.
    pub(crate) fn is_known_server(&self) -> bool {
        self.serving().is_some_and(|serving| pages::is_known(&serving))
    }

    /// What it answers, and what it writes of it to its log; `None` where that is not known.
    pub(crate) fn page(&self, asks: &Asks<'_>, pod: &Value, client: &str, at: i64) -> Option<(Page, Option<Piece>)> {
        let serving = self.serving()?;
        let page = pages::page(&serving, &self.files(), asks, pod, at)?;
        let line = pages::heard(&serving, asks, &page, client, at);
        Some((page, line.map(|text| Piece { at, error: false, text })))
    }

    /// What it prints up to a moment; of a server that runs by itself its log, where that is known.
    pub(crate) fn printed(&self, upto: i64) -> Vec<Piece> {
        let last = self.ended.map_or(upto, |ended| ended.min(upto));
        let own = self.played.printed.iter().cloned();
        let begins = self.serving().and_then(|serving| pages::begins(&serving)).filter(|text| !text.is_empty());
        let begins = begins.map(|text| Piece { at: self.world.start, error: false, text });
        let mut all: Vec<Piece> = own.chain(begins).chain(self.heard.iter().cloned()).collect();
        all.retain(|piece| piece.at <= last);
        all.sort_by_key(|piece| piece.at);
        all
    }

    /// Whether all that it prints is known: of most servers that run by themselves it is not.
    pub(crate) fn speaks(&self) -> bool {
        !self.played.printed.is_empty() || self.serving().is_none_or(|serving| pages::begins(&serving).is_some())
    }

    /// How it ends when it is told to stop, with so many seconds to do it in.
    pub(crate) fn stopped(&self, at: i64, grace: i64) -> Stopped {
        let last = at.saturating_add(grace.saturating_mul(1000));
        let killed = Stopped { at: last, code: super::KILLED, played: None };
        if self.played.traps {
            let mut world = World { stopped: Some(at), now: last, ..self.world.clone() };
            world.files = self.files_of_start();
            let played = play(&self.line, &world, self.facts.as_deref());
            return match played.end {
                End::At { at: ends, code } if ends < last => Stopped { at: ends.max(at), code, played: Some(played) },
                _ => killed,
            };
        }
        match (self.when_stopped(), self.end()) {
            // It does not hear it, and may come to its own end meanwhile.
            (super::KILLED, End::At { at: ends, code }) if *ends < last => {
                Stopped { at: at.max(*ends), code: *code, played: None }
            }
            (super::KILLED, _) => killed,
            (code, _) => Stopped { at, code, played: None },
        }
    }

    /// Its status when it is told to stop: a first process without handlers of its own hears nothing and is killed.
    pub(super) fn when_stopped(&self) -> i32 {
        if let (Some(facts), Some(line)) = (&self.facts, &self.played.serves)
            && line.first().is_some_and(|program| facts.programs.serves(program))
        {
            return facts.ends;
        }
        let first = self.line.first().map_or("", |program| shell::name_of(program));
        let deaf = ["sh", "bash", "ash", "sleep", "tail", "cat", "watch", "yes", "stress", "zsh"];
        if deaf.contains(&first) { super::KILLED } else { 0 }
    }

    /// The ports at which somebody answers; `None` where that is not known.
    pub(crate) fn listens(&self) -> Option<Vec<i64>> {
        if matches!(self.played.end, End::At { .. }) {
            return Some(Vec::new());
        }
        let Some(line) = &self.played.serves else { return Some(Vec::new()) };
        let facts = self.facts.as_ref()?;
        let program = line.first()?;
        let name = shell::name_of(program);
        let given = || {
            line.iter().enumerate().find_map(|(at, word)| {
                let value = word.strip_prefix("--port=").or_else(|| word.strip_prefix("--http-port="));
                let value = value.or_else(|| word.strip_prefix("-port="));
                let next = || line.get(at + 1).map(String::as_str);
                let value = value
                    .or_else(|| if matches!(word.as_str(), "--port" | "-p" | "--http-port") { next() } else { None })?;
                value.rsplit(':').next()?.parse::<i64>().ok()
            })
        };
        if name == "agnhost" {
            let usual = match line.get(1).map(String::as_str) {
                Some("netexec" | "liveness" | "porter") => vec![8080],
                Some("serve-hostname") => vec![9376],
                Some("test-webserver") => vec![80],
                Some("grpc-health-checking") => vec![5000, 8080],
                _ => Vec::new(),
            };
            return Some(given().map_or(usual, |port| vec![port]));
        }
        if !facts.programs.serves(program) || self.serving().is_some_and(|serving| !pages::as_it_comes(&serving)) {
            return None;
        }
        if let Some(port) = given().or_else(|| self.world.env.get("PORT").and_then(|port| port.parse().ok())) {
            return Some(vec![port]);
        }
        let as_it_comes = line.len() <= facts.run.len().max(1) || line[1..] == facts.run[1.min(facts.run.len())..];
        (as_it_comes || line.len() <= 3).then(|| facts.listens.clone())
    }
}

/// What a container does: as its image comes, or as its command says.
fn play(line: &[String], world: &World, facts: Option<&Facts>) -> Played {
    let silent =
        |end, unknown, serves| Played { printed: Vec::new(), changes: Vec::new(), end, unknown, serves, traps: false };
    if line.is_empty() {
        // Nothing is known of what it does by itself.
        let end = if world.once { End::At { at: world.start, code: 0 } } else { End::Never };
        return silent(end, Some("what its image does by itself".to_owned()), Some(Vec::new()));
    }
    if let Some(needs) = facts.and_then(|facts| facts.needs.as_ref())
        && facts.is_some_and(|facts| facts.programs.serves(&line[0]))
        && !needs.any.iter().any(|name| world.env.get(name).is_some_and(|value| !value.is_empty()))
    {
        let said = Piece { at: world.start, error: true, text: needs.says.clone() };
        let end = End::At { at: world.start + 1000, code: 1 };
        return Played { printed: vec![said], ..silent(end, None, None) };
    }
    shell::play(world, line)
}

/// The text that stands in a container's termination message file.
pub(super) fn message(run: &Run, spec: &Value, code: i32, at: i64) -> String {
    const MOST: usize = 4096;
    let path = spec["terminationMessagePath"].as_str().unwrap_or("/dev/termination-log");
    let cut = |text: &str| {
        let mut end = text.len().min(MOST);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_owned()
    };
    if let shell::Found::Text(text) = run.files().find(path, at)
        && !text.is_empty()
    {
        return cut(&text);
    }
    if spec["terminationMessagePolicy"] == "FallbackToLogsOnError" && code != 0 {
        let whole: String = run.printed(at).iter().map(|piece| piece.text.as_str()).collect();
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        let last = lines[lines.len().saturating_sub(80)..].concat();
        let start = last.len().saturating_sub(2048);
        let start = (start..=last.len()).find(|at| last.is_char_boundary(*at)).unwrap_or(0);
        return last[start..].to_owned();
    }
    String::new()
}

/// A container that nobody started through the agent: what its spec alone says.
#[cfg(test)]
pub(super) fn of_spec(spec: &Value) -> Run {
    let facts = super::image::facts(meta::text(spec, "/image"));
    let line = super::line::line(spec, facts.as_deref(), &std::collections::BTreeMap::new());
    let programs = facts.as_ref().map(|facts| facts.programs.clone()).unwrap_or_default();
    let files = Files { known: facts.is_some(), ..Files::default() };
    Run::new(line, World { programs, files, start: 0, now: i64::MAX / 4, seed: 1, ..World::default() }, facts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn servers_listen_where_their_image_does() {
        let ports = |spec: Value| of_spec(&spec).listens();
        assert_eq!(ports(json!({"image": "nginx"})), Some(vec![80]));
        assert_eq!(ports(json!({"image": "redis", "args": ["--port", "7000"]})), Some(vec![7000]));
        assert_eq!(ports(json!({"image": "busybox", "command": ["sleep", "3600"]})), Some(vec![]));
        assert_eq!(ports(json!({"image": "me/app"})), None);
        assert_eq!(ports(json!({"image": "mysql"})), Some(vec![]), "without a password it ends");
        assert_eq!(of_spec(&json!({"image": "nginx"})).when_stopped(), 0);
        assert_eq!(of_spec(&json!({"image": "busybox", "command": ["sleep", "9"]})).when_stopped(), 137);
    }

    #[test]
    fn a_run_that_is_told_to_stop_ends_as_its_first_process_does() {
        let stopped = |line: &[&str]| {
            let stopped = of_spec(&json!({"image": "busybox", "command": line})).stopped(100_000, 30);
            (stopped.at, stopped.code)
        };
        let script = |script: &str| stopped(&["sh", "-c", script]);
        assert_eq!(stopped(&["sleep", "3600"]), (130_000, 137), "nothing hears it");
        assert_eq!(stopped(&["sleep", "110"]), (110_000, 0), "it ends by itself before it is killed");
        assert_eq!(script("while true; do sleep 5; done"), (130_000, 137));
        assert_eq!(script("trap 'exit 3' TERM; while true; do sleep 1; done"), (100_000, 3));
        assert_eq!(script("trap 'sleep 4; exit 0' SIGTERM; while true; do sleep 7; done"), (109_000, 0));
        assert_eq!(script("trap '' TERM; while true; do sleep 1; done"), (130_000, 137));
        assert_eq!(script("trap 'echo no' TERM; while true; do sleep 1; done"), (130_000, 137));
        assert_eq!(script("trap 'exit 3' TERM; sleep 3600"), (130_000, 137), "it waits for its command first");
        assert_eq!(script("trap 'exit 3' TERM; sleep 3600 & wait"), (100_000, 3));
        assert_eq!(script("bye() { echo bye; exit 5; }; trap bye TERM; sleep 3600 & wait $!"), (100_000, 5));
        assert_eq!(script("trap 'exit 3' TERM; trap - TERM; while true; do sleep 1; done"), (130_000, 137));
    }
}
