//! The agent protocol: the messages between a panel and an agent.
//!
//! Two enums, one per direction, in one envelope `{"type", "data"?, "messageId"?, "timestamp"}`. This crate only has
//! data and serde: no sockets, no engine, so that either side can use it without the other's libraries.
//!
//! The legacy protocol also has implementations outside this project (a Go agent, a TypeScript panel). Everything
//! marked "Extension" is ours, and only sent to a peer whose `system_info.capabilities` announced it.

mod answers;
mod backup_contents;
mod backup_found;
mod backup_proof;
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
mod players;
mod reach;
mod registries;
mod schedules;
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
pub use backup_contents::BackupList;
pub use backup_found::{BackupFound, FOUND_BACKUPS, FoundBackup};
pub use backup_proof::{BackupProof, TEST_LINES};
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
pub use file_streams::{
    FileReceive, FileSend, FileSftp, FileSource, FileTarget, UploadCreate, UploadInfo, UploadRef,
};
pub use files::{
    FileContent, FileEntries, FileEntry, FileInfo, FileKind, FileList, FileRead, FileRef, FileWrite, LISTED,
};
pub use ids::{NodeId, ServerId};
pub use nodes::{
    Capability, Engine, Firewall, Heartbeat, HostCheck, HostReport, ImageReport, NodeStats, Problem, Space,
    SystemInfo, capability,
};
pub use players::{PlayerEntry, PlayersQuery, PlayersReport, QueryProtocol};
pub use reach::{PortReach, ReachReport, RouterAllow, RouterReport};
pub use registries::{RegistryLogin, registry_host, registry_of};
pub use schedules::{
    OnFailure, SCHEDULE_RUNS, SCHEDULE_STEPS, SCHEDULE_WAIT, SCHEDULES, Schedule, ScheduleAction,
    ScheduleCondition, ScheduleRun, ScheduleRunNow, ScheduleStep, ScheduleStepRun, ScheduleTrigger,
    SchedulesReport, SchedulesSet,
};
pub use servers::{
    Behaviour, ContainerUser, Limits, Port, PowerAction, Protocol, ServerCreate, ServerDescription,
    ServerPower, ServerRef, ServerReinstall, ServerUpdate, StartupMode, Stop,
};
pub use stats::{Network, ServerStats, Stats, StatsHistory, StatsSubscribe};
pub use status::{Millis, Progress, ServerStatus, Status, Sync};
pub use templates::{ServerTemplate, TemplateFile, TemplateInstall, TemplateSetting, TemplateVariable};
pub use text::TextRule;
pub use to_agent::ToAgent;
pub use transfers::{Control, Summary, TransferPrepare, TransferReceive, TransferSend, TransferSize};
pub use upgrades::{UpgradeOutcome, UpgradeReceive};
pub use wire::{EncodeError, decode};

/// The header with the id of an agent process: random, and constant while it runs.
pub const AGENT_PROCESS: &str = "x-agent-process";

/// Agent to panel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum ToPanel {
    /// Sent every 30 s.
    Heartbeat(Heartbeat),
    /// Sent after connecting, on [`ToAgent::SystemInfoRequest`], and when something in it changes.
    SystemInfo(Box<SystemInfo>),
    /// The current status of a server.
    ServerStatus(Box<ServerStatus>),
    /// Console output for a panel that does not subscribe.
    ServerOutput(ServerOutput),
    /// The answer to both legacy file messages.
    FileContent(FileContent),
    /// A request was refused or failed.
    Error(ErrorReport),
    /// Extension: a request was accepted or done; carries its `messageId`.
    Ack(Ack),
    /// Extension: progress of long work; carries the `messageId` of the request.
    Progress(Progress),
    /// Extension: every server of the agent, sent after `system_info`.
    Sync(Sync),
    /// Extension: console lines.
    ConsoleLines(ConsoleLines),
    /// Extension: one stats sample of a running server.
    ServerStats(ServerStats),
    /// Extension: the stored samples of a server.
    StatsHistory(StatsHistory),
    /// Extension: one stats sample of the machine.
    NodeStats(NodeStats),
    /// Extension: answers [`ToAgent::HostCheck`].
    HostReport(HostReport),
    /// Extension: answers [`ToAgent::ServerDescribe`].
    ServerDescription(Box<ServerDescription>),
    /// Extension: answers [`ToAgent::TransferMeasure`].
    TransferSize(TransferSize),
    /// Extension: answers [`ToAgent::FileList`].
    FileEntries(FileEntries),
    /// Extension: answers [`ToAgent::FileStat`], and the messages that send or receive the content of a file.
    FileInfo(Box<FileInfo>),
    /// Extension: progress of a file job.
    FileProgress(FileProgress),
    /// Extension: answers [`ToAgent::FileOp`] when it is done.
    FileDone(FileDone),
    /// Extension: answers [`ToAgent::FileTrash`].
    FileTrashList(FileTrashList),
    /// Extension: answers [`ToAgent::FileVersions`].
    FileVersionList(FileVersionList),
    /// Extension: answers [`ToAgent::FileSearch`].
    FileMatches(FileMatches),
    /// Extension: answers [`ToAgent::DiskUsage`].
    DiskUsageReport(DiskUsageReport),
    /// Extension: answers [`ToAgent::UploadStat`], and the message that receives a piece of an upload.
    UploadInfo(UploadInfo),
    /// Extension: answers [`ToAgent::BackupQuery`].
    BackupReport(Box<BackupReport>),
    /// Extension: answers [`ToAgent::PlayersQuery`].
    PlayersReport(PlayersReport),
    /// Extension: answers [`ToAgent::ReachQuery`].
    ReachReport(ReachReport),
    /// Extension: answers [`ToAgent::SchedulesQuery`].
    SchedulesReport(SchedulesReport),
}
