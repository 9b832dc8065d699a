//! What clients send about servers.

use std::collections::BTreeMap;

use protocol as wire;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::behaviour_body::{BehaviourRequest, given};
use crate::auth::Permission;

/// A new server, or a preview of one.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateServer)]
pub struct CreateRequest {
    /// 1 to 80 characters.
    #[serde(default, deserialize_with = "given")]
    pub name: Option<String>,
    /// `local` when left out; `auto` for where there is room.
    #[serde(default, deserialize_with = "given")]
    pub node_id: Option<String>,
    /// The template that fills in what is left out.
    #[serde(default, deserialize_with = "given")]
    pub template_id: Option<String>,
    /// Needed without a template.
    #[serde(default, deserialize_with = "given")]
    pub image: Option<String>,
    /// Empty for the image's own command.
    #[serde(default, deserialize_with = "given")]
    pub startup: Option<String>,
    /// Beside the template's own.
    #[serde(default, deserialize_with = "given")]
    pub environment: Option<BTreeMap<String, String>>,
    /// Left-out keys have their defaults.
    #[serde(default, deserialize_with = "given")]
    pub limits: Option<LimitsRequest>,
    /// The template's, moved to free ones, when left out.
    #[serde(default, deserialize_with = "given")]
    pub ports: Option<Vec<PortRequest>>,
    /// Whether it is kept from the networks of its machine; it is not when left out.
    #[serde(default)]
    pub block_lan: bool,
    /// Needed where the template has an EULA.
    #[serde(default)]
    pub accept_eula: bool,
    /// How it is run; the template says what is left out.
    #[serde(default, deserialize_with = "given")]
    pub behaviour: Option<BehaviourRequest>,
    /// Whether it is started as soon as its image was fetched.
    #[serde(default)]
    pub start: bool,
}

/// What is to change; left-out keys stay.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ServerPatch)]
pub struct ChangeRequest {
    /// 1 to 80 characters.
    #[serde(default, deserialize_with = "given")]
    pub name: Option<String>,
    /// A container image.
    #[serde(default, deserialize_with = "given")]
    pub image: Option<String>,
    /// Empty for the image's own command.
    #[serde(default, deserialize_with = "given")]
    pub startup: Option<String>,
    /// Replaces all of it for those who may configure the server. From others these variables are changed and the rest
    /// stays, so that nobody has to know what he may not read.
    #[serde(default, deserialize_with = "given")]
    pub environment: Option<BTreeMap<String, String>>,
    /// Merged by key.
    #[serde(default, deserialize_with = "given")]
    pub limits: Option<LimitsRequest>,
    /// Replaces all of them.
    #[serde(default, deserialize_with = "given")]
    pub ports: Option<Vec<PortRequest>>,
    /// Whether it is kept from the networks of its machine.
    #[serde(default, deserialize_with = "given")]
    pub block_lan: Option<bool>,
    /// How it is run, merged by key.
    #[serde(default, deserialize_with = "given")]
    pub behaviour: Option<BehaviourRequest>,
}

/// Limits as they are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LimitsChange)]
pub struct LimitsRequest {
    /// Bytes: 0 for none, else at least 16 MiB.
    #[serde(default, deserialize_with = "given")]
    pub memory: Option<i64>,
    /// Bytes beyond memory, -1 for no limit.
    #[serde(default, deserialize_with = "given")]
    pub swap: Option<i64>,
    /// Bytes, 0 for none.
    #[serde(default, deserialize_with = "given")]
    pub disk: Option<i64>,
    /// 10 to 1000.
    #[serde(default, deserialize_with = "given")]
    pub io: Option<i64>,
    /// Percent of one core, 0 for none.
    #[serde(default, deserialize_with = "given")]
    pub cpu: Option<i64>,
    /// Processes and threads, 16 to 16384.
    #[serde(default, deserialize_with = "given")]
    pub processes: Option<i64>,
}

/// A port as it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PortChange)]
pub struct PortRequest {
    /// Inside the container, 1 to 65535.
    pub internal: i64,
    /// On the node, 1 to 65535.
    pub external: i64,
    /// `tcp` or `udp`.
    pub protocol: Protocol,
}

/// `tcp` or `udp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What to do.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PowerRequest {
    /// `start`, `stop`, `restart`, `kill` or `resume`.
    pub action: PowerAction,
}

/// What one may do to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PowerAction {
    /// From stopped, crashed or a failed install.
    Start,
    /// Cleanly.
    Stop,
    /// Stop, then start.
    Restart,
    /// At once.
    Kill,
    /// Let one that is paused go on.
    Resume,
}

impl From<PowerAction> for wire::PowerAction {
    fn from(action: PowerAction) -> Self {
        match action {
            PowerAction::Start => Self::Start,
            PowerAction::Stop => Self::Stop,
            PowerAction::Restart => Self::Restart,
            PowerAction::Kill => Self::Kill,
            PowerAction::Resume => Self::Resume,
        }
    }
}

/// How to install again.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Reinstall)]
pub(super) struct ReinstallRequest {
    /// Its files are thrown away first; they are kept when left out.
    #[serde(default)]
    pub wipe: bool,
    /// A backup is made first; nothing is done where that fails.
    #[serde(default)]
    pub backup_first: bool,
}

/// Whether to make a backup first.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BackupFirstQuery {
    /// Make a backup first; nothing is done where that fails
    #[serde(default)]
    pub backup_first: bool,
}

/// One line for the game.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandRequest {
    /// 1 to 4,000 bytes, no control characters.
    pub command: String,
}

/// What somebody may do with a server.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantRequest {
    /// All of it.
    pub permissions: Vec<Permission>,
}

/// How many lines.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TailQuery {
    /// How many lines: 1 to 1,000, 100 when left out
    #[serde(default)]
    pub tail: Option<u32>,
}

/// What becomes of a server that its node can't be told of, and of the backups.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteQuery {
    /// Forget it even where its node is offline
    #[serde(default)]
    pub force: bool,
    /// Keep its backups, which is done where this is left out
    #[serde(default = "yes")]
    pub keep_backups: bool,
}

fn yes() -> bool {
    true
}
