//! The network that games are in: a bridge of their own, on which none reaches another one's ports.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::NetworkCreateRequest;

use super::{ACT, LOOK, within};
use crate::runtime::{EngineError, Fault};

/// Its name.
pub(super) const NAME: &str = "ctrl-alt-play";
/// The host's interface. Two networks cannot have the same one: of two agents that make the network at once, one does.
const INTERFACE: &str = "ctrl-alt-play0";

/// Makes sure that it is there.
pub(super) async fn ensure(client: &Docker) -> Result<(), EngineError> {
    let action = "look for the games' network";
    match within(action, LOOK, client.inspect_network(NAME, None)).await {
        Err(error) if error.fault == Fault::Missing => {}
        other => return other.map(drop),
    }
    let options =
        [("com.docker.network.bridge.name", INTERFACE), ("com.docker.network.bridge.enable_icc", "false")];
    let request = NetworkCreateRequest {
        name: NAME.to_owned(),
        driver: Some("bridge".to_owned()),
        options: Some(options.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()),
        labels: Some(HashMap::from([(super::create::MANAGED.to_owned(), "true".to_owned())])),
        ..NetworkCreateRequest::default()
    };
    match within("make the games' network", ACT, client.create_network(request)).await {
        Ok(_) => {
            tracing::info!("made the network {NAME} for the games");
            Ok(())
        }
        // Another agent on this engine was quicker.
        Err(error) => match within(action, LOOK, client.inspect_network(NAME, None)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(error),
        },
    }
}
