//! The handles of a running panel, grouped. No logic in here.

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
use crate::players::Players;
use crate::reach::Reach;
use crate::registries::Registries;
use crate::schedules::Schedules;
use crate::servers::Servers;
use crate::setup::Setup;
use crate::sftp::Sftp;
use crate::shares::Shares;
use crate::sources::Sources;
use crate::status::Status;
use crate::system::shutdown::Tasks;
use crate::templates::{Imports, Templates};
use crate::transfers::Transfers;
use crate::upgrades::Upgrades;
use crate::users::Users;

/// All parts of a panel. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The settings that the process was started with.
    pub config: Arc<Config>,
    /// Names, addresses and TLS.
    pub network: Network,
    /// The database.
    pub store: Store,
    /// Agents and their last known state.
    pub agents: Agents,
    /// The features with endpoints.
    pub features: Features,
    /// The panel's tasks, and the token that stops them.
    pub tasks: Tasks,
}

/// How the panel is reached.
#[derive(Clone)]
pub struct Network {
    /// TLS key and certificate, with the pin by which agents verify the panel.
    pub identity: Identity,
    /// The addresses that it listens on.
    pub ports: Ports,
    /// Its name in the local network.
    pub name: Name,
}

/// The features, each with only the dependencies it needs. `src/start/features.rs` creates them, `src/router.rs` lists
/// their endpoints.
#[derive(Clone)]
pub struct Features {
    /// Sessions and permissions.
    pub auth: Auth,
    /// Accounts.
    pub users: Users,
    /// Creation of the first account.
    pub setup: Setup,
    /// Nodes.
    pub nodes: Nodes,
    /// How machines that join can reach the panel.
    pub joining: EnrollmentConfig,
    /// Templates and where they come from.
    pub gallery: Gallery,
    /// Game servers.
    pub games: Games,
    /// Upgrades.
    pub upgrades: Upgrades,
    /// Live connections.
    pub live: Live,
    /// The panel's status.
    pub status: Status,
    /// The doctor.
    pub doctor: Doctor,
}

/// Features of game servers.
#[derive(Clone)]
pub struct Games {
    /// Servers.
    pub servers: Servers,
    /// Who plays on them.
    pub players: Players,
    /// By which addresses they are reached.
    pub reach: Reach,
    /// Their public links.
    pub shares: Shares,
    /// Their schedules.
    pub schedules: Schedules,
    /// Their files.
    pub files: Files,
    /// Transfers to another node.
    pub transfers: Transfers,
    /// Their backups.
    pub backups: Backups,
    /// Their files by SFTP.
    pub sftp: Sftp,
}

/// Templates, and the ways to get more of them.
#[derive(Clone)]
pub struct Gallery {
    /// Available templates.
    pub templates: Templates,
    /// Import by link, archive or upload.
    pub imports: Imports,
    /// External lists of templates.
    pub sources: Sources,
    /// Logins for image registries.
    pub registries: Registries,
}

/// The addresses that this process listens on. Game servers must not use their ports.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Page and API.
    pub panel: SocketAddr,
    /// Agents.
    pub agents: SocketAddr,
    /// Health of the local node; absent if it is off or its port is in use.
    pub health: Option<SocketAddr>,
    /// Servers' files by SFTP, unless it is off or its port was taken.
    pub sftp: Option<SocketAddr>,
}

impl Ports {
    /// The port numbers.
    pub fn numbers(&self) -> Vec<u16> {
        [Some(self.panel), Some(self.agents), self.health, self.sftp]
            .into_iter()
            .flatten()
            .map(|address| address.port())
            .collect()
    }
}
