//! How a pod ends when it is deleted: signalled, stopped, reported over, then removed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::life::{Container, List, Spot, State};
use super::memory::End;
use super::run::{Run, Stopped};
use super::shell::End as Ended;
use super::{Agent, KILLED, Work, answer};
use crate::runtime::{Error, Next, PODS, Severity, meta};

/// To stop and to clear away containers takes a kubelet a moment, in which the pod's owner makes another: whoever
/// watches sees the new pod before the last of the old one.
const STOPPING: Duration = Duration::from_millis(80);
const CLEARING: Duration = Duration::from_millis(300);
/// In seconds: so long a container has at least, however little is left of the pod's grace.
const SHORTEST_STOP: i64 = 2;

impl Agent {
    pub(super) async fn stop(&self, work: &mut Work<'_>) -> Result<Next, Error> {
        // Already asked to go at once: only finalizers hold it, of those who want to see how it ended.
        let held = work.pod["metadata"]["deletionGracePeriodSeconds"] == 0;
        if !work.life.over() && !work.life.started.is_empty() {
            let runs = work.life.all().any(|container| matches!(container.state, State::Running { .. }));
            let stops = Arc::clone(&work.object.uid);
            if self.memory.starts(&stops, End::Seen) {
                self.tell_to_stop(work).await;
                self.before_stop(work).await;
            }
            // What waits for its image waits no longer.
            for container in work.life.main.iter_mut().filter(|container| container.id.is_empty()) {
                container.waits("ContainerCreating", "");
            }
            self.write(work).await?;
            // Who deletes it once more can only shorten its time, which begins anew then.
            let grace = meta::int(&work.pod["metadata"]["deletionGracePeriodSeconds"], 30);
            let (stopped_at, _) = self.memory.since(&stops, &format!("stops within {grace}"));
            if runs {
                let least = self.memory.lingers(&stops, End::Seen, STOPPING);
                if let Some(left) = self.until_all_stopped(work, stopped_at, grace).max(least) {
                    return Ok(Next::After(left));
                }
            }
            let ran = runs || work.life.main.iter().any(|container| !container.id.is_empty());
            if !ran {
                work.life.sandbox = false;
                self.write(work).await?;
            }
            self.end_all(work, stopped_at, grace);
            let failed = work.life.main.iter().any(|container| !container.done());
            if failed { "Failed" } else { "Succeeded" }.clone_into(&mut work.life.phase);
            work.life.sandbox = false;
            self.write(work).await?;
        }
        if held {
            return Ok(Next::Change);
        }
        if !self.memory.starts(&work.object.uid, End::Seen)
            && let Some(left) = self.memory.lingers(&work.object.uid, End::Over, CLEARING)
        {
            return Ok(Next::After(left));
        }
        let key = &work.object.key;
        let options = json!({"gracePeriodSeconds": 0});
        self.rest.delete(&PODS, &key.namespace, &key.name, &work.object.uid, options).await?;
        Ok(Next::Change)
    }

    /// Tells each running container to stop.
    pub(super) async fn tell_to_stop(&self, work: &Work<'_>) {
        for container in work.life.all().filter(|container| matches!(container.state, State::Running { .. })) {
            let message = format!("Stopping container {}", container.name());
            self.event(work, container.name(), Severity::Normal, "Killing", &message).await;
        }
    }

    /// How a running container ends that is told to stop at a moment, its hook first. `None` where nothing is left of
    /// what it was started with.
    fn stopped(&self, work: &Work<'_>, container: &Container, stopped_at: i64, grace: i64) -> Option<Stopped> {
        let run = self.runs.current(&work.object.uid, container.name(), &container.id)?;
        let whole = grace.saturating_mul(1000);
        let hook = hook_takes(&container.spec, &run, stopped_at).min(whole);
        Some(run.stopped(stopped_at + hook, ((whole - hook) / 1000).max(SHORTEST_STOP)))
    }

    /// How long from now, unless it has ended by now.
    pub(super) fn until_stopped(
        &self,
        work: &Work<'_>,
        container: &Container,
        stopped_at: i64,
        grace: i64,
    ) -> Option<Duration> {
        let stopped = self.stopped(work, container, stopped_at, grace)?;
        let left = stopped.at - jiff::Timestamp::now().as_millisecond();
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis)
    }

    pub(super) fn until_all_stopped(&self, work: &Work<'_>, stopped_at: i64, grace: i64) -> Option<Duration> {
        let running = work.life.all().filter(|container| matches!(container.state, State::Running { .. }));
        running.filter_map(|container| self.until_stopped(work, container, stopped_at, grace)).max()
    }

    /// Notes how a container ended that was told to stop.
    pub(super) fn end_stopped(&self, work: &mut Work<'_>, spot: Spot, stopped_at: i64, grace: i64) {
        let container = work.life.list(spot.list)[spot.at].clone();
        let uid = Arc::clone(&work.object.uid);
        let Some(stopped) = self.stopped(work, &container, stopped_at, grace) else {
            work.life.at(spot).end(KILLED, "Error", "");
            return;
        };
        if let Some(played) = stopped.played {
            self.runs.change(&uid, container.name(), &container.id, |run| run.played = played);
        }
        if let Some(run) = self.runs.current(&uid, container.name(), &container.id) {
            self.end(work, spot, &run, stopped.code, None);
        }
    }

    pub(super) fn end_all(&self, work: &mut Work<'_>, stopped_at: i64, grace: i64) {
        for list in [List::Init, List::Main, List::Ephemeral] {
            for at in 0..work.life.list(list).len() {
                let spot = Spot { list, at };
                match work.life.at(spot).state {
                    State::Running { .. } => self.end_stopped(work, spot, stopped_at, grace),
                    State::Waiting { .. } => work.life.at(spot).lost(),
                    State::Ended(_) => {}
                }
            }
        }
    }

    /// The hooks that a container wants to be run before it is told to stop.
    async fn before_stop(&self, work: &Work<'_>) {
        for container in work.life.all().filter(|container| matches!(container.state, State::Running { .. })) {
            let hook = &container.spec["lifecycle"]["preStop"]["exec"];
            let (true, Some(run)) =
                (hook.is_object(), self.runs.current(&work.object.uid, container.name(), &container.id))
            else {
                continue;
            };
            let now = jiff::Timestamp::now().as_millisecond();
            let done = run.beside(&answer::command(hook), now);
            if let Ended::At { code: 1.., .. } = done.end {
                self.event(work, container.name(), Severity::Warning, "FailedPreStopHook", "PreStopHook failed").await;
            }
            self.runs.change(&work.object.uid, container.name(), &container.id, |run| run.besides.extend(done.changes));
        }
    }
}

/// In milliseconds.
fn hook_takes(spec: &serde_json::Value, run: &Run, at: i64) -> i64 {
    let hook = &spec["lifecycle"]["preStop"];
    if let Some(seconds) = hook["sleep"]["seconds"].as_i64() {
        return seconds.saturating_mul(1000);
    }
    if !hook["exec"].is_object() {
        return 0;
    }
    match run.beside(&answer::command(&hook["exec"]), at).end {
        Ended::At { at: ends, .. } | Ended::OutOfMemory { at: ends } => ends - at,
        Ended::Never | Ended::Open { .. } => i64::MAX,
    }
}
