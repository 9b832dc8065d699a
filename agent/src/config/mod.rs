//! What an agent is told at its start.

pub(crate) mod link_times;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use protocol::NodeId;
use tokio_util::sync::CancellationToken;

use crate::firewall::game_networks::GameNetworks;
use crate::streams::StreamOpener;
use crate::upgrades::release::ReleaseKey;

/// How patient we are with games that crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Before the first restart, the second, …; the last one counts for all after it.
    pub delays: Vec<Duration>,
    /// So many restarts …
    pub restarts: usize,
    /// … within this time, and it is given up.
    pub window: Duration,
    /// A run of this length clears what was before it.
    pub good_run: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            delays: vec![seconds(2), seconds(10), seconds(30)],
            restarts: 3,
            window: seconds(600),
            good_run: seconds(600),
        }
    }
}

/// Times and rates; the defaults are for people, tests are less patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunables {
    /// With games that crash.
    pub patience: RestartPolicy,
    /// From SIGTERM to SIGKILL, where the stop did not begin with SIGTERM.
    pub grace: Duration,
    /// Between two looks for an engine that is away.
    pub probe_away: Duration,
    /// Between two looks at an engine that is there.
    pub probe_there: Duration,
    /// How long an engine may take to answer a look.
    pub probe_deadline: Duration,
    /// Between two starts that nobody clicked: after a boot, or when the engine is back.
    pub stagger: Duration,
    /// A console that has said nothing for so long is compared with the engine's log, and its container looked at.
    pub console_check: Duration,
    /// Between two heartbeats.
    pub heartbeat: Duration,
    /// Between two samples of a server that nobody watches.
    pub sample_idle: Duration,
    /// How long an install script may take.
    pub install_limit: Duration,
}

impl Default for Tunables {
    fn default() -> Self {
        Self {
            patience: RestartPolicy::default(),
            grace: Duration::from_secs(10),
            probe_away: Duration::from_secs(2),
            probe_there: Duration::from_secs(15),
            probe_deadline: Duration::from_secs(5),
            stagger: Duration::from_millis(500),
            console_check: Duration::from_secs(30),
            heartbeat: Duration::from_secs(30),
            sample_idle: Duration::from_secs(10),
            install_limit: Duration::from_secs(3_600),
        }
    }
}

/// What an agent is told at its start.
#[derive(Clone, Debug, Default)]
pub struct AgentConfig {
    /// Its node's id.
    pub node_id: NodeId,
    /// Holds `servers/ID` and `agent/ID.json`.
    pub data_dir: PathBuf,
    /// As `DOCKER_HOST`; none for the usual sockets of Docker and Podman.
    pub docker_host: Option<String>,
    /// The version that is told to the panel.
    pub version: String,
    /// `TZ` of the games; none for this machine's own.
    pub timezone: Option<String>,
    /// Times and rates.
    pub tunables: Tunables,
    /// Opens connections for servers' data; none: servers can't move here or away.
    pub carrier: Option<Arc<dyn StreamOpener>>,
    /// Cancelled, it ends this process for a guard that starts it again with the program that was staged; none: nobody does.
    pub guard: Option<CancellationToken>,
    /// The key of releases: what it has not signed does not run here. None: no program is taken from a panel.
    pub release_key: Option<ReleaseKey>,
    /// Learns where games are: this process's own ports refuse them.
    pub networks: GameNetworks,
    /// True: no firewall rules are set for games.
    pub no_firewall: bool,
}

/// This machine's time zone by name, `UTC` where it has none.
pub(crate) fn timezone() -> String {
    let from_env = std::env::var("TZ").ok().map(|tz| tz.trim_start_matches(':').to_owned());
    let from_file = || std::fs::read_to_string("/etc/timezone").ok().map(|text| text.trim().to_owned());
    let from_link = || {
        let target = std::fs::read_link("/etc/localtime").ok()?;
        Some(target.to_str()?.split_once("zoneinfo/")?.1.to_owned())
    };
    let named = |tz: &String| !tz.is_empty() && tz.len() < 64 && tz.bytes().all(|b| b.is_ascii_graphic());
    from_env
        .filter(named)
        .or_else(|| from_link().filter(named))
        .or_else(|| from_file().filter(named))
        .unwrap_or_else(|| "UTC".into())
}
