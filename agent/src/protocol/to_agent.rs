//! What a panel may say: how large each message may be, and the bounds of everything in it. What would mean something else
//! when it is cut is refused. Each field is named, so that a new one has to be thought of here.

use std::collections::BTreeMap;

use super::bounded::{FILE, Inbound, Limits, USUAL};
use super::{
    Behaviour, ConsoleSubscribe, ConsoleTail, ContainerUser, FileRead, FileWrite, HostCheck, Port,
    ServerCommand, ServerCreate, ServerPower, ServerRef, ServerUpdate, StatsSubscribe, Stop, ToAgent,
    TransferPrepare, TransferReceive, TransferSend, UpgradeReceive,
};

/// The types that a panel's messages have.
pub(super) const KINDS: [(&str, Limits); 28] = [
    ("system_info_request", USUAL),
    ("server_create", USUAL),
    ("server_update", USUAL),
    ("server_start", USUAL),
    ("server_stop", USUAL),
    ("server_restart", USUAL),
    ("server_delete", USUAL),
    ("server_suspend", USUAL),
    ("server_unsuspend", USUAL),
    ("server_reinstall", USUAL),
    ("server_power", USUAL),
    ("server_command", USUAL),
    ("file_read", USUAL),
    ("file_write", FILE),
    ("install_cancel", USUAL),
    ("console_subscribe", USUAL),
    ("console_unsubscribe", USUAL),
    ("console_tail", USUAL),
    ("stats_subscribe", USUAL),
    ("stats_history", USUAL),
    ("host_check", USUAL),
    ("server_describe", USUAL),
    ("transfer_measure", USUAL),
    ("transfer_prepare", USUAL),
    ("transfer_send", USUAL),
    ("transfer_receive", USUAL),
    ("transfer_discard", USUAL),
    ("upgrade_receive", USUAL),
];

/// Bytes of an id, a token, a version.
const WORD: usize = 256;
/// Bytes of an image's reference.
const IMAGE: usize = 1024;
/// Bytes of a release's list of sums, and of its signature.
const SUMS: usize = 64 * 1024;
/// Bytes of a path.
const PATH: usize = 4096;
/// Bytes of a startup line, of a command, of a line that says that a game is ready.
const LINE: usize = 32 * 1024;
/// How many variables, and bytes of all of them.
const VARIABLES: usize = 1_000;
const ENVIRONMENT: usize = 256 * 1024;
/// How many ports.
const PORTS: usize = 512;
/// How many servers.
const SERVERS: usize = 10_000;
/// Lines by which a reader's place is found.
const FINGERPRINTS: usize = 1_000;

impl Inbound for ToAgent {
    fn limits(kind: &str) -> Option<Limits> {
        KINDS.iter().find(|(name, _)| *name == kind).map(|(_, limits)| *limits)
    }

    fn bound(&mut self) -> Result<(), String> {
        match self {
            Self::SystemInfoRequest => Ok(()),
            Self::ServerCreate(spec) => spec.bound(),
            Self::ServerUpdate(update) => update.bound(),
            Self::ServerStart(of)
            | Self::ServerStop(of)
            | Self::ServerRestart(of)
            | Self::ServerDelete(of)
            | Self::ServerSuspend(of)
            | Self::ServerUnsuspend(of)
            | Self::ServerReinstall(of)
            | Self::InstallCancel(of)
            | Self::ConsoleUnsubscribe(of)
            | Self::StatsHistory(of)
            | Self::ServerDescribe(of)
            | Self::TransferMeasure(of)
            | Self::TransferDiscard(of) => {
                let ServerRef { server_id } = of;
                id(server_id)
            }
            Self::ServerPower(ServerPower { server_id, action: _ }) => id(server_id),
            Self::ServerCommand(ServerCommand { server_id, command }) => {
                id(server_id)?;
                within("command", command, LINE)
            }
            Self::FileRead(FileRead { server_id, path }) => {
                id(server_id)?;
                within("path", path, PATH)
            }
            // How long a file may be is said where it is written.
            Self::FileWrite(FileWrite { server_id, path, content: _ }) => {
                id(server_id)?;
                within("path", path, PATH)
            }
            Self::ConsoleSubscribe(ConsoleSubscribe { server_id, after: _, last, partial: _ }) => {
                last.drain(..last.len().saturating_sub(FINGERPRINTS));
                id(server_id)
            }
            Self::ConsoleTail(ConsoleTail { server_id, tail: _ }) => id(server_id),
            Self::StatsSubscribe(StatsSubscribe { server_ids, node: _ }) => {
                few("serverIds", server_ids.len(), SERVERS)?;
                server_ids.iter().try_for_each(|server_id| id(server_id))
            }
            Self::HostCheck(HostCheck { image, ports }) => {
                few("ports", ports.len(), PORTS)?;
                some("image", image.as_deref(), IMAGE)
            }
            Self::TransferPrepare(TransferPrepare { server_id, image }) => {
                id(server_id)?;
                within("image", image, IMAGE)
            }
            Self::TransferSend(TransferSend { server_id, transfer_id, token }) => {
                id(server_id)?;
                within("transferId", transfer_id, WORD)?;
                within("token", token, WORD)
            }
            Self::TransferReceive(of) => {
                let TransferReceive {
                    server_id,
                    transfer_id,
                    token,
                    bytes: _,
                    entries: _,
                    owner,
                    user: as_user,
                } = of;
                id(server_id)?;
                within("transferId", transfer_id, WORD)?;
                within("token", token, WORD)?;
                some("owner", owner.as_deref(), WORD)?;
                user(as_user)
            }
            Self::UpgradeReceive(of) => {
                let UpgradeReceive { version, size: _, sha256, transfer_id, token, sums, signature } = of;
                within("sums", sums, SUMS)?;
                within("signature", signature, SUMS)?;
                [("version", version), ("sha256", sha256), ("transferId", transfer_id), ("token", token)]
                    .into_iter()
                    .try_for_each(|(what, text)| within(what, text, WORD))
            }
        }
    }
}

fn id(server_id: &str) -> Result<(), String> {
    within("serverId", server_id, WORD)
}

fn within(what: &str, text: &str, most: usize) -> Result<(), String> {
    if text.len() > most {
        return Err(format!("{what} has more than {most} bytes"));
    }
    if text.contains('\0') {
        return Err(format!("{what} holds a NUL"));
    }
    Ok(())
}

fn some(what: &str, text: Option<&str>, most: usize) -> Result<(), String> {
    text.map_or(Ok(()), |text| within(what, text, most))
}

fn few(what: &str, count: usize, most: usize) -> Result<(), String> {
    if count > most {
        return Err(format!("{what} has more than {most} entries"));
    }
    Ok(())
}

fn environment(variables: &BTreeMap<String, String>) -> Result<(), String> {
    few("environment", variables.len(), VARIABLES)?;
    let mut bytes = 0;
    for (name, value) in variables {
        within("the name of a variable", name, WORD)?;
        within("a variable", value, ENVIRONMENT)?;
        bytes += name.len() + value.len();
    }
    if bytes > ENVIRONMENT {
        return Err(format!("environment has more than {ENVIRONMENT} bytes"));
    }
    Ok(())
}

fn user(user: &ContainerUser) -> Result<(), String> {
    match user {
        ContainerUser::Agent | ContainerUser::Image => Ok(()),
        ContainerUser::Fixed(pair) => within("user", pair, WORD),
    }
}

impl ServerCreate {
    pub(super) fn bound(&mut self) -> Result<(), String> {
        let Self {
            server_id,
            name,
            image,
            startup,
            environment: variables,
            limits: _,
            ports,
            block_lan: _,
            behaviour,
        } = self;
        some("name", name.as_deref(), IMAGE)?;
        id(server_id)?;
        within("image", image, IMAGE)?;
        within("startup", startup, LINE)?;
        environment(variables)?;
        published(ports)?;
        behaviour.as_ref().map_or(Ok(()), Behaviour::bounded)
    }
}

fn published(ports: &[Port]) -> Result<(), String> {
    few("ports", ports.len(), PORTS)
}

impl ServerUpdate {
    fn bound(&mut self) -> Result<(), String> {
        let Self {
            server_id,
            name,
            image,
            startup,
            environment: variables,
            limits: _,
            ports,
            block_lan: _,
            behaviour,
        } = self;
        some("name", name.as_deref(), IMAGE)?;
        id(server_id)?;
        some("image", image.as_deref(), IMAGE)?;
        some("startup", startup.as_deref(), LINE)?;
        variables.as_ref().map_or(Ok(()), environment)?;
        published(ports.as_deref().unwrap_or_default())?;
        behaviour.as_ref().map_or(Ok(()), Behaviour::bounded)
    }
}

impl Behaviour {
    fn bounded(&self) -> Result<(), String> {
        let Self {
            user: as_user,
            data_path,
            working_dir,
            read_only_root: _,
            startup_mode: _,
            stop,
            stop_timeout: _,
            ready,
        } = self;
        user(as_user)?;
        within("dataPath", data_path, PATH)?;
        some("workingDir", working_dir.as_deref(), PATH)?;
        match stop {
            Stop::Command(line) => within("stop", line, LINE)?,
            Stop::Signal(name) => within("stop", name, WORD)?,
        }
        some("ready", ready.as_deref(), LINE)
    }
}
