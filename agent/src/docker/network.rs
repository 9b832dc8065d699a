//! The networks of games: our own bridges, on which no game reaches another's ports.
//!
//! There are two, and a game's network determines what it can reach. Rules per bridge apply from a container's first
//! packet, whatever its address, and need no change when games start and stop.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::models::{NetworkCreateRequest, NetworkInspect, PortSummaryTypeEnum};
use bollard::query_parameters::ListContainersOptionsBuilder;

use protocol::Protocol;
use tokio::sync::OnceCell;

use super::create;
use super::deadline::{ACT, LOOK, within};
use crate::firewall::game_networks::{GameNetworks, Subnet};
use crate::firewall::{self, Firewall, Lan, Published, Rules};
use crate::runtime::{EngineError, Fault};

const LOOK_FOR: &str = "look for the games' network";
const BRIDGE_NAME: &str = "com.docker.network.bridge.name";

/// One of our networks.
#[derive(Debug)]
pub(super) struct Network {
    /// Its name in the engine.
    pub(super) name: &'static str,
    /// The host's interface. Two networks cannot share it: if two agents create the network at once, one succeeds.
    interface: &'static str,
}

/// The default network of games.
pub(super) static GAMES: Network = Network { name: "ctrl-alt-play", interface: firewall::GAMES };
/// The network of games that must not reach the LAN.
pub(super) static NO_LAN: Network = Network { name: "ctrl-alt-play-no-lan", interface: firewall::NO_LAN };

/// The state of the networks, and the firewall that isolates them.
#[derive(Debug)]
pub(super) struct Networks {
    known: GameNetworks,
    firewall: Firewall,
    /// Whether firewall rules are enabled.
    wanted: bool,
    /// Set once the rules of an earlier start were removed, if rules are disabled.
    removed: OnceCell<()>,
    /// Address by which games reach this machine, by network.
    gateways: Mutex<HashMap<&'static str, String>>,
    /// Why rules set by this process would not apply to the engine's networks, if so.
    elsewhere: Mutex<Option<String>>,
}

impl Networks {
    pub(super) fn new(known: GameNetworks, wanted: bool) -> Self {
        let firewall = Firewall::default();
        Self {
            known,
            firewall,
            wanted,
            removed: OnceCell::new(),
            gateways: Mutex::default(),
            elsewhere: Mutex::default(),
        }
    }

    /// Reads the networks' addresses and updates the rules. If the engine does not answer in time, the next probe
    /// repeats this. `local`: the engine is behind a socket of this machine.
    pub(super) async fn look(&self, client: &Docker, deadline: Duration, local: bool) {
        let (mut any, mut elsewhere) = (false, None);
        for network in [&GAMES, &NO_LAN] {
            match within(LOOK_FOR, deadline, client.inspect_network(network.name, None)).await {
                Ok(found) => {
                    any = true;
                    elsewhere = elsewhere.or(network.elsewhere(&found));
                    self.known.learn(network.name, subnets(&found));
                }
                Err(error) if error.fault == Fault::Missing => self.known.learn(network.name, Vec::new()),
                Err(error) => {
                    tracing::debug!(%error, network = network.name, "a network of games could not be looked at");
                }
            }
        }
        *self.lock() = elsewhere;
        // For an engine elsewhere, whether its networks are ours is only known once one of them exists.
        if any || local {
            let _ = self.protect(client, false).await;
        }
    }

    /// Records that Podman is used: games share its default network, to which our rules do not apply.
    pub(super) fn none_of_podman(&self) {
        self.known.set_rules(Err("Podman has no network of its own for games".to_owned()));
    }

    /// Updates the rules: ports may have been published, or the rules removed. The error says why they are not in
    /// place.
    pub(super) async fn protect(&self, client: &Docker, now: bool) -> Result<(), String> {
        let elsewhere = self.lock().clone();
        let result = match elsewhere {
            _ if !self.wanted => self.none_wanted().await,
            Some(cause) => Err(cause),
            None => {
                let rules = Rules { published: published(client).await, lan: Lan::read() };
                self.firewall.hold(rules, now).await
            }
        };
        self.known.set_rules(result.clone());
        result
    }

    async fn none_wanted(&self) -> Result<(), String> {
        if let Err(cause) = self.removed.get_or_try_init(firewall::remove_firewall_rules).await {
            tracing::debug!(cause, "firewall rules of an earlier start could not be looked for");
        }
        Err("GAMES_FIREWALL is off".to_owned())
    }

    /// Creates a network if it is missing, and reads its addresses.
    pub(super) async fn ensure(&self, client: &Docker, network: &'static Network) -> Result<(), EngineError> {
        let found = match within(LOOK_FOR, LOOK, client.inspect_network(network.name, None)).await {
            Err(error) if error.fault == Fault::Missing => network.make(client).await?,
            other => other?,
        };
        if let Some(cause) = network.elsewhere(&found) {
            *self.lock() = Some(cause);
        }
        self.known.learn(network.name, subnets(&found));
        if let Some(gateway) = gateway(&found) {
            self.gateways.lock().unwrap_or_else(PoisonError::into_inner).insert(network.name, gateway);
        }
        Ok(())
    }

    /// Address by which the games of a network reach this machine; known once the network was used.
    pub(super) fn gateway(&self, network: &'static Network) -> Option<String> {
        self.gateways.lock().unwrap_or_else(PoisonError::into_inner).get(network.name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Network {
    /// Why rules of this process do not apply to the network, if so.
    fn elsewhere(&self, found: &NetworkInspect) -> Option<String> {
        let bridge = found.options.as_ref().and_then(|options| options.get(BRIDGE_NAME));
        if bridge.is_none_or(|bridge| bridge != self.interface) {
            return Some(format!(
                "the engine's network {} was not made by this program: remove it while no game uses it",
                self.name
            ));
        }
        let here = Path::new("/sys/class/net").join(self.interface).exists();
        (!here).then(|| {
            "the engine's networks are not in this program's own: the engine runs elsewhere or without root, or this \
             program is in a container without the host's network"
                .to_owned()
        })
    }

    async fn make(&self, client: &Docker) -> Result<NetworkInspect, EngineError> {
        let options = [(BRIDGE_NAME, self.interface), ("com.docker.network.bridge.enable_icc", "false")];
        let request = NetworkCreateRequest {
            name: self.name.to_owned(),
            driver: Some("bridge".to_owned()),
            options: Some(options.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()),
            labels: Some(HashMap::from([(create::MANAGED.to_owned(), "true".to_owned())])),
            ..NetworkCreateRequest::default()
        };
        let made = within("make the games' network", ACT, client.create_network(request)).await;
        if made.is_ok() {
            tracing::info!("made the network {} for the games", self.name);
        }
        // Another agent on this engine may have created it first.
        let found = within(LOOK_FOR, LOOK, client.inspect_network(self.name, None)).await;
        match made {
            Err(error) if found.is_err() => Err(error),
            _ => found,
        }
    }
}

fn subnets(found: &NetworkInspect) -> Vec<Subnet> {
    let configs = found.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
    configs.filter_map(|config| Subnet::parse(config.subnet.as_deref()?)).collect()
}

fn gateway(found: &NetworkInspect) -> Option<String> {
    let mut configs = found.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
    configs.find_map(|config| config.gateway.clone()).filter(|gateway| gateway.parse::<IpAddr>().is_ok())
}

async fn published(client: &Docker) -> Published {
    let filters = HashMap::from([("label", vec![format!("{}=true", create::MANAGED)])]);
    let options = ListContainersOptionsBuilder::new().filters(&filters).build();
    let listed = within("list the published ports", LOOK, client.list_containers(Some(options))).await;
    let ports =
        listed.unwrap_or_default().into_iter().flat_map(|container| container.ports.unwrap_or_default());
    ports
        .filter_map(|port| {
            let protocol = match port.typ? {
                PortSummaryTypeEnum::TCP => Protocol::Tcp,
                PortSummaryTypeEnum::UDP => Protocol::Udp,
                _ => return None,
            };
            Some((protocol, port.public_port?))
        })
        .collect()
}
