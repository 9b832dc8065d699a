//! The machine: facts, resources and problems. Read directly from `/proc` and `/sys`.

pub mod cgroup;
mod cpu;
pub mod hostpath;
mod networks;
mod ports;
mod problems;
mod sources;
pub mod space;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

pub use ports::ports_taken;
pub use problems::size;
use protocol::{Engine, HostReport, NodeId, NodeStats, Port, Problem, SystemInfo};
pub use sources::Sources;

use crate::host::hostpath::KnownPaths;

/// Variables that the agent sets as defaults for a game and that a user may want to set.
const OURS: [&str; 6] = ["HOME", "SERVER_IP", "SERVER_MEMORY", "SERVER_PORT", "STARTUP", "TZ"];
/// Maximum bytes of an image's variable in a report.
const LONGEST_VALUE: usize = 256;

/// The machine's own addresses, without loopback and interfaces of container engines.
#[must_use]
pub fn addresses() -> Vec<IpAddr> {
    // The address of the default route appears twice, once as `default`.
    let named = networks().into_iter().filter(|(name, _)| name != "default");
    named.filter_map(|(_, address)| address.parse().ok()).collect()
}

/// Its networks: interface name to address, and under `default` the one with the default route. Without loopback and
/// interfaces of container engines.
#[must_use]
pub fn networks() -> BTreeMap<String, String> {
    networks::networks(&Sources::default())
}

/// Bytes that the kernel would give without swapping; none where that cannot be told.
#[must_use]
pub fn free_memory() -> Option<u64> {
    let memory = space::memory(&Sources::default());
    (memory.total > 0).then(|| memory.total.saturating_sub(memory.used))
}

/// The machine's name; `None` if it has none.
#[must_use]
pub fn hostname(sources: &Sources) -> Option<String> {
    let name = sources.proc("sys/kernel/hostname");
    let name = name.trim();
    (!name.is_empty() && name != "(none)" && name != "localhost").then(|| name.to_owned())
}

/// The machine that this agent runs on. All calls are a few small reads.
#[derive(Debug)]
pub struct Host {
    node_id: NodeId,
    data_dir: PathBuf,
    paths: KnownPaths,
    sources: Sources,
    last_cpu: Mutex<Option<cpu::Times>>,
}

impl Host {
    /// `data_dir` is the folder of the servers' data; its file system is the one measured.
    #[must_use]
    pub fn new(node_id: impl Into<NodeId>, data_dir: impl Into<PathBuf>) -> Self {
        Self::with_sources(node_id.into(), data_dir.into(), Sources::default())
    }

    /// Sets the paths of its folders on the engine's host.
    #[must_use]
    pub fn seen_by(mut self, paths: KnownPaths) -> Self {
        self.paths = paths;
        self
    }

    /// A machine with other sources, for tests.
    #[must_use]
    pub fn with_sources(node_id: NodeId, data_dir: PathBuf, sources: Sources) -> Self {
        let last_cpu = Mutex::new(cpu::times(&sources));
        Self { node_id, data_dir, paths: KnownPaths::default(), sources, last_cpu }
    }

    /// The machine's facts and problems.
    #[must_use]
    pub fn system_info(&self, engine: &Engine, version: &str, capabilities: &[&str]) -> SystemInfo {
        let text =
            |name: &str| Some(self.sources.proc(name).trim().to_owned()).filter(|text| !text.is_empty());
        let cores = cpu::cores(&self.sources);
        SystemInfo {
            node_id: self.node_id.clone(),
            os: "linux".into(),
            arch: cpu::arch().into(),
            memory: space::memory(&self.sources).total,
            cpu: cpu::describe(&self.sources, cores),
            docker_version: engine.version.clone().filter(|_| engine.available),
            capabilities: capabilities.iter().map(|&word| word.to_owned()).collect(),
            networks: networks::networks(&self.sources),
            hostname: text("sys/kernel/hostname"),
            kernel: text("sys/kernel/osrelease"),
            cores: Some(cores),
            cgroup: cgroup::version(&self.sources).map(Into::into),
            agent_version: Some(version.to_owned()),
            data_dir: Some(self.paths.shown(&self.data_dir).display().to_string()),
            engine: Some(engine.clone()),
            firewall: None,
            problems: self.problems(engine),
            upgrade: None,
        }
    }

    /// Current usage; the CPU value covers the time since the last call (since [`Host::new`] for the first).
    #[must_use]
    pub fn node_stats(&self) -> NodeStats {
        let now = cpu::times(&self.sources);
        let mut last = self.last_cpu.lock().unwrap_or_else(PoisonError::into_inner);
        let cpu = match (*last, now) {
            (Some(last), Some(now)) => cpu::percent(last, now),
            _ => 0.0,
        };
        *last = now;
        drop(last);
        NodeStats {
            cpu,
            memory: space::memory(&self.sources),
            disk: space::disk(&self.data_dir).unwrap_or_default(),
            timestamp: Timestamp::now(),
        }
    }

    /// Problems, worst first, each with advice.
    #[must_use]
    pub fn problems(&self, engine: &Engine) -> Vec<Problem> {
        let folder = problems::Folder { here: &self.data_dir, paths: &self.paths };
        problems::problems(&self.sources, &folder, engine, Timestamp::now())
    }

    /// Reports on an image (its variables, if the engine has it), ports and free space. Opens sockets for a moment.
    #[must_use]
    pub fn report(&self, image: Option<BTreeMap<String, String>>, ports: &[Port]) -> HostReport {
        HostReport {
            image: None,
            image_present: image.is_some(),
            image_environment: image.map(told_of_image).unwrap_or_default(),
            ports_taken: ports_taken(ports),
            memory: space::memory(&self.sources),
            disk: space::disk(&self.data_dir).unwrap_or_default(),
        }
    }

    /// The data folder.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

/// The variables of an image that override our defaults.
fn told_of_image(mut environment: BTreeMap<String, String>) -> BTreeMap<String, String> {
    environment.retain(|name, value| {
        OURS.contains(&name.as_str()) && !value.is_empty() && value.len() <= LONGEST_VALUE
    });
    environment
}

#[cfg(test)]
mod tests;
