//! How a pod ends when it is deleted: told, stopped, reported over, then removed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::life::{List, Spot, State};
use super::shell::End as Ended;
use super::told::End;
use super::{Agent, KILLED, Work, answer};
use crate::runtime::{Error, Next, PODS, Severity};

/// To stop and to clear away containers takes a kubelet a moment, in which the pod's owner makes another: whoever
/// watches sees the new pod before the last of the old one.
const STOPPING: Duration = Duration::from_millis(80);
const CLEARING: Duration = Duration::from_millis(300);

impl Agent {
    pub(super) async fn stop(&self, work: &mut Work<'_>) -> Result<Next, Error> {
        // Already asked to go at once: only finalizers hold it, of those who want to see how it ended.
        let held = work.pod["metadata"]["deletionGracePeriodSeconds"] == 0;
        if !work.life.over() && !work.life.started.is_empty() {
            let running: Vec<String> = work
                .life
                .all()
                .filter(|container| matches!(container.state, State::Running { .. }))
                .map(|container| container.name().to_owned())
                .collect();
            let stops = Arc::clone(&work.object.uid);
            if self.told.starts(&stops, End::Told) {
                for name in &running {
                    self.tell(work, name, Severity::Normal, "Killing", &format!("Stopping container {name}")).await;
                }
                self.before_stop(work).await;
            }
            // What waits for its image waits no longer.
            for container in work.life.main.iter_mut().filter(|container| container.id.is_empty()) {
                container.waits("ContainerCreating", "");
            }
            self.write(work).await?;
            if !running.is_empty()
                && let Some(left) = self.told.lingers(&stops, End::Told, STOPPING)
            {
                return Ok(Next::After(left));
            }
            let ran = !running.is_empty() || work.life.main.iter().any(|container| !container.id.is_empty());
            if !ran {
                work.life.sandbox = false;
                self.write(work).await?;
            }
            self.end_all(work);
            let failed = work.life.main.iter().any(|container| !container.done());
            if failed { "Failed" } else { "Succeeded" }.clone_into(&mut work.life.phase);
            work.life.sandbox = false;
            self.write(work).await?;
        }
        if held {
            return Ok(Next::Change);
        }
        if !self.told.starts(&work.object.uid, End::Told)
            && let Some(left) = self.told.lingers(&work.object.uid, End::Over, CLEARING)
        {
            return Ok(Next::After(left));
        }
        let key = &work.object.key;
        let options = json!({"gracePeriodSeconds": 0});
        self.rest.delete(&PODS, &key.namespace, &key.name, &work.object.uid, options).await?;
        Ok(Next::Change)
    }

    /// Tells each running container to stop, and notes how it ends.
    pub(super) async fn stop_all(&self, work: &mut Work<'_>) {
        let running = work.life.all().filter(|container| matches!(container.state, State::Running { .. }));
        let names: Vec<String> = running.map(|container| container.name().to_owned()).collect();
        for name in &names {
            self.tell(work, name, Severity::Normal, "Killing", &format!("Stopping container {name}")).await;
        }
        self.end_all(work);
    }

    fn end_all(&self, work: &mut Work<'_>) {
        for list in [List::Init, List::Main, List::Ephemeral] {
            for at in 0..work.life.list(list).len() {
                let spot = Spot { list, at };
                let container = work.life.at(spot);
                match &container.state {
                    State::Running { .. } => {
                        let (name, id) = (container.name().to_owned(), container.id.clone());
                        match self.runs.current(&work.object.uid, &name, &id) {
                            Some(run) => self.end(work, spot, &run, run.when_stopped(), None),
                            // Nothing is left of what it was started with.
                            None => work.life.at(spot).end(KILLED, "Error", ""),
                        }
                    }
                    State::Waiting { .. } => container.lost(),
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
                self.tell(work, container.name(), Severity::Warning, "FailedPreStopHook", "PreStopHook failed").await;
            }
            self.runs.change(&work.object.uid, container.name(), &container.id, |run| run.besides.extend(done.changes));
        }
    }
}
