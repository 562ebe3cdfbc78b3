//! Images for a pod's containers: pulled in a moment, or in vain again and again.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use rand::Rng;

use super::image::{self, Pull};
use super::life::Container;
use super::memory::{Trouble, Wait};
use super::{Agent, Work};
use crate::runtime::{Severity, meta};

/// The images that some pod of the node asked for with success.
#[derive(Default)]
pub(super) struct Images(Mutex<HashSet<String>>);

impl Images {
    fn note(&self, image: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(image::full_name(image));
    }

    fn holds(&self, image: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&image::full_name(image))
    }
}

impl Agent {
    /// Brings the image to the node; reports what a kubelet reports. `Err` holds the reason and message of the wait.
    pub(super) async fn fetch(
        &self,
        work: &Work<'_>,
        container: &Container,
        trouble: Option<&Trouble>,
    ) -> Result<(), Wait> {
        let (name, image) = (container.name(), container.image());
        let policy = meta::text(&container.spec, "/imagePullPolicy");
        let outcome = image::pull(image);
        if let Pull::Invalid(message) = outcome {
            self.event(work, name, Severity::Warning, "InspectFailed", &message).await;
            self.event(work, name, Severity::Warning, "Failed", "Error: InvalidImageName").await;
            return Err(("InvalidImageName".to_owned(), message));
        }
        // No layers are ever fetched here: what a registry could have is as good as present.
        if outcome == Pull::Works && (policy == "IfNotPresent" || policy == "Never" && self.images.holds(image)) {
            self.images.note(image);
            let message =
                format!("Container image \"{image}\" already present on machine and can be accessed by the pod");
            self.event(work, name, Severity::Normal, "Pulled", &message).await;
            return Ok(());
        }
        if policy == "Never" {
            let message = format!("Container image \"{image}\" is not present with pull policy of Never");
            self.event(work, name, Severity::Warning, "ErrImageNeverPull", &message).await;
            self.event(work, name, Severity::Warning, "Failed", "Error: ErrImageNeverPull").await;
            return Err(("ErrImageNeverPull".to_owned(), message));
        }
        if let Pull::Fails(message) = outcome {
            return Err(self.fail(work, name, image, trouble, message).await);
        }
        self.images.note(image);
        self.event(work, name, Severity::Normal, "Pulling", &format!("Pulling image \"{image}\"")).await;
        // A registry is never asked twice in the same time, and so each pull is an Event of its own.
        let took = rand::rng().random_range(200..900);
        let message = format!(
            "Successfully pulled image \"{image}\" in {took}ms ({took}ms including waiting). Image size: 769367 bytes."
        );
        self.event(work, name, Severity::Normal, "Pulled", &message).await;
        Ok(())
    }

    async fn fail(&self, work: &Work<'_>, name: &str, image: &str, trouble: Option<&Trouble>, message: String) -> Wait {
        if trouble.is_some_and(Trouble::backs_off) {
            let backs_off = format!("Back-off pulling image \"{image}\"");
            self.event(work, name, Severity::Normal, "BackOff", &backs_off).await;
            self.event(work, name, Severity::Warning, "Failed", "Error: ImagePullBackOff").await;
            return ("ImagePullBackOff".to_owned(), format!("{backs_off}: ErrImagePull: {message}"));
        }
        self.event(work, name, Severity::Normal, "Pulling", &format!("Pulling image \"{image}\"")).await;
        let failed = format!("Failed to pull image \"{image}\": {message}");
        self.event(work, name, Severity::Warning, "Failed", &failed).await;
        self.event(work, name, Severity::Warning, "Failed", "Error: ErrImagePull").await;
        ("ErrImagePull".to_owned(), message)
    }
}
