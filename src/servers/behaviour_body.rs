//! What clients send about how a server is run.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// How a server is run, as it is given; left-out keys stay as they are, or as the template has them.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = BehaviourChange)]
pub struct BehaviourRequest {
    /// How the game is asked to stop: by a line on its console, or by a signal such as `SIGTERM`.
    #[serde(default, deserialize_with = "given")]
    pub stop: Option<StopBody>,
    /// Seconds that it may take over that, 1 to 3,600.
    #[serde(default, deserialize_with = "given")]
    pub stop_timeout_secs: Option<u32>,
    /// A part of the console line by which it says that players can join, or `regex:` and an expression. Empty: it counts
    /// as running as soon as its container does.
    #[serde(default, deserialize_with = "given")]
    pub ready: Option<String>,
    /// How the startup command reaches the image.
    #[serde(default, deserialize_with = "given")]
    pub startup_mode: Option<StartupModeBody>,
    /// Whether it is started again after a crash, as often as its node does that.
    #[serde(default, deserialize_with = "given")]
    pub restart_after_crash: Option<bool>,
    /// Whether the server is stopped when its files exceed the disk limit.
    #[serde(default, deserialize_with = "given")]
    pub stop_at_disk_limit: Option<bool>,
}

/// How a game is asked to stop.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Stop)]
pub enum StopBody {
    /// By a line on its console.
    Command(String),
    /// By a signal, named as in `SIGTERM`.
    Signal(String),
}

/// How the startup command reaches the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StartupMode)]
pub enum StartupModeBody {
    /// Run by `/bin/sh`.
    Shell,
    /// In the variable `STARTUP`, which the image's entrypoint reads.
    Variable,
    /// Not at all: the image's own command is run.
    ImageOwn,
}

/// Deserializes the value of a key that is present. `null` is an error, not the same as a missing key.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}
