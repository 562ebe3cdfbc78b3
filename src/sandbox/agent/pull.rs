//! Images for a pod's containers: pulled in a moment, or in vain again and again.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::image::{self, Pull};
use super::life::{self, State};
use super::{Agent, FIRST_BACK_OFF, LONGEST_BACK_OFF, Work};
use crate::sandbox::controllers::runtime::Severity;

/// While a failed pull still shows its error, before it shows that it is backing off.
const SHOW_ERROR: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
pub(super) struct Attempts {
    made: u32,
    /// Nothing is done about them before.
    next: Instant,
}

impl Agent {
    /// Brings the image to the node; tells what a kubelet tells. `Err` holds the reason and message of the wait.
    pub(super) async fn fetch(
        &self,
        work: &Work<'_>,
        name: &str,
        image: &str,
        policy: &str,
    ) -> Result<(), (String, String)> {
        let outcome = image::pull(image);
        if let Pull::Invalid(message) = outcome {
            self.tell(work, name, Severity::Warning, "InspectFailed", &message).await;
            self.tell(work, name, Severity::Warning, "Failed", "Error: InvalidImageName").await;
            return Err(("InvalidImageName".to_owned(), message));
        }
        // No layers are ever fetched here: what a registry could have is as good as present.
        if outcome == Pull::Works && policy != "Always" {
            let message =
                format!("Container image \"{image}\" already present on machine and can be accessed by the pod");
            self.tell(work, name, Severity::Normal, "Pulled", &message).await;
            return Ok(());
        }
        if policy == "Never" {
            let message = format!("Container image \"{image}\" is not present with pull policy of Never");
            self.tell(work, name, Severity::Warning, "ErrImageNeverPull", &message).await;
            self.tell(work, name, Severity::Warning, "Failed", "Error: ErrImageNeverPull").await;
            return Err(("ErrImageNeverPull".to_owned(), message));
        }
        self.tell(work, name, Severity::Normal, "Pulling", &format!("Pulling image \"{image}\"")).await;
        if let Pull::Fails(message) = outcome {
            return Err(("ErrImagePull".to_owned(), message));
        }
        let message =
            format!("Successfully pulled image \"{image}\" in 1ms (1ms including waiting). Image size: 769367 bytes.");
        self.tell(work, name, Severity::Normal, "Pulled", &message).await;
        Ok(())
    }

    /// How long a container whose image could not be had still waits; `None` if it has not been tried.
    pub(super) fn holds_off(&self, work: &Work<'_>, container: &life::Container) -> Option<Duration> {
        let State::Waiting { reason, .. } = &container.state else { return None };
        if reason != "ErrImagePull" && reason != "ImagePullBackOff" || image::pull(container.image()) == Pull::Works {
            return None;
        }
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.get(&work.object.uid).map(|attempts| attempts.next.saturating_duration_since(Instant::now()))
    }

    pub(super) fn note_failure(&self, work: &Work<'_>) -> Duration {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Instant::now() + SHOW_ERROR;
        attempts
            .entry(Arc::clone(&work.object.uid))
            .and_modify(|held| *held = Attempts { made: held.made + 1, next })
            .or_insert(Attempts { made: 1, next });
        SHOW_ERROR
    }

    pub(super) fn back_off_pull(&self, work: &Work<'_>) -> Duration {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = attempts.get_mut(&work.object.uid) else { return Duration::ZERO };
        let wait = Duration::from_secs((FIRST_BACK_OFF << held.made.saturating_sub(1).min(5)).min(LONGEST_BACK_OFF));
        held.next = Instant::now() + wait;
        wait
    }

    pub(super) async fn tell_failed_pull(&self, work: &Work<'_>, name: &str, image: &str, message: &str) {
        let failed = format!("Failed to pull image \"{image}\": {message}");
        self.tell(work, name, Severity::Warning, "Failed", &failed).await;
        self.tell(work, name, Severity::Warning, "Failed", "Error: ErrImagePull").await;
        self.tell(work, name, Severity::Normal, "BackOff", &format!("Back-off pulling image \"{image}\"")).await;
        self.tell(work, name, Severity::Warning, "Failed", "Error: ImagePullBackOff").await;
    }
}
