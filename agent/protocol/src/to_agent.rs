//! Panel to agent: the list of messages.

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::bounded::{FILE, Inbound, LISTING, Limits, SETTINGS, USUAL};
use super::payload::Payload;
use super::{
    BackupList, BackupQuery, BackupRun, ConsoleSubscribe, ConsoleTail, DiskUsage, FileCancel, FileList,
    FileOp, FileRead, FileReceive, FileRef, FileSearch, FileSend, FileSftp, FileWrite, HostCheck,
    PlayersQuery, RegistryLogin, RouterAllow, ScheduleRunNow, SchedulesSet, ServerCommand, ServerCreate,
    ServerPower, ServerRef, ServerReinstall, ServerUpdate, StatsSubscribe, TransferPrepare, TransferReceive,
    TransferSend, UpgradeReceive, UploadCreate, UploadRef,
};

/// The list of all messages to an agent. A row has the type on the wire, the variant of [`ToAgent`] with its payload,
/// and the limits of a frame. The enum, its limits and the agent's dispatch are generated from it: `$then` is a macro
/// that gets all rows. A new message is a row here; it does not compile without a handler of its name in
/// `agent/src/handlers/`, and the tests fail without a golden sample.
#[macro_export]
macro_rules! each_message_to_agent {
    ($then:ident) => {
        $then! {
            /// Requests [`ToPanel::SystemInfo`](super::ToPanel::SystemInfo).
            system_info_request: SystemInfoRequest, USUAL;
            /// Creates a server and installs it. Refused if its id is known, unless the server was found in a legacy
            /// container and has no settings of its own yet.
            server_create: ServerCreate(spec: Box<ServerCreate>), SETTINGS;
            /// Changes settings; they apply at the next start.
            server_update: ServerUpdate(update: Box<ServerUpdate>), SETTINGS;
            /// Starts a server.
            server_start: ServerStart(server: ServerRef), USUAL;
            /// Stops a server: stop command or signal, then SIGTERM, then SIGKILL.
            server_stop: ServerStop(server: ServerRef), USUAL;
            /// Restarts a server.
            server_restart: ServerRestart(server: ServerRef), USUAL;
            /// Stops a server and deletes its container and data.
            server_delete: ServerDelete(server: ServerRef), USUAL;
            /// Stops a server and refuses starts until [`ToAgent::ServerUnsuspend`].
            server_suspend: ServerSuspend(server: ServerRef), USUAL;
            /// Ends a suspension.
            server_unsuspend: ServerUnsuspend(server: ServerRef), USUAL;
            /// Pulls the image again and runs the install script, if there is one.
            server_reinstall: ServerReinstall(server: ServerReinstall), USUAL;
            /// Extension: requests the output of the last installation, answered by
            /// [`ToPanel::FileContent`](super::ToPanel::FileContent).
            install_log: InstallLog(server: ServerRef), USUAL;
            /// Performs a power action by name; the only legacy message that can kill.
            server_power: ServerPower(power: ServerPower), USUAL;
            /// Writes one line to the game's standard input.
            server_command: ServerCommand(command: ServerCommand), USUAL;
            /// Reads a text file below the server's folder.
            file_read: FileRead(file: FileRead), USUAL;
            /// Writes a text file below the server's folder.
            file_write: FileWrite(file: FileWrite), FILE;
            /// Extension: cancels an installation; the server ends in `install_failed`.
            install_cancel: InstallCancel(server: ServerRef), USUAL;
            /// Extension: subscribes to a console, starting with its last lines.
            console_subscribe: ConsoleSubscribe(console: ConsoleSubscribe), USUAL;
            /// Extension: ends a [`ToAgent::ConsoleSubscribe`].
            console_unsubscribe: ConsoleUnsubscribe(server: ServerRef), USUAL;
            /// Extension: requests the last lines once, answered by
            /// [`ToPanel::ConsoleLines`](super::ToPanel::ConsoleLines) with the same `messageId`.
            console_tail: ConsoleTail(console: ConsoleTail), USUAL;
            /// Extension: sets the servers whose stats are sent every second; replaces the previous set.
            stats_subscribe: StatsSubscribe(stats: StatsSubscribe), USUAL;
            /// Extension: requests the stored samples of a server, answered by
            /// [`ToPanel::StatsHistory`](super::ToPanel::StatsHistory).
            stats_history: StatsHistory(server: ServerRef), USUAL;
            /// Extension: checks an image, ports and free space on this machine; answered by
            /// [`ToPanel::HostReport`](super::ToPanel::HostReport).
            host_check: HostCheck(check: HostCheck), USUAL;
            /// Extension: requests the agent's settings of a server; answered by
            /// [`ToPanel::ServerDescription`](super::ToPanel::ServerDescription).
            server_describe: ServerDescribe(server: ServerRef), USUAL;
            /// Extension: measures the data of a server; answered by
            /// [`ToPanel::TransferSize`](super::ToPanel::TransferSize).
            transfer_measure: TransferMeasure(server: ServerRef), USUAL;
            /// Extension: prepares for an incoming server by pulling its image. Answered when that is present.
            transfer_prepare: TransferPrepare(transfer: TransferPrepare), USUAL;
            /// Extension: opens a stream and sends a server's folder.
            transfer_send: TransferSend(transfer: TransferSend), USUAL;
            /// Extension: opens a stream and receives a server's folder.
            transfer_receive: TransferReceive(transfer: TransferReceive), USUAL;
            /// Extension: removes what was prepared or received for a server that will not arrive.
            transfer_discard: TransferDiscard(server: ServerRef), USUAL;
            /// Extension: opens a stream, receives and verifies the next version of the agent's program, and restarts
            /// with it.
            upgrade_receive: UpgradeReceive(upgrade: UpgradeReceive), USUAL;
            /// Extension: sets the login at an image registry for pulls requested by the next messages. Kept in memory
            /// for an hour.
            registry_login: RegistryLogin(login: RegistryLogin), USUAL;
            /// Extension: requests a page of a folder's entries, answered by
            /// [`ToPanel::FileEntries`](super::ToPanel::FileEntries).
            file_list: FileList(list: FileList), USUAL;
            /// Extension: requests one file or folder, answered by [`ToPanel::FileInfo`](super::ToPanel::FileInfo).
            file_stat: FileStat(file: FileRef), USUAL;
            /// Extension: changes files; answered by [`ToPanel::FileDone`](super::ToPanel::FileDone) when that is done.
            file_op: FileOp(op: FileOp), LISTING;
            /// Extension: cancels a file job or a search.
            file_cancel: FileCancel(job: FileCancel), USUAL;
            /// Extension: requests a server's trash, answered by
            /// [`ToPanel::FileTrashList`](super::ToPanel::FileTrashList).
            file_trash: FileTrash(server: ServerRef), USUAL;
            /// Extension: requests the previous versions of a file, answered by
            /// [`ToPanel::FileVersionList`](super::ToPanel::FileVersionList).
            file_versions: FileVersions(file: FileRef), USUAL;
            /// Extension: searches files, answered by [`ToPanel::FileMatches`](super::ToPanel::FileMatches).
            file_search: FileSearch(search: FileSearch), USUAL;
            /// Extension: requests the disk usage of a server's files, answered by
            /// [`ToPanel::DiskUsageReport`](super::ToPanel::DiskUsageReport).
            disk_usage: DiskUsage(usage: DiskUsage), USUAL;
            /// Extension: opens a stream and sends a file, or files as an archive.
            file_send: FileSend(send: FileSend), LISTING;
            /// Extension: opens a stream and receives a file, or a piece of an upload.
            file_receive: FileReceive(receive: FileReceive), USUAL;
            /// Extension: opens a stream connection and serves a server's files to an SFTP client of the panel.
            file_sftp: FileSftp(sftp: FileSftp), USUAL;
            /// Extension: begins an upload of a file in pieces.
            upload_create: UploadCreate(upload: UploadCreate), USUAL;
            /// Extension: requests the state of an upload, answered by
            /// [`ToPanel::UploadInfo`](super::ToPanel::UploadInfo).
            upload_stat: UploadStat(upload: UploadRef), USUAL;
            /// Extension: cancels an upload.
            upload_remove: UploadRemove(upload: UploadRef), USUAL;
            /// Extension: creates, restores or deletes backups of a server; answered when the job is accepted.
            backup_run: BackupRun(run: Box<BackupRun>), SETTINGS;
            /// Extension: requests the state of a backup job, answered by
            /// [`ToPanel::BackupReport`](super::ToPanel::BackupReport).
            backup_query: BackupQuery(job: BackupQuery), USUAL;
            /// Extension: requests a page of a folder in a backup, answered by
            /// [`ToPanel::FileEntries`](super::ToPanel::FileEntries).
            backup_list: BackupList(list: Box<BackupList>), USUAL;
            /// Extension: cancels a backup job.
            backup_cancel: BackupCancel(job: BackupQuery), USUAL;
            /// Extension: asks a running game who plays, answered by
            /// [`ToPanel::PlayersReport`](super::ToPanel::PlayersReport).
            players_query: PlayersQuery(query: PlayersQuery), USUAL;
            /// Extension: asks how players reach a server, answered by
            /// [`ToPanel::ReachReport`](super::ToPanel::ReachReport).
            reach_query: ReachQuery(server: ServerRef), USUAL;
            /// Extension: allows or forbids to have the router forward a server's ports.
            router_allow: RouterAllow(router: RouterAllow), USUAL;
            /// Extension: replaces the schedules of a server.
            schedules_set: SchedulesSet(set: Box<SchedulesSet>), SETTINGS;
            /// Extension: runs a schedule now.
            schedule_run: ScheduleRun(run: ScheduleRunNow), USUAL;
            /// Extension: requests the last runs of a server's schedules, answered by
            /// [`ToPanel::SchedulesReport`](super::ToPanel::SchedulesReport).
            schedules_query: SchedulesQuery(server: ServerRef), USUAL;
        }
    };
}

macro_rules! declare {
    (@bound) => { Ok(()) };
    (@bound $carried:ident) => { $carried.bound() };
    (@server_id) => { None };
    (@server_id $carried:ident) => { $carried.server_id() };
    ($(
        $(#[$doc:meta])*
        $kind:ident : $variant:ident $(($carried:ident : $payload:ty))?, $limits:ident;
    )*) => {
        /// Panel to agent.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type", content = "data", rename_all = "snake_case")]
        pub enum ToAgent {
            $($(#[$doc])* $variant $(($payload))?,)*
        }

        /// The types of a panel's messages, with their limits.
        pub(super) const KINDS: &[(&str, Limits)] = &[$((stringify!($kind), $limits),)*];

        impl Inbound for ToAgent {
            fn limits(kind: &str) -> Option<Limits> {
                KINDS.iter().find(|(name, _)| *name == kind).map(|(_, limits)| *limits)
            }

            fn bound(&mut self) -> Result<(), String> {
                match self {
                    $(Self::$variant $(($carried))? => declare!(@bound $($carried)?),)*
                }
            }
        }

        impl ToAgent {
            /// The server that the message is about; `None` if it is about the machine.
            #[must_use]
            pub fn server_id(&self) -> Option<&ServerId> {
                match self {
                    $(Self::$variant $(($carried))? => declare!(@server_id $($carried)?),)*
                }
            }
        }
    };
}

each_message_to_agent!(declare);
