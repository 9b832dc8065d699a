//! The agent protocol: what a panel and an agent say to each other.
//!
//! Two enums, one per direction, in one envelope `{"type", "data"?, "messageId"?, "timestamp"}`. This crate is
//! serde only: no sockets, no engine, so that whoever speaks the protocol needs nothing else of the other side.
//!
//! Part 1 of the protocol exists outside this project (a Go agent, a TypeScript panel). Part 2 are our extensions:
//! they are only sent to a peer whose `system_info.capabilities` told of them.

mod answers;
mod backup_targets;
mod backups;
mod bounded;
mod codes;
pub mod commands;
mod console;
mod encoding;
mod envelope;
mod file_jobs;
pub mod file_paths;
mod file_search;
mod file_streams;
mod files;
mod lenient;
mod nodes;
mod payload;
mod registries;
mod servers;
mod stats;
mod status;
mod templates;
mod text;
mod to_agent;
mod to_panel;
mod transfers;
mod upgrades;
mod wire;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use answers::{Ack, ErrorReport};
pub use backup_targets::{BackupLimits, BackupLocation, BackupSpace};
pub use backups::{
    BackupAction, BackupError, BackupQuery, BackupQuiesce, BackupReport, BackupRepository, BackupRun,
    BackupState,
};
pub use bounded::{Inbound, Limits as FrameLimits};
pub use codes::{ErrorCode, ProblemCode};
pub use console::{
    ConsoleItem, ConsoleLine, ConsoleLines, ConsolePartial, ConsoleSubscribe, ConsoleTail, ServerCommand,
    ServerOutput, Stream, fingerprint,
};
pub use encoding::Encoding;
pub use envelope::{DecodeError, Envelope};
pub use file_jobs::{
    ArchiveFormat, FileAction, FileCancel, FileDone, FileOp, FileProgress, FileTrashList, FileVersion,
    FileVersionList, PATHS, SKIPPED, Skipped, TrashEntry, Trashed,
};
pub use file_search::{DiskUsage, DiskUsageReport, FileMatch, FileMatches, FileSearch, LargeFile, MATCHES};
pub use file_streams::{FileReceive, FileSend, FileSource, FileTarget, UploadCreate, UploadInfo, UploadRef};
pub use files::{
    FileContent, FileEntries, FileEntry, FileInfo, FileKind, FileList, FileRead, FileRef, FileWrite, LISTED,
};
pub use ids::{NodeId, ServerId};
pub use nodes::{
    Capability, Engine, Firewall, Heartbeat, HostCheck, HostReport, ImageReport, NodeStats, Problem, Space,
    SystemInfo, capability,
};
pub use registries::{RegistryLogin, registry_host, registry_of};
pub use servers::{
    Behaviour, ContainerUser, Limits, Port, PowerAction, Protocol, ServerCreate, ServerDescription,
    ServerPower, ServerRef, ServerReinstall, ServerUpdate, StartupMode, Stop,
};
pub use stats::{Network, ServerStats, Stats, StatsHistory, StatsSubscribe};
pub use status::{Progress, ServerStatus, Status, Sync};
pub use templates::{ServerTemplate, TemplateFile, TemplateInstall, TemplateSetting, TemplateVariable};
pub use text::TextRule;
pub use to_agent::ToAgent;
pub use transfers::{Control, Summary, TransferPrepare, TransferReceive, TransferSend, TransferSize};
pub use upgrades::{UpgradeOutcome, UpgradeReceive};
pub use wire::{EncodeError, decode};

/// The header in which our agents say which process they are: a random word, the same as long as it lives.
pub const AGENT_PROCESS: &str = "x-agent-process";

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

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
    /// Part 2: answers [`ToAgent::FileList`].
    FileEntries(FileEntries),
    /// Part 2: answers [`ToAgent::FileStat`], and the messages that send or receive the content of a file.
    FileInfo(Box<FileInfo>),
    /// Part 2: a job on files goes on.
    FileProgress(FileProgress),
    /// Part 2: answers [`ToAgent::FileOp`] when it is done.
    FileDone(FileDone),
    /// Part 2: answers [`ToAgent::FileTrash`].
    FileTrashList(FileTrashList),
    /// Part 2: answers [`ToAgent::FileVersions`].
    FileVersionList(FileVersionList),
    /// Part 2: answers [`ToAgent::FileSearch`].
    FileMatches(FileMatches),
    /// Part 2: answers [`ToAgent::DiskUsage`].
    DiskUsageReport(DiskUsageReport),
    /// Part 2: answers [`ToAgent::UploadStat`], and the message that receives a piece of an upload.
    UploadInfo(UploadInfo),
    /// Part 2: answers [`ToAgent::BackupQuery`].
    BackupReport(Box<BackupReport>),
}
