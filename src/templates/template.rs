//! A template: everything a game needs, so that users do not have to enter it.

use serde::{Deserialize, Serialize};
use storage::servers::{Behaviour, Port};
use utoipa::ToSchema;

/// A template in the panel's own form.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Never changes; used in URLs.
    pub id: String,
    /// Display name.
    pub name: String,
    /// One or two sentences.
    pub description: String,
    /// Keywords for searching.
    pub tags: Vec<String>,
    /// CPU architectures that the image supports, named as by Docker; empty for any.
    pub architectures: Vec<String>,
    /// The container image.
    pub image: String,
    /// The startup line; empty for the image's own command.
    pub startup: String,
    /// Whether the permission `startup` is enough to change the startup line. Whoever can change it can run any command
    /// in the container and read all variables.
    pub startup_editable: bool,
    /// Ports of the game. If they are in use, all are moved together to the next free ones.
    pub ports: Vec<Port>,
    /// Memory requirements.
    pub memory: Memory,
    /// Processes and threads that a new server of it may have at once; absent for the usual number.
    pub processes: Option<i64>,
    /// Terms that must be accepted first; absent if there are none.
    pub eula: Option<Eula>,
    /// Variables that can be set.
    pub variables: Vec<Variable>,
    /// How the image is run.
    pub behaviour: Behaviour,
    /// Notes for users.
    pub notes: String,
    /// Whether it has an icon that can be shown.
    pub icon: bool,
}

/// Bytes of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TemplateMemory)]
pub struct Memory {
    /// It does not start with less.
    pub minimum: i64,
    /// It is fun with this.
    pub recommended: i64,
}

/// Terms of the game's maker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Eula {
    /// What they are called.
    pub name: String,
    /// Where they stand.
    pub url: String,
    /// The variable that says that they were accepted.
    pub variable: String,
    /// And the value that says so.
    pub value: String,
}

impl Variable {
    /// Whether the permission `startup` is enough to read its value.
    pub fn readable(&self) -> bool {
        self.user_viewable && !self.secret
    }
}

impl Template {
    /// The variable that sets this name in the environment.
    pub fn variable(&self, env_variable: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.env_variable == env_variable)
    }
}

/// One thing that may be set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Variable {
    /// What people call it.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Its name in the environment.
    pub env_variable: String,
    /// Its value where none is given.
    pub default_value: String,
    /// Whether everybody may see it.
    pub user_viewable: bool,
    /// Whether everybody may change it.
    pub user_editable: bool,
    /// Whether it is a password or the like: its value is shown to nobody but those who may configure the server.
    #[serde(default)]
    pub secret: bool,
    /// What a value has to be, such as `required|integer|between:1,64`.
    pub rules: String,
}
