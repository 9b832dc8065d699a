//! Removes all games of one data folder: their containers, and the network if no other game uses it.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::deadline::{ACT, LOOK, late, within};
use super::engine::{Engine, LIST_BYTES, Link};
use super::{create, hijack, network};
use crate::config::AgentConfig;
use crate::runtime::{EngineError, Fault, Runtime};

const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Container {
    #[serde(rename = "Id")]
    id: String,
}

/// Stops and removes the containers of the games with files in `data_dir`, also running ones. Returns their number.
///
/// # Errors
/// The engine does not answer or refuses; containers already removed stay removed.
pub async fn remove_games(host: Option<&str>, data_dir: &Path) -> Result<usize, EngineError> {
    let host = host.map(str::to_owned);
    let config = AgentConfig { docker_host: host, no_firewall: true, ..AgentConfig::default() };
    let engine = Engine::new(&config, data_dir.to_owned());
    engine.probe(ANSWERS_WITHIN).await?;
    let link = engine.link("list the containers")?;
    let managed = format!("{}=true", create::MANAGED);
    let mut ids = Vec::new();
    // The label has the folder's canonical path.
    let mut names = vec![data_dir.to_owned()];
    names.extend(data_dir.canonicalize().ok().filter(|name| name != data_dir));
    for name in names {
        let label = format!("{}={}", create::DATA_DIR, name.display());
        ids.extend(list(&link, &[&managed, &label]).await?);
    }
    for id in &ids {
        engine.remove(id).await?;
    }
    // Another panel's games use the same network.
    if list(&link, &[&managed]).await?.is_empty() {
        for network in [&network::GAMES, &network::NO_LAN] {
            let removing = link.client.remove_network(network.name);
            match within("remove the games' network", ACT, removing).await {
                Err(error) if error.fault != Fault::Missing => {
                    tracing::debug!(%error, network = network.name, "the games' network stays");
                }
                _ => {}
            }
        }
    }
    Ok(ids.len())
}

/// The ids of containers with all these labels.
async fn list(link: &Link, labels: &[&str]) -> Result<Vec<String>, EngineError> {
    let action = "list the containers";
    let filters = hijack::encoded(&serde_json::json!({ "label": labels }).to_string());
    let path = format!("{}/containers/json?all=1&filters={filters}", link.prefix);
    let listed = hijack::get(&link.endpoint, &path, LIST_BYTES, action);
    let listed = tokio::time::timeout(LOOK, listed).await.map_err(|_| late(action, LOOK))??;
    let found: Vec<Container> = serde_json::from_slice(&listed)
        .map_err(|error| EngineError::new(Fault::Refused, action, error.to_string()))?;
    Ok(found.into_iter().map(|container| container.id).collect())
}
