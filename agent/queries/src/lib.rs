//! The protocols by which game servers tell who plays. Pure: bytes in, values out; the caller owns the sockets, and bounds
//! their time. A game is not trusted: whatever it sends is read within bounds, and a wrong answer is a [`Fault`].
//!
//! | module | games | asked over |
//! | --- | --- | --- |
//! | [`minecraft`] | Minecraft Java Edition since 1.7 | TCP |
//! | [`bedrock`] | Minecraft Bedrock Edition | UDP |
//! | [`a2s`] | Steam games: Valheim, Rust, Counter-Strike 2 … | UDP |
//! | [`quake3`] | OpenArena and others on id Tech 3 | UDP |

pub mod a2s;
pub mod bedrock;
pub mod minecraft;
pub mod quake3;
mod reader;
#[cfg(test)]
mod tests;
mod text;

/// Maximum number of players that an answer names.
pub const MAX_PLAYERS: usize = 500;
/// Maximum characters of a text of an answer.
pub const MAX_TEXT: usize = 200;

/// Why an answer could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It ends before all of it was there.
    #[error("the answer ends too early")]
    Short,
    /// It says that it is longer than it may be.
    #[error("the answer is too long")]
    TooLong,
    /// It is none of this protocol.
    #[error("the answer is not {0}")]
    Unexpected(&'static str),
}

/// What a game server tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// How many play.
    pub online: u32,
    /// How many may play at once, if it tells.
    pub max: Option<u32>,
    /// Who plays, if it tells; often fewer than [`Self::online`].
    pub players: Vec<Player>,
    /// Its name or message of the day, without formatting.
    pub name: String,
    /// The version of the game.
    pub version: String,
    /// The map that is played.
    pub map: String,
}

/// A player.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Player {
    /// The name in the game, without formatting.
    pub name: String,
    /// For how many seconds the player has been connected, if it tells.
    pub seconds: Option<u32>,
}
