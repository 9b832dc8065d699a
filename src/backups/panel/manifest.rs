//! What a panel backup says of itself: a file in it.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use protocol::{NodeId, ServerId};
use serde::{Deserialize, Serialize};
use storage::Millis;

/// The file's name.
pub(super) const FILE: &str = "panel-backup.json";
/// What this program writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;
/// Bytes of the file.
const MOST: u64 = 16 << 20;

/// What a panel backup says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    /// Which format it has.
    pub format: u32,
    /// The version of the program that made it.
    pub version: String,
    /// When it was made.
    pub made_at: Millis,
    /// User and group that the data folder belonged to.
    pub owner: (u32, u32),
    /// The servers that the panel had.
    pub servers: Vec<ServerEntry>,
}

/// A server in a panel backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerEntry {
    /// Its id.
    pub id: ServerId,
    /// What people call it.
    pub name: String,
    /// Its node.
    pub node_id: NodeId,
}

impl Manifest {
    /// Reads the manifest in this folder.
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        let file = fs::OpenOptions::new().read(true).open(folder.join(FILE))?;
        file.take(MOST).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}
