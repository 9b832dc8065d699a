//! The native form of a template: human-readable YAML.
//!
//! Eggs of other panels are converted to it (`egg`) without loss: keys without an equivalent are kept in
//! [`Template::extras`].

mod check;
mod file;
mod parts;
mod players;
mod run;
#[cfg(test)]
mod tests;

pub use check::{MAX_VARIABLES, Problem, check};
pub(crate) use check::{valid_name, valid_path};
pub(crate) use file::LIMITS;
pub use file::{FileError, MAX_BYTES, from_value, read, to_yaml};
pub use parts::{About, Eula, Image, NO_IMAGE, Needs, Origin, Port, PortPurpose, Protocol, Variable};
pub use players::{PlayerAction, PlayerQuery, PlayerSupport};
pub use run::{BackupCommands, ConfigFile, Install, Parser, Run, Scalar, Setting, Startup, Stop};

use crate::value::Value;
use serde::{Deserialize, Serialize};

/// The version of the native form that is written.
pub const VERSION: u32 = 1;

/// A template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The version of this form: 1.
    pub template: u32,
    /// Who it is, for people.
    pub about: About,
    /// The container images that one may choose from; the first is used where nobody chose.
    pub images: Vec<Image>,
    /// The startup commands that one may choose from; the first is used where nobody chose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub startup: Vec<Startup>,
    /// What may be set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    /// What it listens on, by purpose. The first is the game's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// Files that are set before each start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config_files: Vec<ConfigFile>,
    /// What is run once before the first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<Install>,
    /// How it runs and ends.
    #[serde(default, skip_serializing_if = "Run::is_default")]
    pub run: Run,
    /// What a running game is told around a backup; absent where its files may be read as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupCommands>,
    /// How it tells who plays, and how players are managed; absent where neither is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub players: Option<PlayerSupport>,
    /// What it needs of a machine.
    #[serde(default, skip_serializing_if = "Needs::is_default")]
    pub needs: Needs,
    /// Keys of the file that it came from which have no place above. They are given back on export.
    #[serde(default = "Value::map", skip_serializing_if = "Value::is_empty")]
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, serde_json::Value>"))]
    pub extras: Value,
}

impl Template {
    /// The variable of this name in the environment.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// The port at which the game is asked who plays; `None` if it cannot be asked, or its template names no such port.
    pub fn players_port(&self) -> Option<&Port> {
        let players = self.players.as_ref()?;
        let of = |purpose| self.ports.iter().find(|port| port.purpose == purpose);
        match players.port {
            Some(purpose) => of(purpose),
            None => of(PortPurpose::Query).or_else(|| of(PortPurpose::Game)),
        }
    }

    /// Whether both templates are equal apart from the origin: the format they were read from and the time of export.
    pub fn same_meaning(&self, other: &Self) -> bool {
        let plain = |template: &Self| {
            let mut template = template.clone();
            template.about.origin.format = None;
            template.about.origin.exported_at = None;
            template
        };
        plain(self) == plain(other)
    }
}
