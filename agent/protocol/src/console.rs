//! Console lines and commands.

use ids::ServerId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::payload::{LINE, Payload, id, within};

/// Fingerprints of lines by which a reader's position is found.
const FINGERPRINTS: usize = 1_000;

/// `server_command`: one line for the game's standard input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerCommand {
    /// The server's id.
    pub server_id: ServerId,
    /// Without a line end.
    pub command: String,
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// The game (with a terminal this carries its standard error too).
    #[default]
    Stdout,
    /// The game.
    Stderr,
    /// Us.
    System,
}

/// `server_output`, for a panel that never subscribes: whole lines, `\n` between them, none at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerOutput {
    /// The server's id.
    pub server_id: ServerId,
    /// The lines.
    pub output: String,
    /// Where from; an older test agent leaves it out.
    #[serde(default, deserialize_with = "lenient::stream")]
    pub stream: Stream,
    /// When it was measured or sent, by the agent's clock.
    #[serde(default = "Timestamp::now", deserialize_with = "lenient::time")]
    pub timestamp: Timestamp,
}

/// Part 2: `console_subscribe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsoleSubscribe {
    /// The server's id.
    pub server_id: ServerId,
    /// The last line that the reader has; lines after it follow. Without it the last 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Fingerprints of the game's lines that the reader had last, in order, up to `after`: by them an agent that has
    /// begun to count anew since goes on counting as the reader does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<u32>,
    /// The reader knows of [`ConsoleLines::partial`]: the unfinished line is told each time it changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// What [`ConsoleSubscribe::last`] holds of a line: 32 bits of FNV-1a over its text.
#[must_use]
pub fn fingerprint(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Part 2: `console_tail`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsoleTail {
    /// The server's id.
    pub server_id: ServerId,
    /// How many lines at most.
    pub tail: u32,
}

/// One line: no line end, valid UTF-8, only colour escapes left, at most 16 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleLine {
    /// Counts lines without gaps over restarts of the game.
    pub seq: u64,
    /// When it was read.
    pub time: Timestamp,
    /// Where the text comes from.
    pub stream: Stream,
    /// The text, without its line end.
    pub text: String,
    /// It was longer than 16 KiB.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// The line that is being written: as clean and as bounded as a finished one, without a number. It is replaced in place,
/// as on a terminal, until it ends and becomes a [`ConsoleLine`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsolePartial {
    /// When it was last written to.
    pub time: Timestamp,
    /// Where the text comes from.
    pub stream: Stream,
    /// What stands in it.
    pub text: String,
    /// It was longer than 16 KiB.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A line, or how many stood here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ConsoleItem {
    /// A line.
    Line(ConsoleLine),
    /// This many lines were dropped, because the reader was too slow or the game too fast.
    Skipped {
        /// Their number.
        skipped: u64,
    },
}

/// Part 2: `console_lines`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsoleLines {
    /// The server's id.
    pub server_id: ServerId,
    /// Lines and gaps, oldest first.
    pub lines: Vec<ConsoleItem>,
    /// Counting began anew: these lines replace all that the reader has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
    /// What stands after these lines and is not finished yet; absent where nothing is, or where more lines follow at
    /// once. Only to a reader that knows of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<ConsolePartial>,
}

impl Payload for ServerCommand {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, command } = self;
        id(server_id)?;
        within("command", command, LINE)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for ConsoleSubscribe {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, after: _, last, partial: _ } = self;
        last.drain(..last.len().saturating_sub(FINGERPRINTS));
        id(server_id)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for ConsoleTail {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, tail: _ } = self;
        id(server_id)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}
