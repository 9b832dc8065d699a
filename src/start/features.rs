//! Creates the features, each with its dependencies.

use std::sync::Arc;

use storage::{Millis, Store};

use super::error::StartError;
use super::own_address::own_address;
use crate::agents::Agents;
use crate::app::{App, Features, Gallery, Games, Network, Ports};
use crate::auth::{Auth, OwnOrigins};
use crate::backups::Backups;
use crate::config::Config;
use crate::doctor::Doctor;
use crate::files::{self, Files};
use crate::live::Live;
use crate::net::fetch::SafeFetcher;
use crate::nodes::{EnrollmentConfig, Nodes};
use crate::players::Players;
use crate::reach::Reach;
use crate::registries::Registries;
use crate::router;
use crate::schedules::Schedules;
use crate::servers::{OwnPorts, Servers};
use crate::setup::Setup;
use crate::sftp::{self, HostKey, Sftp};
use crate::shares::Shares;
use crate::sources::Sources;
use crate::ssh_keys::SshKeys;
use crate::status::Status;
use crate::streams::Streams;
use crate::system::shutdown::Tasks;
use crate::system::{ids, private_files};
use crate::templates::{Imports, Templates};
use crate::transfers::Transfers;
use crate::upgrades::{self, Upgrades};
use crate::users::Users;

/// Shortest signing secret, in bytes, without a warning.
const GOOD_SECRET: usize = 32;

/// What the features are created from.
pub(super) struct Parts {
    pub(super) config: Arc<Config>,
    pub(super) network: Network,
    pub(super) store: Store,
    pub(super) agents: Agents,
    pub(super) tasks: Tasks,
}

/// Creates all features, in the order of their dependencies.
pub(super) fn build(parts: Parts, streams: &Streams, started_at: Millis) -> Result<App, StartError> {
    let Parts { config, network, store, agents, tasks } = parts;
    let (ports, folder) = (network.ports, &config.data_dir);
    let auth = Auth::new(
        store.clone(),
        signing_secret(&config)?.as_bytes(),
        OwnOrigins::new(config.public_url.as_deref()),
    );
    let users = Users::new(store.clone(), auth.clone());
    let setup =
        Setup::open(store.clone(), auth.clone(), users.clone(), folder, network.name.clone(), tasks.clone())?;
    let status = Status::new(store.clone(), started_at);
    status.announce(&agents, &tasks);
    let transfers = Transfers::new(
        store.clone(),
        agents.clone(),
        streams.clone(),
        tasks.clone(),
        ports.numbers(),
        config.move_limit,
    )
    .map_err(|source| StartError::Other { doing: "reading the transfers", source: source.into() })?;
    let templates = Templates::open(store.clone(), tasks.clone())
        .map_err(|source| StartError::Other { doing: "reading the templates", source: source.into() })?;
    let servers = Servers::new(
        store.clone(),
        auth.clone(),
        agents.clone(),
        transfers.clone(),
        templates.clone(),
        tasks.clone(),
        own_ports(&ports),
    );
    let fetcher = SafeFetcher::new(config.network.fetch_allow.clone(), config.ssl_cert_file.clone());
    let files = Files::new(files::Parts {
        store: store.clone(),
        auth: auth.clone(),
        agents: agents.clone(),
        transfers: transfers.clone(),
        streams: streams.clone(),
        fetcher: fetcher.clone(),
        tasks: tasks.clone(),
    });
    let backups = Backups::start(store.clone(), agents.clone(), files.clone(), tasks.clone(), folder)
        .map_err(|source| StartError::Other { doing: "reading the backups", source: source.into() })?;
    backups.set_acts(servers.clone());
    let nodes = Nodes::new(store.clone(), agents.clone(), servers.clone(), config.agent_secret.as_ref());
    let upgrades = Upgrades::new(
        &config.upgrades,
        upgrades::Parts {
            data_dir: folder.clone(),
            store: store.clone(),
            agents: agents.clone(),
            transfers: streams.clone(),
            moves: transfers.clone(),
            tasks: tasks.clone(),
        },
    );
    let sftp = Sftp::new(sftp::Parts {
        auth: auth.clone(),
        files: files.clone(),
        keys: SshKeys::new(store.clone(), auth.clone()),
        tasks: tasks.clone(),
        port: ports.sftp.map(|address| address.port()),
        host_key: HostKey::open(&folder.join("secrets")).map_err(|source| StartError::Other {
            doing: "opening the key for SFTP",
            source: source.into(),
        })?,
    });
    let players = Players::new(store.clone(), agents.clone(), templates.clone());
    let reach = Reach::new(store.clone(), agents.clone(), ports.numbers());
    let shares = Shares::new(
        store.clone(),
        auth.clone(),
        servers.clone(),
        players.clone(),
        reach.clone(),
        templates.clone(),
    );
    let schedules = Schedules::new(store.clone(), agents.clone(), players.clone());
    let games = Games { servers, players, reach, shares, schedules, files, transfers, backups, sftp };
    let topics = router::topics(&games, &nodes, &status, &upgrades);
    let live = Live::new(auth.clone(), agents.clone(), topics, tasks.clone());
    let joining = EnrollmentConfig {
        public_url: config.public_url.clone(),
        page_port: ports.panel.port(),
        agents_port: ports.agents.port(),
        own_address: ports.agents.ip().is_unspecified().then(own_address),
        pin: Some(network.identity.pin()),
        programs: upgrades.programs().clone(),
    };
    let doctor = Doctor::new(
        Arc::clone(&config),
        (ports.panel.ip(), ports.numbers()),
        store.clone(),
        agents.clone(),
        network.name.clone(),
    );
    let imports = Imports::new(templates.clone(), fetcher.clone());
    let gallery = Gallery {
        sources: Sources::start(store.clone(), templates.clone(), imports.clone(), fetcher, &tasks),
        imports,
        templates,
        registries: Registries::new(store.clone()),
    };
    let features =
        Features { auth, users, setup, nodes, joining, gallery, games, upgrades, live, status, doctor };
    Ok(App { config, network, store, agents, features, tasks })
}

fn own_ports(ports: &Ports) -> OwnPorts {
    let mut own = vec![(ports.panel.port(), "its page"), (ports.agents.port(), "for agents")];
    own.extend(ports.sftp.map(|sftp| (sftp.port(), "files by SFTP")));
    own.extend(ports.health.map(|health| (health.port(), "the node's health")));
    OwnPorts(own)
}

fn signing_secret(config: &Config) -> Result<String, StartError> {
    match &config.jwt_secret {
        Some(given) => {
            if given.expose().len() < GOOD_SECRET {
                tracing::warn!(
                    "JWT_SECRET is short: whoever guesses it can act as anybody; use 32 characters or more"
                );
            }
            Ok(given.expose().to_owned())
        }
        None => Ok(private_files::secret(&config.data_dir.join("secrets/jwt"), || ids::random(64))?),
    }
}
