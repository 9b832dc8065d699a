//! How a game is installed, configured, started and stopped.

use serde::{Deserialize, Serialize};

/// A startup command to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Startup {
    /// What it is called in the choice.
    pub name: String,
    /// The command, with placeholders.
    pub command: String,
}

/// A file that is set before each start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Its path below the server's folder.
    pub path: String,
    /// How it is read and written.
    pub parser: Parser,
    /// What is set in it, in this order.
    pub set: Vec<Setting>,
}

/// The form of a config file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Parser {
    /// Lines of text: one that starts with the key becomes the value.
    File,
    /// Java properties.
    Properties,
    /// Sections of keys with values.
    Ini,
    /// JSON; comments are kept.
    Json,
    /// YAML.
    Yaml,
    /// XML.
    Xml,
    /// TOML.
    Toml,
}

impl Parser {
    /// The parser with this name in eggs.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "file" => Self::File,
            "properties" => Self::Properties,
            "ini" => Self::Ini,
            "json" => Self::Json,
            "yaml" | "yml" => Self::Yaml,
            "xml" => Self::Xml,
            "toml" => Self::Toml,
            _ => return None,
        })
    }

    /// Its name in eggs.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Properties => "properties",
            Self::Ini => "ini",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Xml => "xml",
            Self::Toml => "toml",
        }
    }
}

/// One thing that is set in a config file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Where, in the parser's way: `server-port`, `Section.Key`, `listeners[0].host`, `servers.*.address`.
    pub key: String,
    /// Only where the present value is this, or matches what stands behind `regex:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What it becomes, with placeholders; with a `regex:` condition, `$1` is what its first group matched.
    pub value: Scalar,
}

/// A value of a setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Scalar {
    /// True or false, and written so.
    Bool(bool),
    /// A whole number, and written so.
    Int(i64),
    /// Any other number, and written so.
    Float(f64),
    /// A text with placeholders. Whether the file gets a text or a number depends on what it has at that place.
    Text(String),
}

/// What is run once, in a container of its own, before the first start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// The image that it runs in.
    pub image: String,
    /// The program that gets the script, such as `bash`.
    pub entrypoint: String,
    /// The script.
    pub script: String,
}

/// How a game runs and ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// What its console says once players can join: any of these parts of a line, or `regex:` and an expression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ready: Vec<String>,
    /// Whether escapes for colour are taken out before a line is compared; absent where the file does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strip_ansi: Option<bool>,
    /// How it is asked to stop.
    #[serde(default)]
    pub stop: Stop,
    /// Seconds that it may take over that; absent for the panel's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_timeout_secs: Option<u32>,
    /// Files that only administrators may see or change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_denylist: Vec<String>,
    /// What the panel watches its console for, such as `eula`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Where the server's folder is mounted; absent for `/home/container`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_path: Option<String>,
    /// Whether everything but the data and `/tmp` may be written as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub writable_root: bool,
    /// Whether a shell runs the startup command; else the image's own entrypoint does, and reads it from `STARTUP`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub startup_by_shell: bool,
    /// Who the game runs as: `image` for the user that the image names, or numbers as `uid:gid`; absent for the panel's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The folder that it starts in: empty for the image's own; absent for the server's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
}

impl Run {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a running game is told around a backup, so that what it keeps is whole on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BackupCommands {
    /// Console commands before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// What the console says when all is saved: a part of the line, or `regex:` and an expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<String>,
    /// Console commands after it, whatever became of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

/// How a game is asked to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// A line on its console.
    Command(String),
    /// A signal by its name, such as `SIGINT`.
    Signal(String),
}

impl Default for Stop {
    fn default() -> Self {
        Self::Signal("SIGTERM".to_owned())
    }
}
