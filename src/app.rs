//! The handles of a running panel, in groups. Nothing happens in here.

use std::net::SocketAddr;
use std::sync::Arc;

use storage::Store;

use crate::agents::Agents;
use crate::auth::Auth;
use crate::backups::Backups;
use crate::config::Config;
use crate::doctor::Doctor;
use crate::files::Files;
use crate::live::Live;
use crate::net::mdns::Name;
use crate::net::tls::Identity;
use crate::nodes::{EnrollmentConfig, Nodes};
use crate::registries::Registries;
use crate::servers::Servers;
use crate::setup::Setup;
use crate::sources::Sources;
use crate::status::Status;
use crate::system::shutdown::Tasks;
use crate::templates::{Imports, Templates};
use crate::transfers::Transfers;
use crate::upgrades::Upgrades;
use crate::users::Users;

/// Everything that a panel is made of. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The settings that the process was started with.
    pub config: Arc<Config>,
    /// How it is reached.
    pub network: Network,
    /// The database.
    pub store: Store,
    /// Who is connected, and what they say.
    pub agents: Agents,
    /// What has endpoints.
    pub features: Features,
    /// The panel's tasks, and the token that ends them.
    pub tasks: Tasks,
}

/// How the panel is reached.
#[derive(Clone)]
pub struct Network {
    /// Its key and certificate, and the pin that agents know it by.
    pub identity: Identity,
    /// Where it listens.
    pub ports: Ports,
    /// Its name in the local network.
    pub name: Name,
}

/// The features, each with no more than it needs: `src/start/features.rs` makes them, `src/router.rs` lists what they offer.
#[derive(Clone)]
pub struct Features {
    /// Who may do what.
    pub auth: Auth,
    /// Accounts and sign-ins.
    pub users: Users,
    /// The first account.
    pub setup: Setup,
    /// Machines with an agent.
    pub nodes: Nodes,
    /// Where machines that join find us.
    pub joining: EnrollmentConfig,
    /// What servers are made from.
    pub gallery: Gallery,
    /// Game servers, and what is done with each.
    pub games: Games,
    /// Newer versions.
    pub upgrades: Upgrades,
    /// Live connections.
    pub live: Live,
    /// How the panel does.
    pub status: Status,
    /// Looks for what is wrong.
    pub doctor: Doctor,
}

/// Game servers, and what is done with each.
#[derive(Clone)]
pub struct Games {
    /// What they are.
    pub servers: Servers,
    /// Their files.
    pub files: Files,
    /// Those on their way to another node.
    pub transfers: Transfers,
    /// Their backups.
    pub backups: Backups,
}

/// What servers are made from, and the ways by which that comes here.
#[derive(Clone)]
pub struct Gallery {
    /// Those that are here.
    pub templates: Templates,
    /// By link, by archive, by hand.
    pub imports: Imports,
    /// Lists elsewhere.
    pub sources: Sources,
    /// Who we are where images are fetched from.
    pub registries: Registries,
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
