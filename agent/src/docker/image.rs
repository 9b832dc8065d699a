//! What an image sets, and what its registry says about it.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::Docker;
use protocol::ImageReport;
use serde::Deserialize;
use tokio::time::timeout;

use super::deadline::{LOOK, within};
use super::engine::Link;
use super::{errors, hijack, pull};
use crate::runtime::{EngineError, Fault};

/// The variables set by an image; `None` if the engine does not have it.
pub(super) async fn environment(
    client: &Docker,
    image: &str,
) -> Result<Option<BTreeMap<String, String>>, EngineError> {
    let action = format!("look for the image {image}");
    match within(&action, LOOK, client.inspect_image(&pull::with_tag(image))).await {
        Ok(found) => Ok(Some(pairs(found.config.and_then(|config| config.env).unwrap_or_default()))),
        Err(error) if error.fault == Fault::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// Maximum bytes of the engine's answer about a registry.
const DESCRIPTION: u64 = 256 << 10;
/// Time limit for the registry; the engine tries several ways to reach it.
const REGISTRY: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    descriptor: Descriptor,
    #[serde(default)]
    platforms: Option<Vec<Platform>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

/// What the image's registry says about it. The engine asks, since it knows how to reach the registry.
pub(super) async fn at_registry(
    link: &Link,
    action: &str,
    image: &str,
    login: &str,
) -> Result<ImageReport, EngineError> {
    let reference = pull::with_tag(image);
    let segments: Vec<String> = reference.split('/').map(hijack::encoded).collect();
    let path = format!("{}/distribution/{}/json", link.prefix, segments.join("/"));
    let asked = timeout(REGISTRY, hijack::get_as(&link.endpoint, &path, login, DESCRIPTION, action)).await;
    let told = match asked {
        Ok(Ok(told)) => told,
        Ok(Err(error)) if error.fault == Fault::Away => return Err(error),
        Ok(Err(error)) => {
            let problem = Some(errors::pull_failed(image, &error.message));
            return Ok(ImageReport { problem, ..ImageReport::default() });
        }
        Err(_) => {
            let problem = Some(format!("The registry of {image} did not answer in time."));
            return Ok(ImageReport { problem, ..ImageReport::default() });
        }
    };
    let odd = |error: serde_json::Error| EngineError::new(Fault::Refused, action, error.to_string());
    let told: Description = serde_json::from_slice(&told).map_err(odd)?;
    let mut architectures: Vec<String> = told
        .platforms
        .unwrap_or_default()
        .into_iter()
        // An image list also contains attestations, with an unknown system.
        .filter(|platform| platform.os == "linux" && !platform.architecture.is_empty())
        .map(|platform| platform.architecture)
        .collect();
    architectures.sort();
    architectures.dedup();
    let here = match within(action, LOOK, link.client.inspect_image(&reference)).await {
        Ok(found) => found.repo_digests.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let same = |known: &String| known.ends_with(&format!("@{}", told.descriptor.digest));
    let newer = (!here.is_empty()).then(|| !here.iter().any(same));
    Ok(ImageReport { architectures, newer, problem: None })
}

fn pairs(lines: Vec<String>) -> BTreeMap<String, String> {
    let pair = |line: String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    lines.into_iter().filter_map(pair).collect()
}
