//! How a pod ends when it is deleted: told, stopped, reported over, then removed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::life::State;
use super::told::End;
use super::{Agent, Work, command};
use crate::controllers::runtime::{Error, Next, PODS, Severity};

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
                .init
                .iter()
                .chain(&work.life.main)
                .filter(|container| matches!(container.state, State::Running { .. }))
                .map(|container| container.name().to_owned())
                .collect();
            let stops = Arc::clone(&work.object.uid);
            if self.told.starts(&stops, End::Told) {
                for name in &running {
                    self.tell(work, name, Severity::Normal, "Killing", &format!("Stopping container {name}")).await;
                }
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
            for container in work.life.init.iter_mut().chain(work.life.main.iter_mut()) {
                match &container.state {
                    State::Running { .. } => {
                        let code = command::when_stopped(&container.words("command"), &container.words("args"));
                        container.end(code, if code == 0 { "Completed" } else { "Error" }, "");
                    }
                    State::Waiting { .. } if container.id.is_empty() => container.lost(),
                    State::Waiting { .. } => container.lost(),
                    State::Ended(_) => {}
                }
            }
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
}
