//! The node image: is it here, and the pull where it is not.

use std::time::Duration;

use bollard::errors::Error;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::{Engine, plain};
use crate::cluster::{ClusterError, Layer, LayerState, StageSink};

/// A pull that breaks off is taken up again: layers that are here already are not fetched twice.
const TRIES: usize = 4;

impl Engine {
    pub(crate) async fn has_image(&self, image: &str) -> Result<bool, ClusterError> {
        match self.docker.inspect_image(image).await {
            Ok(_) => Ok(true),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(self.failed(&format!("look for the image {image}"), &error)),
        }
    }

    /// Names of the images here whose repository is `repository`.
    pub(crate) async fn tags(&self, repository: &str) -> Result<Vec<String>, ClusterError> {
        let images = self.docker.list_images(None::<bollard::query_parameters::ListImagesOptions>).await;
        let images = images.map_err(|error| self.failed("list images", &error))?;
        let start = format!("{repository}:");
        let local = format!("docker.io/{start}");
        Ok(images
            .into_iter()
            .flat_map(|image| image.repo_tags)
            .filter(|tag| tag.starts_with(&start) || tag.starts_with(&local))
            .collect())
    }

    pub(crate) async fn pull(
        &self,
        image: &str,
        stages: &dyn StageSink,
        interrupt: &CancellationToken,
    ) -> Result<(), ClusterError> {
        let mut layers = Layers::default();
        for attempt in 1.. {
            let pull = self.pull_once(image, &mut layers, stages);
            let broken = tokio::select! {
                () = interrupt.cancelled() => return Err(ClusterError::new("interrupted while the node image was pulled")),
                result = pull => match result {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                },
            };
            let reason = plain(&broken);
            if attempt == TRIES || is_final(&reason) {
                return Err(self.pull_failed(image, &reason));
            }
            stages.note(&format!("the pull of {image} broke off ({reason}); resuming it"));
            tokio::time::sleep(Duration::from_millis(300 << attempt)).await;
        }
        unreachable!("the last attempt returns")
    }

    async fn pull_once(&self, image: &str, layers: &mut Layers, stages: &dyn StageSink) -> Result<(), Error> {
        let options = CreateImageOptionsBuilder::new().from_image(image).build();
        let mut stream = self.docker.create_image(Some(options), None, None);
        while let Some(info) = stream.next().await {
            if layers.take(info?) {
                stages.pulling(image, &layers.0);
            }
        }
        // A stream that just ends says nothing of success; only the image being here does.
        self.docker.inspect_image(image).await.map(drop)
    }

    fn pull_failed(&self, image: &str, reason: &str) -> ClusterError {
        let error = ClusterError::new(format!("the node image {image} is not here, and could not be pulled: {reason}"));
        let name = self.flavor.name();
        if [
            "no such host",
            "network is unreachable",
            "i/o timeout",
            "connection refused",
            "deadline exceeded",
            "Temporary failure",
        ]
        .iter()
        .any(|sign| reason.contains(sign))
        {
            return error.hint(format!(
                "this machine does not reach the registry. On one that does, `{name} pull {image} && {name} save {image} -o node.tar`; \
                 here, `{name} load -i node.tar`. Or name an image that is here: KEYWITNESS_NODE_IMAGE=…; \
                 `--on sandbox` needs none"
            ));
        }
        if reason.contains("no space left") {
            return error.hint(format!(
                "the disk of {name} is full: `{name} system df` shows with what, `{name} system prune` frees some"
            ));
        }
        if reason.contains("toomanyrequests") {
            return error.hint(format!("the registry limits pulls without a login: `{name} login`, or wait an hour"));
        }
        error.hint("is the name right? `cluster: {kubernetes: …}` of the lab or KEYWITNESS_NODE_IMAGE chose it")
    }
}

/// Asking again cannot help.
fn is_final(reason: &str) -> bool {
    [
        "manifest unknown",
        "not found",
        "denied",
        "unauthorized",
        "invalid reference",
        "no such host",
        "no space left",
        "toomanyrequests",
    ]
    .iter()
    .any(|sign| reason.contains(sign))
}

/// The layers of a pull as the engine names them, in the order in which it did.
#[derive(Debug, Default)]
struct Layers(Vec<Layer>);

impl Layers {
    /// Takes a line of the pull in; false where it says nothing of a layer.
    fn take(&mut self, info: CreateImageInfo) -> bool {
        let (Some(id), Some(status)) = (info.id, info.status) else { return false };
        let state = match status.as_str() {
            "Pulling fs layer" | "Waiting" => LayerState::Waiting,
            "Downloading" => LayerState::Downloading,
            "Verifying Checksum" | "Download complete" | "Extracting" => LayerState::Unpacking,
            "Pull complete" | "Already exists" => LayerState::Done,
            _ => return false,
        };
        let index = self.0.iter().position(|layer| layer.id == id).unwrap_or_else(|| {
            self.0.push(Layer { id, state, current: 0, total: None });
            self.0.len() - 1
        });
        let layer = &mut self.0[index];
        layer.state = state;
        let detail = info.progress_detail.unwrap_or_default();
        if state == LayerState::Downloading {
            layer.current = detail.current.and_then(|bytes| bytes.try_into().ok()).unwrap_or(layer.current);
            layer.total = detail.total.and_then(|bytes| bytes.try_into().ok()).or(layer.total);
        } else if state != LayerState::Waiting {
            layer.current = layer.total.unwrap_or(layer.current);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Layers {
        let mut layers = Layers::default();
        for line in text.lines() {
            layers.take(serde_json::from_str(line).expect(line));
        }
        layers
    }

    #[test]
    fn a_layer_keeps_its_size_to_the_end() {
        let layers = lines(
            r#"{"status":"Pulling from kindest/node","id":"v1.36.2"}
{"status":"Pulling fs layer","progressDetail":{},"id":"aaa"}
{"status":"Pulling fs layer","progressDetail":{},"id":"bbb"}
{"status":"Downloading","progressDetail":{"current":500,"total":2000},"progress":"[=> ]","id":"aaa"}
{"status":"Downloading","progressDetail":{"current":2000,"total":2000},"id":"aaa"}
{"status":"Download complete","progressDetail":{},"id":"aaa"}
{"status":"Extracting","progressDetail":{"current":100,"total":2000},"id":"aaa"}
{"status":"Pull complete","progressDetail":{},"id":"aaa"}
{"status":"Status: Downloaded newer image"}"#,
        );
        assert_eq!(layers.0.len(), 2, "{layers:?}");
        assert_eq!((layers.0[0].state, layers.0[0].current, layers.0[0].total), (LayerState::Done, 2000, Some(2000)));
        assert_eq!(layers.0[1].state, LayerState::Waiting);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        assert!(is_final("manifest for kindest/node:v9 not found: manifest unknown"));
        assert!(!is_final("unexpected EOF"));
        assert!(!is_final("read tcp: connection reset by peer"));
    }
}
