//! What an image sets by itself.

use std::collections::BTreeMap;

use bollard::Docker;

use super::deadline::{LOOK, within};
use super::pull;
use crate::runtime::{EngineError, Fault};

/// Its variables; `None` where the engine does not have it.
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

fn pairs(lines: Vec<String>) -> BTreeMap<String, String> {
    let pair = |line: String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    lines.into_iter().filter_map(pair).collect()
}
