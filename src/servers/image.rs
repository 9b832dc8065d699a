//! Asks an image's registry, through the node that would pull it, whether the image exists for the node's CPU and
//! whether there is a newer one. Asked rarely, because registries limit the number of requests.

use std::time::Duration;

use protocol::{HostReport, ImageReport, NodeId, capability};
use serde::Serialize;
use utoipa::ToSchema;

use super::Servers;
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};

/// Time for the node to get the registry's answer, plus the round trip to the node.
const ASKED: Duration = Duration::from_secs(13);

/// The image of a server, as its node has it and as its registry does.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ServerImage)]
pub(super) struct ImageView {
    /// Its reference.
    image: String,
    /// Whether the node has it.
    present: bool,
    /// CPU architectures that the registry has it for, in Docker's words; none where that is not known.
    architectures: Vec<String>,
    /// Whether the registry has another one under this reference; null where that is not known.
    newer: Option<bool>,
    /// Why the registry did not say, for people; null where it did.
    problem: Option<String>,
}

impl Servers {
    /// What a node's engine and the registry report about an image; `None` if the node cannot be asked.
    pub(super) async fn image_report(&self, node_id: &NodeId, image: &str) -> Option<HostReport> {
        let key = (node_id.to_owned(), image.to_owned());
        let revision = self.store.revision();
        if let Some(known) = self.images.get(&key, revision) {
            return Some(known);
        }
        if self.agents.lacks(node_id, capability::REGISTRY) {
            return None;
        }
        let report = self.host_report_with(node_id, Some(image), &[], true, ASKED).await?;
        self.images.keep(key, revision, report.clone());
        Some(report)
    }

    /// The image of a server, on its node and in its registry.
    pub(super) async fn image(&self, permit: &Permit<need::Configure>) -> Result<ImageView, ApiError> {
        let server = self.record(permit.server_id())?;
        if !self.agents.node(&server.node_id).online {
            return Err(ApiError::new(Code::NodeOffline, "The node is offline."));
        }
        let report = self.image_report(&server.node_id, &server.image).await;
        let known = report.is_some();
        let HostReport { image_present, image, .. } = report.unwrap_or_default();
        let ImageReport { architectures, newer, problem } = image.unwrap_or_default();
        let problem = problem.or_else(|| (!known).then(|| "The node could not ask the registry.".to_owned()));
        Ok(ImageView { image: server.image, present: image_present, architectures, newer, problem })
    }
}

/// Code and message of a problem to show before an image is pulled; `None` if there is none.
pub(super) fn fit(image: &str, node_arch: &str, report: &ImageReport) -> Option<(&'static str, String)> {
    if let Some(problem) = &report.problem {
        return Some(("image_unavailable", problem.clone()));
    }
    let made_for = &report.architectures;
    if node_arch.is_empty() || made_for.is_empty() || made_for.iter().any(|known| known == node_arch) {
        return None;
    }
    let sentence = format!(
        "The image {image} is made for {}, and this node's CPU is {node_arch}: it will not run there.",
        made_for.join(", ")
    );
    Some(("image_architecture", sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_for_another_cpu_is_told_before_it_is_fetched() {
        let of = |words: &[&str]| ImageReport {
            architectures: words.iter().map(|&word| word.to_owned()).collect(),
            ..ImageReport::default()
        };
        let (code, sentence) = fit("a/b", "arm64", &of(&["amd64"])).unwrap();
        assert!(code == "image_architecture" && sentence.contains("amd64") && sentence.contains("arm64"));
        for fine in [("arm64", of(&["amd64", "arm64"])), ("", of(&["amd64"])), ("arm64", of(&[]))] {
            assert_eq!(fit("a/b", fine.0, &fine.1), None);
        }
        let problem = Some("There is none.".to_owned());
        let told = fit("a/b", "arm64", &ImageReport { problem, ..ImageReport::default() });
        assert_eq!(told, Some(("image_unavailable", "There is none.".to_owned())));
    }
}
