//! The network that games are in: a bridge of their own, on which none reaches another one's ports.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{NetworkCreateRequest, NetworkInspect};

use super::firewall::Firewall;
use super::{ACT, LOOK, within};
use crate::game_networks::{GameNetworks, Subnet};
use crate::runtime::{EngineError, Fault};

/// Its name.
pub(super) const NAME: &str = "ctrl-alt-play";
/// The host's interface. Two networks cannot have the same one: of two agents that make the network at once, one does.
pub(super) const INTERFACE: &str = "ctrl-alt-play0";

const LOOK_FOR: &str = "look for the games' network";

/// What is known of it, and what keeps it apart from this machine.
#[derive(Debug)]
pub(super) struct Networks {
    known: GameNetworks,
    /// None: no rules are to be set.
    firewall: Option<Firewall>,
}

impl Networks {
    pub(super) fn new(known: GameNetworks, firewall: bool) -> Self {
        Self { known, firewall: firewall.then(Firewall::default) }
    }

    /// Learns which addresses it has, and sees to the rules. An engine that does not answer in time is asked again at the
    /// next probe.
    pub(super) async fn look(&self, client: &Docker, deadline: Duration) {
        self.learn(client, deadline).await;
        self.protect(client).await;
    }

    async fn learn(&self, client: &Docker, deadline: Duration) {
        match within(LOOK_FOR, deadline, client.inspect_network(NAME, None)).await {
            Ok(found) => self.known.learn(subnets(&found)),
            Err(error) if error.fault == Fault::Missing => self.known.learn(Vec::new()),
            Err(error) => tracing::debug!(%error, "the games' network could not be looked at"),
        }
    }

    /// Sees to the rules: ports may have been published, or somebody have taken the rules away.
    pub(super) async fn protect(&self, client: &Docker) {
        if let Some(firewall) = &self.firewall {
            firewall.hold(client).await;
        }
    }

    /// Makes sure that it is there, and learns which addresses it has.
    pub(super) async fn ensure(&self, client: &Docker) -> Result<(), EngineError> {
        match within(LOOK_FOR, LOOK, client.inspect_network(NAME, None)).await {
            Err(error) if error.fault == Fault::Missing => {}
            other => return other.map(|found| self.known.learn(subnets(&found))),
        }
        make(client).await?;
        self.learn(client, LOOK).await;
        Ok(())
    }
}

fn subnets(found: &NetworkInspect) -> Vec<Subnet> {
    let configs = found.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
    configs.filter_map(|config| Subnet::parse(config.subnet.as_deref()?)).collect()
}

async fn make(client: &Docker) -> Result<(), EngineError> {
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
        Err(error) => match within(LOOK_FOR, LOOK, client.inspect_network(NAME, None)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(error),
        },
    }
}
