//! The agent protocol: what a panel and an agent say to each other.
//!
//! Two enums, one per direction, in one envelope `{"type", "data"?, "messageId"?, "timestamp"}`. This module is
//! serde only: no sockets, no engine, so that the panel can import it without the rest of the agent.
//!
//! Part 1 of the protocol exists outside this project (a Go agent, a TypeScript panel). Part 2 are our extensions:
//! they are only sent to a peer whose `system_info.capabilities` told of them.

mod bounded;
pub mod commands;
mod console;
mod envelope;
mod files;
mod lenient;
mod nodes;
mod servers;
mod stats;
mod text;
mod to_agent;
mod to_panel;
mod transfers;
mod upgrades;
mod wire;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use bounded::{Inbound, Limits as FrameLimits};
pub use console::{
    ConsoleItem, ConsoleLine, ConsoleLines, ConsolePartial, ConsoleSubscribe, ConsoleTail, ServerCommand,
    ServerOutput, Stream, fingerprint,
};
pub use envelope::{DecodeError, Envelope, decode};
pub use files::{FileContent, FileRead, FileWrite};
pub use nodes::{
    Capability, Engine, Firewall, Heartbeat, HostCheck, HostReport, NodeStats, Problem, Space, SystemInfo,
    capability, problem_code,
};
pub use servers::{
    Behaviour, ContainerUser, Limits, Port, PowerAction, Progress, Protocol, ServerCreate, ServerDescription,
    ServerPower, ServerRef, ServerStatus, ServerUpdate, StartupMode, Status, Stop, Sync,
};
pub use stats::{Network, ServerStats, Stats, StatsHistory, StatsSubscribe};
pub use text::TextRule;
pub use transfers::{Control, Summary, TransferPrepare, TransferReceive, TransferSend, TransferSize};
pub use upgrades::{UpgradeOutcome, UpgradeReceive};
pub use wire::{EncodeError, Encoding};

/// The header in which our agents say which process they are: a random word, the same as long as it lives.
pub const AGENT_PROCESS: &str = "x-agent-process";

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// Panel to agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum ToAgent {
    /// Asks for [`ToPanel::SystemInfo`].
    SystemInfoRequest,
    /// Takes a server over into the agent's care and fetches its image; a known id is updated to this.
    ServerCreate(Box<ServerCreate>),
    /// Changes settings, in force at the next start.
    ServerUpdate(Box<ServerUpdate>),
    /// Starts a server.
    ServerStart(ServerRef),
    /// Stops a server: stop command or signal, then SIGTERM, then SIGKILL.
    ServerStop(ServerRef),
    /// Stop, then start.
    ServerRestart(ServerRef),
    /// Stops a server, removes its container and data, forgets it.
    ServerDelete(ServerRef),
    /// Stops a server and refuses starts until [`ToAgent::ServerUnsuspend`].
    ServerSuspend(ServerRef),
    /// Ends a suspension.
    ServerUnsuspend(ServerRef),
    /// Fetches the image again (and runs the install step, where there is one).
    ServerReinstall(ServerRef),
    /// One power action by name; the only one of part 1 that can kill.
    ServerPower(ServerPower),
    /// One line for the game's standard input.
    ServerCommand(ServerCommand),
    /// Reads a text file below the server's folder.
    FileRead(FileRead),
    /// Writes a text file below the server's folder.
    FileWrite(FileWrite),
    /// Part 2: breaks a running install off; the server ends in `install_failed`.
    InstallCancel(ServerRef),
    /// Part 2: lines of this console are wanted, beginning with the ring's last ones.
    ConsoleSubscribe(ConsoleSubscribe),
    /// Part 2: and no longer.
    ConsoleUnsubscribe(ServerRef),
    /// Part 2: the last lines, once, answered by [`ToPanel::ConsoleLines`] with the same `messageId`.
    ConsoleTail(ConsoleTail),
    /// Part 2: whose stats are wanted each second; replaces the last set.
    StatsSubscribe(StatsSubscribe),
    /// Part 2: the kept samples of a server, answered by [`ToPanel::StatsHistory`].
    StatsHistory(ServerRef),
    /// Part 2: what this host says of an image, of ports and of its room; answered by [`ToPanel::HostReport`].
    HostCheck(HostCheck),
    /// Part 2: what the agent keeps of a server; answered by [`ToPanel::ServerDescription`].
    ServerDescribe(ServerRef),
    /// Part 2: how much there is to send of a server; answered by [`ToPanel::TransferSize`].
    TransferMeasure(ServerRef),
    /// Part 2: a server is to come here: fetches its image. Answered when it is there.
    TransferPrepare(TransferPrepare),
    /// Part 2: dials for a transfer and sends a server's folder.
    TransferSend(TransferSend),
    /// Part 2: dials for a transfer and takes a server's folder.
    TransferReceive(TransferReceive),
    /// Part 2: no server will come of what was prepared or received: it is removed.
    TransferDiscard(ServerRef),
    /// Part 2: dials for the next version of the agent's program, takes it and starts anew with it.
    UpgradeReceive(UpgradeReceive),
}

/// Agent to panel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum ToPanel {
    /// Every 30 s.
    Heartbeat(Heartbeat),
    /// Unasked after connecting, on [`ToAgent::SystemInfoRequest`], and again when something in it changes.
    SystemInfo(Box<SystemInfo>),
    /// What a server is now.
    ServerStatus(Box<ServerStatus>),
    /// Console output for a panel that never subscribes.
    ServerOutput(ServerOutput),
    /// The answer to both file messages.
    FileContent(FileContent),
    /// A request that was refused or failed.
    Error(ErrorReport),
    /// Part 2: a request is accepted or done; carries the `messageId` of what it answers.
    Ack(Ack),
    /// Part 2: long work goes on; carries the `messageId`.
    Progress(Progress),
    /// Part 2: everything that the agent has, after `system_info`.
    Sync(Sync),
    /// Part 2: console lines.
    ConsoleLines(ConsoleLines),
    /// Part 2: one sample of one running server.
    ServerStats(ServerStats),
    /// Part 2: the kept samples of one server.
    StatsHistory(StatsHistory),
    /// Part 2: one sample of the machine.
    NodeStats(NodeStats),
    /// Part 2: answers [`ToAgent::HostCheck`].
    HostReport(HostReport),
    /// Part 2: answers [`ToAgent::ServerDescribe`].
    ServerDescription(Box<ServerDescription>),
    /// Part 2: answers [`ToAgent::TransferMeasure`].
    TransferSize(TransferSize),
}

/// `ack`: nothing, or the state in which the request left the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    /// The state at the moment of the answer, for power actions and installs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// `error`: `code` is one of the API's error codes where the agent is ours, any word from others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReport {
    /// Machine-readable word, such as `already_running` or `HANDLER_ERROR`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub code: String,
    /// One sentence for a person.
    #[serde(default, deserialize_with = "lenient::text")]
    pub message: String,
    /// Anything more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// Part 2: whose server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
}

/// A server id: `^[a-z0-9][a-z0-9-]{0,63}$`, checked by both sides because it becomes a folder and a container name.
#[must_use]
pub fn valid_server_id(id: &str) -> bool {
    let bytes = id.as_bytes();
    let word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    bytes.len() <= 64 && bytes.first().is_some_and(word) && bytes.iter().all(|b| word(b) || *b == b'-')
}

/// A node id: `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`.
#[must_use]
pub fn valid_node_id(id: &str) -> bool {
    let bytes = id.as_bytes();
    bytes.len() <= 64
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}
