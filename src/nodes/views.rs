//! Nodes as JSON.

use std::collections::BTreeMap;

use protocol::{self as wire, SystemInfo};
use serde::Serialize;
use storage::nodes::Node;
use storage::servers::Placed;
use utoipa::ToSchema;

use super::resolution::Resolution;
use crate::agents::{self, Difference, LinkSnapshot, NodeSnapshot, local};
use crate::servers::ServerStatus;
use crate::status::Problem;
use crate::system::clock;
use crate::system::clock::rfc3339;

/// A machine with an agent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Node)]
pub struct NodeView {
    /// The agent's own id.
    pub id: String,
    /// Which state this is of its name and of whether it takes new servers. In quotes it is the `ETag`.
    pub revision: String,
    /// What people call it.
    pub name: String,
    /// Its agent is connected.
    pub online: bool,
    /// It is the panel's own machine.
    pub local: bool,
    /// The agent's last word on its machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemView>,
    /// When its agent was last heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// What its agent can do.
    pub capabilities: Vec<String>,
    /// What the machine uses, where somebody has looked in the last seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageView>,
    /// Its container engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineView>,
    /// Milliseconds to its agent and back; for administrators, as all of its link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Milliseconds by which its clock is ahead of the panel's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_ms: Option<i64>,
    /// Its agent came by TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure: Option<bool>,
    /// How its agent's messages are written: `json` or `msgpack`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// What is wrong there; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problems: Option<Vec<Problem>>,
    /// Servers that are placed there.
    pub servers: usize,
    /// Memory that is promised to them, in bytes; those without a limit are not counted.
    pub promised_memory: i64,
    /// No new servers are placed there.
    pub draining: bool,
    /// When it was first known; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// What its agent comes in by; for administrators, and not of the panel's own machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretView>,
    /// Servers about which the node and the panel do not agree, while it is online; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<Vec<DifferenceView>>,
    /// Its agent is a legacy agent and can't do all that ours can: `problems` says what.
    pub limited: bool,
}

/// What a node's agent comes in by. Never the secret itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NodeSecret)]
pub struct SecretView {
    /// The kind of secret.
    pub kind: SecretKind,
    /// When an agent last came with it, to about a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// Until when the one before it opens too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_until: Option<String>,
}

/// What a node's agent comes in by.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = NodeSecretKind)]
pub enum SecretKind {
    /// A secret of its own.
    Own,
    /// The secret that all agents may share.
    Shared,
    /// None: it was taken away.
    Revoked,
}

/// A server about which a node and the panel do not agree.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Difference)]
pub struct DifferenceView {
    /// The server's id.
    pub server_id: String,
    /// How they disagree.
    pub kind: DifferenceKind,
    /// In a sentence.
    pub detail: String,
    /// What the node says of one that is unknown here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ServerStatus>,
    /// What can be done about it.
    pub actions: Vec<Resolution>,
}

/// How a node and the panel do not agree.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DifferenceKind)]
pub enum DifferenceKind {
    /// The node had it, and has it no more.
    Missing,
    /// The node has it, and the panel does not know it there.
    Unknown,
    /// The node would not take changed settings.
    Changed,
}

impl DifferenceView {
    fn new(server_id: String, difference: Difference) -> Self {
        Self {
            server_id,
            kind: match difference.kind {
                agents::DifferenceKind::Missing => DifferenceKind::Missing,
                agents::DifferenceKind::Unknown => DifferenceKind::Unknown,
                agents::DifferenceKind::Changed => DifferenceKind::Changed,
            },
            actions: Resolution::of(&difference).to_vec(),
            status: difference.status.map(|status| ServerStatus::of(&status.status)),
            detail: difference.detail,
        }
    }
}

impl SecretView {
    fn new(node: &Node) -> Self {
        let kind = match &node.secret_hash {
            _ if node.revoked => SecretKind::Revoked,
            Some(_) => SecretKind::Own,
            None => SecretKind::Shared,
        };
        let old = node.old_secret.as_ref().filter(|old| old.until > clock::now());
        Self {
            kind,
            last_used: node.secret_used_at.map(rfc3339),
            old_until: old.map(|old| rfc3339(old.until)),
        }
    }
}

/// A machine. Whoever is no administrator sees `os`, `arch` and `networks` only.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SystemInfo)]
pub struct SystemView {
    /// `linux`.
    pub os: String,
    /// In Docker's words.
    pub arch: String,
    /// Interface name to address.
    pub networks: BTreeMap<String, String>,
    /// The agent's own id of its node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// The engine's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_version: Option<String>,
    /// What its agent can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
    /// The host's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Kernel release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// Logical cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// `v1` or `v2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// The agent's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// Where servers' folders lie, as the host has them where the agent is in a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<String>,
}

/// What a machine uses.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = NodeUsage)]
pub struct UsageView {
    /// Percent of the whole machine.
    pub cpu: f64,
    /// Memory.
    pub memory: SpaceView,
    /// The file system of the data folder.
    pub disk: SpaceView,
    /// When it was looked at.
    pub timestamp: String,
}

/// Bytes of something that fills up.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Space)]
pub struct SpaceView {
    /// In use.
    pub used: u64,
    /// In all.
    pub total: u64,
}

/// A container engine.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Engine)]
pub struct EngineView {
    /// Whether the engine answers.
    pub available: bool,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The API version that was agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Why it does not answer; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A new node.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeMade {
    /// Its id.
    pub id: String,
    /// Its agent's secret, shown this once.
    pub secret: String,
    /// What to run there.
    pub join_command: String,
}

impl NodeView {
    /// Combines a node's record with its current snapshot.
    pub fn new(node: Node, seen: NodeSnapshot, placed: Placed, admin: bool) -> Self {
        let link = if admin { seen.link } else { LinkSnapshot::default() };
        let system = seen.system;
        let engine = system.as_ref().and_then(|system| system.engine.as_ref()).filter(|_| seen.online);
        let told = system.as_ref().map(|system| system.problems.as_slice()).filter(|_| seen.online);
        let problems = told.unwrap_or_default().iter().chain(&seen.problems).map(|problem| Problem {
            code: problem.code.to_string(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        });
        Self {
            latency_ms: link.latency_ms.map(|latency| (latency * 10.0).round() / 10.0),
            clock_skew_ms: link.clock_skew_ms,
            secure: link.secure,
            encoding: link.encoding.map(ToOwned::to_owned),
            local: node.id == local::NODE_ID,
            online: seen.online,
            last_seen: seen.last_heard.or(node.last_seen).map(rfc3339),
            capabilities: system.as_ref().map(|system| system.capabilities.clone()).unwrap_or_default(),
            usage: seen.usage.as_ref().map(UsageView::from),
            engine: engine.map(|engine| EngineView {
                available: engine.available,
                version: engine.version.clone(),
                api_version: engine.api_version.clone(),
                error: engine.error.clone().filter(|_| admin),
            }),
            problems: admin.then(|| problems.collect()),
            system: system.map(|system| SystemView::new(system, admin)),
            servers: placed.servers,
            promised_memory: placed.memory,
            draining: node.draining,
            created_at: admin.then(|| rfc3339(node.created_at)),
            secret: (admin && node.id != local::NODE_ID).then(|| SecretView::new(&node)),
            differences: admin.then(|| {
                seen.differences
                    .into_iter()
                    .map(|(id, difference)| DifferenceView::new(id.into_string(), difference))
                    .collect()
            }),
            limited: seen.limited,
            revision: super::revision(&node),
            id: node.id.into_string(),
            name: node.name,
        }
    }
}

impl SystemView {
    fn new(system: SystemInfo, admin: bool) -> Self {
        let SystemInfo { os, arch, networks, .. } = system;
        let open = Self { os, arch, networks, ..Self::default() };
        if !admin {
            return open;
        }
        Self {
            node_id: Some(system.node_id.into_string()),
            memory: Some(system.memory),
            cpu: Some(system.cpu),
            docker_version: system.docker_version,
            capabilities: Some(system.capabilities),
            hostname: system.hostname,
            kernel: system.kernel,
            cores: system.cores,
            cgroup: system.cgroup,
            agent_version: system.agent_version,
            data_dir: system.data_dir,
            ..open
        }
    }
}

impl From<&wire::NodeStats> for UsageView {
    fn from(stats: &wire::NodeStats) -> Self {
        let space = |space: wire::Space| SpaceView { used: space.used, total: space.total };
        Self {
            cpu: if stats.cpu.is_finite() { stats.cpu.clamp(0.0, 100.0) } else { 0.0 },
            memory: space(stats.memory),
            disk: space(stats.disk),
            timestamp: stats.timestamp.to_string(),
        }
    }
}
