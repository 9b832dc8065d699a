//! What a look at a backup found.

use serde::{Deserialize, Serialize};

use super::text::TextRule;

/// Console lines that are kept of a restore test, and characters of each.
pub const TEST_LINES: usize = 50;
const TEST_LINE: usize = 500;

/// What a look at a backup found: of one that was made, whether all folders in it can be read; of a restore test, whether the
/// game came up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupProof {
    /// Whether it is as it should be.
    pub ok: bool,
    /// Why not, or how that is known, in one sentence.
    pub reason: String,
    /// The last lines of the game's console.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

impl BackupProof {
    pub(super) fn bound(&mut self) {
        let Self { ok: _, reason, lines } = self;
        TextRule::SENTENCE.apply(reason);
        lines.drain(..lines.len().saturating_sub(TEST_LINES));
        for line in lines {
            TextRule::line(TEST_LINE).apply(line);
        }
    }
}
