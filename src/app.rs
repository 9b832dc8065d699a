//! The handles that the features share. Nothing happens in here.

use std::net::SocketAddr;
use std::sync::Arc;

use storage::{Millis, Store};

use crate::agents::Agents;
use crate::auth::Auth;
use crate::config::Config;
use crate::doctor::Doctor;
use crate::live::Live;
use crate::net::mdns::Name;
use crate::net::tls::Identity;
use crate::nodes::{EnrollmentConfig, Nodes};
use crate::servers::Servers;
use crate::setup::Setup;
use crate::status::Status;
use crate::system::shutdown::Tasks;
use crate::transfers::Transfers;
use crate::upgrades::Upgrades;
use crate::users::Users;

/// Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The settings that the process was started with.
    pub config: Arc<Config>,
    /// Who it is by TLS; the pin that agents know it by.
    pub identity: Identity,
    /// Where it listens.
    pub ports: Ports,
    /// Its name in the local network.
    pub name: Name,
    /// What is kept.
    pub store: Store,
    /// Who may what.
    pub auth: Auth,
    /// Who is connected, and what they say.
    pub agents: Agents,
    /// Where machines that join find us.
    pub joining: EnrollmentConfig,
    /// Machines with an agent.
    pub nodes: Nodes,
    /// Game servers.
    pub servers: Servers,
    /// Servers on their way to another node.
    pub moves: Transfers,
    /// Newer versions.
    pub upgrades: Upgrades,
    /// Live connections.
    pub live: Live,
    /// Accounts and sign-ins.
    pub users: Users,
    /// The first account.
    pub setup: Setup,
    /// How the panel does.
    pub status: Status,
    /// Looks for what is wrong.
    pub doctor: Doctor,
    /// What runs.
    pub tasks: Tasks,
    /// Since when.
    pub started_at: Millis,
}

/// The addresses that are ours: no game server may have their ports.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// The page and the API.
    pub panel: SocketAddr,
    /// The agents.
    pub agents: SocketAddr,
    /// The local node's health, unless it is off or its port was taken.
    pub health: Option<SocketAddr>,
}

impl Ports {
    /// The numbers.
    pub fn numbers(&self) -> Vec<u16> {
        [Some(self.panel), Some(self.agents), self.health]
            .into_iter()
            .flatten()
            .map(|address| address.port())
            .collect()
    }
}
