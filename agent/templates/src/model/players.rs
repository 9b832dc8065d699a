//! How a game tells who plays, and how players are managed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::parts::PortPurpose;

/// How a game tells who plays, and what is typed on its console to manage players.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlayerSupport {
    /// The protocol by which the game is asked who plays; absent if it cannot be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<PlayerQuery>,
    /// The purpose of the port that is asked; absent for the query port, or without one the game port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<PortPurpose>,
    /// The console command of each action. `{player}` is the player's name, `{text}` a message. A name with spaces is
    /// only typed where the command has quotation marks around `{player}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub actions: BTreeMap<PlayerAction, String>,
}

/// A protocol by which a game is asked who plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PlayerQuery {
    /// The server list ping of Minecraft Java Edition.
    Minecraft,
    /// The ping of Minecraft Bedrock Edition.
    Bedrock,
    /// Valve's server queries, of Steam games.
    A2s,
    /// `getstatus`, of games on id Tech 3.
    Quake3,
}

/// Something that is done to players.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PlayerAction {
    /// Throws a player out, who may come back.
    Kick,
    /// Throws a player out for good.
    Ban,
    /// Lets a banned player in again.
    Unban,
    /// Makes a player an operator.
    Op,
    /// Makes an operator a player.
    Deop,
    /// Adds a player to the whitelist.
    WhitelistAdd,
    /// Removes a player from the whitelist.
    WhitelistRemove,
    /// Says something to everybody.
    Message,
}

impl PlayerAction {
    /// Its name in templates.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kick => "kick",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Op => "op",
            Self::Deop => "deop",
            Self::WhitelistAdd => "whitelist_add",
            Self::WhitelistRemove => "whitelist_remove",
            Self::Message => "message",
        }
    }

    /// The placeholder that the action's command needs.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Message => "{text}",
            _ => "{player}",
        }
    }
}
