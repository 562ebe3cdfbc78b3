//! The runs of containers under way: what each was started with and what it is taken to do, for probes, for those
//! who share its files, and for whoever asks for its logs or runs a command in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::images::Facts;
use super::shell::{self, Change, End, Files, Piece, Played, What, World};
use crate::runtime::{Key, meta};

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

/// The current and the last run of each container, by pod and name.
#[derive(Debug, Clone, Default)]
pub struct Runs(Arc<Mutex<HashMap<(Arc<str>, String), Vec<Run>>>>, Wakers, Kept);

/// What pods that are gone left in volumes that stay.
type Kept = Arc<Mutex<HashMap<String, Vec<Change>>>>;

/// More volumes, or more changes of one, are not remembered.
const MOST_KEPT: usize = 1000;

/// Whether a volume is there for other pods too: a folder of the node, or a claim.
fn stays(volume: &str) -> bool {
    volume.contains(':')
}

/// Who is to look at a pod when somebody ended a run of it.
#[derive(Clone, Default)]
struct Wakers(Arc<Mutex<Vec<Box<dyn Fn(Key) + Send + Sync>>>>);

impl std::fmt::Debug for Wakers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wakers")
    }
}

impl Run {
    pub(crate) fn new(line: Vec<String>, world: World, facts: Option<Arc<Facts>>) -> Self {
        let played = play(&line, &world, facts.as_deref());
        Self {
            id: String::new(),
            line,
            world,
            facts,
            played,
            besides: Vec::new(),
            ended: None,
            shares: Vec::new(),
            own_files: false,
        }
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
    fn changes_in(&self, mount: &str, upto: i64) -> Vec<Change> {
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

    pub(crate) fn printed(&self, upto: i64) -> impl Iterator<Item = &Piece> {
        let last = self.ended.map_or(upto, |ended| ended.min(upto));
        self.played.printed.iter().filter(move |piece| piece.at <= last)
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
        if !facts.programs.serves(program) || self.own_files {
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

impl Runs {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<(Arc<str>, String), Vec<Run>>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `wake` is called with the pod of which a run was ended.
    pub(crate) fn woken(&self, wake: impl Fn(Key) + Send + Sync + 'static) {
        self.1.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(wake));
    }

    /// Whoever types into the first process of a container has ended it.
    pub(crate) fn end(&self, pod: &Key, uid: &str, container: &str, id: &str, end: End) {
        self.change(uid, container, id, |run| run.played.end = end);
        for wake in self.1.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            wake(pod.clone());
        }
    }

    pub(super) fn begin(&self, uid: &Arc<str>, container: &str, run: Run) {
        self.with(|runs| {
            let held = runs.entry((Arc::clone(uid), container.to_owned())).or_default();
            held.push(run);
            // The current one and the one before.
            while held.len() > 2 {
                held.remove(0);
            }
        });
    }

    pub(super) fn forget(&self, uid: &str) {
        let gone: Vec<Run> = self.with(|runs| {
            let gone = runs.extract_if(|(held, _), _| &**held == uid);
            gone.flat_map(|(_, runs)| runs).collect()
        });
        let mut kept = self.2.lock().unwrap_or_else(PoisonError::into_inner);
        for run in gone {
            for (volume, mount) in run.shares.iter().filter(|(volume, _)| stays(volume)) {
                let changes = run.changes_in(mount, jiff::Timestamp::now().as_millisecond());
                if changes.is_empty() || kept.len() >= MOST_KEPT && !kept.contains_key(volume) {
                    continue;
                }
                let held = kept.entry(volume.clone()).or_default();
                held.extend(changes);
                held.sort_by_key(|change| change.at);
                held.drain(..held.len().saturating_sub(MOST_KEPT));
            }
        }
    }

    pub(crate) fn current(&self, uid: &str, container: &str, id: &str) -> Option<Run> {
        self.with(|runs| {
            runs.get(&(Arc::from(uid), container.to_owned()))?.iter().rev().find(|run| run.id == id).cloned()
        })
    }

    /// Changes the run in place, if it is there.
    pub(crate) fn change<T>(
        &self,
        uid: &str,
        container: &str,
        id: &str,
        work: impl FnOnce(&mut Run) -> T,
    ) -> Option<T> {
        self.with(|runs| {
            let held = runs.get_mut(&(Arc::from(uid), container.to_owned()))?;
            held.iter_mut().rev().find(|run| run.id == id).map(work)
        })
    }

    /// What runs other than one did to a volume, as paths within it: those of the pod, and where the volume is there
    /// for other pods too, theirs.
    pub(super) fn shared(&self, uid: &str, but: &str, volume: &str) -> Vec<Change> {
        let stays = stays(volume);
        let mut found = Vec::new();
        if stays {
            let kept = self.2.lock().unwrap_or_else(PoisonError::into_inner);
            found.extend(kept.get(volume).cloned().unwrap_or_default());
        }
        self.with(|runs| {
            let others = runs.iter().filter(|((held, _), _)| stays || &**held == uid);
            for run in others.flat_map(|(_, runs)| runs).filter(|run| run.id != but) {
                if let Some((_, mount)) = run.shares.iter().find(|(name, _)| name == volume) {
                    found.extend(run.changes_in(mount, i64::MAX));
                }
            }
        });
        found.sort_by_key(|change| change.at);
        found
    }
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
        let whole: String = run.printed(at).map(|piece| piece.text.as_str()).collect();
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        let last = lines[lines.len().saturating_sub(80)..].concat();
        let start = last.len().saturating_sub(2048);
        let start = (start..=last.len()).find(|at| last.is_char_boundary(*at)).unwrap_or(0);
        return last[start..].to_owned();
    }
    String::new()
}

/// The line that a container starts, as its spec and its image have it.
pub(super) fn line(
    spec: &Value,
    facts: Option<&Facts>,
    env: &std::collections::BTreeMap<String, String>,
) -> Vec<String> {
    let words = |field: &str| -> Vec<String> {
        let words = spec[field].as_array().into_iter().flatten().filter_map(Value::as_str);
        words.map(|word| filled(word, env)).collect()
    };
    let (command, args) = (words("command"), words("args"));
    if !command.is_empty() {
        return command.into_iter().chain(args).collect();
    }
    let Some(facts) = facts else { return args };
    if args.is_empty() {
        return facts.entry.iter().chain(&facts.run).cloned().collect();
    }
    if facts.entry.is_empty() && args[0].starts_with('-') {
        return facts.run.iter().take(1).cloned().chain(args).collect();
    }
    facts.entry.iter().cloned().chain(args).collect()
}

/// `$(NAME)` as Kubernetes fills it in; `$$` stands for one dollar.
pub(super) fn filled(text: &str, env: &std::collections::BTreeMap<String, String>) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$$") {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix("$(").and_then(|inner| inner.split_once(')')) {
            match env.get(name) {
                Some(value) => out.push_str(value),
                None => out.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            out.push('$');
            rest = &rest[1..];
        }
    }
    out + rest
}

/// A container that nobody started through the agent: what its spec alone says.
#[cfg(test)]
pub(super) fn of_spec(spec: &Value) -> Run {
    let facts = super::image::facts(meta::text(spec, "/image"));
    let line = line(spec, facts.as_deref(), &std::collections::BTreeMap::new());
    let programs = facts.as_ref().map(|facts| facts.programs.clone()).unwrap_or_default();
    let files = Files { known: facts.is_some(), ..Files::default() };
    Run::new(line, World { programs, files, start: 0, now: i64::MAX / 4, seed: 1, ..World::default() }, facts)
}

/// The text of a volume's file.
pub(super) fn file(path: String, text: Option<&str>) -> Change {
    Change { at: 0, path, what: text.map_or(What::There, |text| What::Text(text.to_owned())) }
}

pub(super) fn node_of(pod: &Value) -> &str {
    meta::text(pod, "/spec/nodeName")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line_of(spec: &Value) -> String {
        let facts = super::super::image::facts(spec["image"].as_str().unwrap_or_default());
        line(spec, facts.as_deref(), &std::collections::BTreeMap::from([("A".to_owned(), "b".to_owned())])).join(" ")
    }

    #[test]
    fn a_container_starts_what_its_image_and_its_spec_say() {
        assert_eq!(line_of(&json!({"image": "nginx"})), "nginx -g daemon off;");
        assert_eq!(line_of(&json!({"image": "nginx", "args": ["-t"]})), "nginx -t");
        assert_eq!(line_of(&json!({"image": "busybox", "args": ["echo", "$(A) $$(A) $(C)"]})), "echo b $(A) $(C)");
        assert_eq!(
            line_of(&json!({"image": "registry.k8s.io/e2e-test-images/agnhost:2.40", "args": ["liveness"]})),
            "/agnhost liveness"
        );
        assert_eq!(line_of(&json!({"image": "me/app", "command": ["/app"]})), "/app");
    }

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
