//! Panel to agent: the list of messages.

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::bounded::{FILE, Inbound, LISTING, Limits, SETTINGS, USUAL};
use super::payload::Payload;
use super::{
    BackupQuery, BackupRun, ConsoleSubscribe, ConsoleTail, DiskUsage, FileCancel, FileList, FileOp, FileRead,
    FileReceive, FileRef, FileSearch, FileSend, FileWrite, HostCheck, RegistryLogin, ServerCommand,
    ServerCreate, ServerPower, ServerRef, ServerReinstall, ServerUpdate, StatsSubscribe, TransferPrepare,
    TransferReceive, TransferSend, UpgradeReceive, UploadCreate, UploadRef,
};

/// THE list of the messages to an agent. A row: the type on the wire, the variant of [`ToAgent`] with what it carries,
/// and how large a frame may be. The enum, its limits and the agent's dispatch are made from it: `$then` is a macro that
/// gets all rows. A new message is a row here; it does not compile without a handler of its name in `agent/src/handlers/`,
/// and the tests fail without a golden sample.
#[macro_export]
macro_rules! each_message_to_agent {
    ($then:ident) => {
        $then! {
            /// Asks for [`ToPanel::SystemInfo`](super::ToPanel::SystemInfo).
            system_info_request: SystemInfoRequest, USUAL;
            /// Takes a server over into the agent's care and fetches its image. An id that is known already is refused,
            /// unless that server was found made by a legacy agent and has no settings of its own yet.
            server_create: ServerCreate(spec: Box<ServerCreate>), SETTINGS;
            /// Changes settings, in force at the next start.
            server_update: ServerUpdate(update: Box<ServerUpdate>), SETTINGS;
            /// Starts a server.
            server_start: ServerStart(server: ServerRef), USUAL;
            /// Stops a server: stop command or signal, then SIGTERM, then SIGKILL.
            server_stop: ServerStop(server: ServerRef), USUAL;
            /// Stop, then start.
            server_restart: ServerRestart(server: ServerRef), USUAL;
            /// Stops a server, removes its container and data, forgets it.
            server_delete: ServerDelete(server: ServerRef), USUAL;
            /// Stops a server and refuses starts until [`ToAgent::ServerUnsuspend`].
            server_suspend: ServerSuspend(server: ServerRef), USUAL;
            /// Ends a suspension.
            server_unsuspend: ServerUnsuspend(server: ServerRef), USUAL;
            /// Fetches the image again (and runs the install step, where there is one).
            server_reinstall: ServerReinstall(server: ServerReinstall), USUAL;
            /// Part 2: what the last installation printed, answered by
            /// [`ToPanel::FileContent`](super::ToPanel::FileContent).
            install_log: InstallLog(server: ServerRef), USUAL;
            /// One power action by name; the only one of part 1 that can kill.
            server_power: ServerPower(power: ServerPower), USUAL;
            /// One line for the game's standard input.
            server_command: ServerCommand(command: ServerCommand), USUAL;
            /// Reads a text file below the server's folder.
            file_read: FileRead(file: FileRead), USUAL;
            /// Writes a text file below the server's folder.
            file_write: FileWrite(file: FileWrite), FILE;
            /// Part 2: breaks a running install off; the server ends in `install_failed`.
            install_cancel: InstallCancel(server: ServerRef), USUAL;
            /// Part 2: starts sending the lines of a console, beginning with the last ones of its ring.
            console_subscribe: ConsoleSubscribe(console: ConsoleSubscribe), USUAL;
            /// Part 2: ends a [`ToAgent::ConsoleSubscribe`].
            console_unsubscribe: ConsoleUnsubscribe(server: ServerRef), USUAL;
            /// Part 2: the last lines, once, answered by [`ToPanel::ConsoleLines`](super::ToPanel::ConsoleLines) with the
            /// same `messageId`.
            console_tail: ConsoleTail(console: ConsoleTail), USUAL;
            /// Part 2: whose stats are sent each second; replaces the last set.
            stats_subscribe: StatsSubscribe(stats: StatsSubscribe), USUAL;
            /// Part 2: the kept samples of a server, answered by [`ToPanel::StatsHistory`](super::ToPanel::StatsHistory).
            stats_history: StatsHistory(server: ServerRef), USUAL;
            /// Part 2: what this host says of an image, of ports and of its room; answered by
            /// [`ToPanel::HostReport`](super::ToPanel::HostReport).
            host_check: HostCheck(check: HostCheck), USUAL;
            /// Part 2: what the agent keeps of a server; answered by
            /// [`ToPanel::ServerDescription`](super::ToPanel::ServerDescription).
            server_describe: ServerDescribe(server: ServerRef), USUAL;
            /// Part 2: how much there is to send of a server; answered by
            /// [`ToPanel::TransferSize`](super::ToPanel::TransferSize).
            transfer_measure: TransferMeasure(server: ServerRef), USUAL;
            /// Part 2: prepares for a server that is to come here: fetches its image. Answered when that is present.
            transfer_prepare: TransferPrepare(transfer: TransferPrepare), USUAL;
            /// Part 2: dials for a transfer and sends a server's folder.
            transfer_send: TransferSend(transfer: TransferSend), USUAL;
            /// Part 2: dials for a transfer and receives a server's folder.
            transfer_receive: TransferReceive(transfer: TransferReceive), USUAL;
            /// Part 2: removes what was prepared or received for a server that does not come.
            transfer_discard: TransferDiscard(server: ServerRef), USUAL;
            /// Part 2: dials for the next version of the agent's program, verifies it and restarts with it.
            upgrade_receive: UpgradeReceive(upgrade: UpgradeReceive), USUAL;
            /// Part 2: who the node is at an image registry, for the fetches that the next messages lead to. Kept in
            /// memory for an hour.
            registry_login: RegistryLogin(login: RegistryLogin), USUAL;
            /// Part 2: a page of a folder's entries, answered by [`ToPanel::FileEntries`](super::ToPanel::FileEntries).
            file_list: FileList(list: FileList), USUAL;
            /// Part 2: one file or folder, answered by [`ToPanel::FileInfo`](super::ToPanel::FileInfo).
            file_stat: FileStat(file: FileRef), USUAL;
            /// Part 2: changes files; answered by [`ToPanel::FileDone`](super::ToPanel::FileDone) when that is done.
            file_op: FileOp(op: FileOp), LISTING;
            /// Part 2: breaks a job or a search off.
            file_cancel: FileCancel(job: FileCancel), USUAL;
            /// Part 2: what is in a server's trash, answered by [`ToPanel::FileTrashList`](super::ToPanel::FileTrashList).
            file_trash: FileTrash(server: ServerRef), USUAL;
            /// Part 2: what a file was before, answered by
            /// [`ToPanel::FileVersionList`](super::ToPanel::FileVersionList).
            file_versions: FileVersions(file: FileRef), USUAL;
            /// Part 2: looks for files, answered by [`ToPanel::FileMatches`](super::ToPanel::FileMatches).
            file_search: FileSearch(search: FileSearch), USUAL;
            /// Part 2: how much room a server's files take, answered by
            /// [`ToPanel::DiskUsageReport`](super::ToPanel::DiskUsageReport).
            disk_usage: DiskUsage(usage: DiskUsage), USUAL;
            /// Part 2: dials and sends a file, or files as an archive.
            file_send: FileSend(send: FileSend), LISTING;
            /// Part 2: dials and receives a file, or a piece of an upload.
            file_receive: FileReceive(receive: FileReceive), USUAL;
            /// Part 2: prepares for a file that comes in pieces.
            upload_create: UploadCreate(upload: UploadCreate), USUAL;
            /// Part 2: how far an upload is, answered by [`ToPanel::UploadInfo`](super::ToPanel::UploadInfo).
            upload_stat: UploadStat(upload: UploadRef), USUAL;
            /// Part 2: gives an upload up.
            upload_remove: UploadRemove(upload: UploadRef), USUAL;
            /// Part 2: makes, restores or forgets backups of a server; answered when the job is taken on.
            backup_run: BackupRun(run: Box<BackupRun>), SETTINGS;
            /// Part 2: how far a job on backups is, answered by [`ToPanel::BackupReport`](super::ToPanel::BackupReport).
            backup_query: BackupQuery(job: BackupQuery), USUAL;
            /// Part 2: breaks a job on backups off.
            backup_cancel: BackupCancel(job: BackupQuery), USUAL;
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

        /// The types that a panel's messages have, and how large each may be.
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
            /// The server that the message is about; none where it is about the machine.
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
