//! Console lines and commands.

use ids::ServerId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::payload::{LINE, Payload, id, within};

/// Maximum number of fingerprints for finding a reader's position.
const FINGERPRINTS: usize = 1_000;

/// `server_command`: one line for the game's standard input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerCommand {
    /// The server's id.
    pub server_id: ServerId,
    /// The line, without a line end.
    pub command: String,
}

/// The source of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// The game's standard output (with a terminal, also its standard error).
    #[default]
    Stdout,
    /// The game's standard error.
    Stderr,
    /// The agent.
    System,
}

/// `server_output`, for a panel that does not subscribe: complete lines, `\n` between them, none at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerOutput {
    /// The server's id.
    pub server_id: ServerId,
    /// The lines.
    pub output: String,
    /// The source; a test agent of another implementation omits it.
    #[serde(default, deserialize_with = "lenient::stream")]
    pub stream: Stream,
    /// When it was measured or sent, by the agent's clock.
    #[serde(default = "Timestamp::now", deserialize_with = "lenient::time")]
    pub timestamp: Timestamp,
}

/// Extension: `console_subscribe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsoleSubscribe {
    /// The server's id.
    pub server_id: ServerId,
    /// Number of the reader's last line; the lines after it follow. Absent: start with the last 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Fingerprints of the reader's last lines of the game, in order, up to `after`. With them, an agent whose
    /// numbering has restarted continues the reader's numbering.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<u32>,
    /// Whether the reader supports [`ConsoleLines::partial`]: the unfinished line is sent each time it changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// The fingerprint of a line for [`ConsoleSubscribe::last`]: 32-bit FNV-1a of its text.
#[must_use]
pub fn fingerprint(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Extension: `console_tail`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsoleTail {
    /// The server's id.
    pub server_id: ServerId,
    /// Maximum number of lines.
    pub tail: u32,
}

/// One line: without line end, valid UTF-8, with no escapes except colours, at most 16 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleLine {
    /// Number of the line; consecutive, also across restarts of the game.
    pub seq: u64,
    /// When the agent read it.
    pub time: Timestamp,
    /// The source of the text.
    pub stream: Stream,
    /// The text, without its line end.
    pub text: String,
    /// Whether it was longer than 16 KiB and was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// The unfinished line: cleaned and limited like a finished one, without a number. It is replaced in place, as on a
/// terminal, until it ends and becomes a [`ConsoleLine`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsolePartial {
    /// When it was last written to.
    pub time: Timestamp,
    /// The source of the text.
    pub stream: Stream,
    /// Its current text.
    pub text: String,
    /// Whether it was longer than 16 KiB and was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A line, or a number of missing lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ConsoleItem {
    /// A line.
    Line(ConsoleLine),
    /// This many lines were dropped, because the reader was too slow or the game too fast.
    Skipped {
        /// Number of dropped lines.
        skipped: u64,
    },
}

/// Extension: `console_lines`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsoleLines {
    /// The server's id.
    pub server_id: ServerId,
    /// Lines and gaps, oldest first.
    pub lines: Vec<ConsoleItem>,
    /// Whether the numbering has restarted: these lines replace everything the reader has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
    /// The unfinished line after these lines; absent if there is none or if more lines follow at once. Only for readers
    /// that support it.
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
