//! Parts of a template: its description, images, variables, ports and requirements.

use serde::{Deserialize, Serialize};

/// Who a template is, for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct About {
    /// What people call it.
    pub name: String,
    /// One or two sentences.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who made it, mostly a mail address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What one should know before the first start.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// The licence of this template, as an SPDX expression.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub licence: String,
    /// Addresses of the pages that it was written from, for whoever checks or mends it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// A `data:` address of a picture, or an address that nobody fetches by himself. Not checked here: whoever shows it
    /// decodes and encodes it anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Origin::is_default")]
    pub origin: Origin,
}

/// Where a template came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Its identity: a template of the same uuid is the same one, newer or older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// The format that it was read from, such as `PLCN_v3`; absent where it was written in this form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Where newer ones are published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_url: Option<String>,
    /// When the file was written, as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exported_at: Option<String>,
}

impl Origin {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Placeholder reference of a template without an image: the user has to enter one for each server. Eggs use it too.
pub const NO_IMAGE: &str = "nil";

/// A container image to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// What it is called in the choice, such as `Java 21`.
    pub label: String,
    /// Its reference, such as `ghcr.io/owner/name:tag`.
    pub reference: String,
    /// Whether the engine has it already and no registry is asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local: bool,
}

/// One thing that may be set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its name in the environment.
    pub name: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its value where none is given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub default: String,
    /// What a value has to be, such as `required`, `integer`, `between:1,64`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Whether people who are no administrators see it.
    #[serde(default)]
    pub viewable: bool,
    /// Whether people who are no administrators change it.
    #[serde(default)]
    pub editable: bool,
    /// Whether it is a password or the like; absent where the file does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<bool>,
    /// Whether the game does not get it at all while it is empty, so that the image's own default counts. Other panels give
    /// every variable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub omit_empty: bool,
    /// Its place among the others, where the file gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<i64>,
}

/// A port that the game listens on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// What it is for.
    pub purpose: PortPurpose,
    /// The protocols that are published.
    pub protocols: Vec<Protocol>,
    /// Its number where nobody chose one; absent where any is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u16>,
    /// The variable that tells the game its number; absent where the number is fixed, or the server's own (`SERVER_PORT`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
}

/// What a port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PortPurpose {
    /// Players connect here.
    Game,
    /// Answers who plays.
    Query,
    /// Takes commands.
    Rcon,
    /// A web page.
    Web,
    /// Anything else.
    Other,
}

/// A protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What a template needs of a machine. Absent is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// CPU architectures that its images are made for, in Docker's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// MiB of memory below which it does not start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_minimum_mib: Option<u32>,
    /// MiB of memory with which it is fun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_recommended_mib: Option<u32>,
    /// MiB on the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_mib: Option<u32>,
    /// Processes and threads that it may have at once, 16 to 16,384; 512 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Terms that have to be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eula: Option<Eula>,
}

impl Needs {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Terms of the game's maker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
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
