//! When a server is backed up by itself, where to, and which of these backups are kept.

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::deleted::{is_there, owners};
use crate::Millis;
use crate::error::{Error, Result};
use crate::settings;
use crate::tx::{ReadTx, WriteTx};

/// A policy, and how far it was followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// What was asked for.
    pub policy: Policy,
    /// When the next backup is due; none where there is to be none.
    pub due: Option<Millis>,
    /// What went wrong since the last one that was made, and when.
    pub problem: Option<Problem>,
    /// How its weekly restore tests go.
    pub tests: Tests,
}

/// How the weekly restore tests of a server go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tests {
    /// Since when they are made; none where they are not.
    pub since: Option<Millis>,
    /// When one was begun last, or could not be.
    pub tried_at: Option<Millis>,
    /// What came of it; none where the game came up.
    pub problem: Option<Problem>,
}

/// What went wrong with a backup that was due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Since when there is a problem.
    pub since: Millis,
    /// One sentence.
    pub sentence: String,
}

/// How a server is backed up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The backup target; none for the node's own data folder.
    pub target_id: Option<String>,
    /// Whether there is a backup each day.
    pub enabled: bool,
    /// When, in minutes of the day.
    pub minute: u16,
    /// The time zone of that; none for the one of the panel's machine.
    pub time_zone: Option<String>,
    /// Which of the scheduled backups are kept.
    pub keep: Keep,
    /// Lines in gitignore's syntax: files that are left out of all backups.
    pub ignore: Vec<String>,
    /// MiB in a second at most, 0 for no limit.
    pub mib_per_sec: u32,
    /// Whether little memory is to be used, at the price of time.
    pub small_memory: bool,
    /// Whether a running server is stopped for it where it can't be told to save.
    pub stop_server: bool,
    /// Of the panel's own policy: whether all servers are backed up with it.
    pub servers: bool,
    /// Whether a backup is tested each week by starting the game from it.
    pub test_weekly: bool,
}

/// How many backups of each kind are kept. All 0: every one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Keep {
    /// The newest.
    pub last: u32,
    /// The newest of an hour.
    pub hourly: u32,
    /// The newest of a day.
    pub daily: u32,
    /// The newest of a week.
    pub weekly: u32,
    /// The newest of a month.
    pub monthly: u32,
    /// All that are younger, in days.
    pub within_days: u32,
}

fn name(server_id: &str) -> String {
    format!("backup_policy:{server_id}")
}

/// The policy of a server, where it has one.
pub fn get(tx: &ReadTx, server_id: &str) -> Result<Option<Kept>> {
    settings::get(tx, &name(server_id))
}

/// Those of all servers that have one.
pub fn list(tx: &ReadTx) -> Result<Vec<(ServerId, Kept)>> {
    let mut all = Vec::new();
    for id in owners(tx)? {
        if let Some(kept) = get(tx, &id)? {
            all.push((id, kept));
        }
    }
    Ok(all)
}

/// Writes the policy of a server, which must be there.
pub fn put(tx: &WriteTx, server_id: &str, kept: &Kept) -> Result<()> {
    if !is_there(tx, server_id)? {
        return Err(Error::NotFound { what: "server" });
    }
    settings::put(tx, &name(server_id), kept)
}

/// Changes the policy of a server, where it has one; gives it as it is then.
pub fn update(tx: &WriteTx, server_id: &str, change: impl FnOnce(&mut Kept)) -> Result<Option<Kept>> {
    let Some(mut kept) = get(tx, server_id)? else { return Ok(None) };
    let before = kept.clone();
    change(&mut kept);
    if kept != before {
        settings::put(tx, &name(server_id), &kept)?;
    }
    Ok(Some(kept))
}

pub(super) fn forget(tx: &WriteTx, server_id: &ServerId) -> Result<()> {
    settings::delete(tx, &name(server_id)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node, read, server, store, write};
    use crate::{nodes, servers};

    #[test]
    fn a_policy_goes_with_its_server() {
        let (_dir, store) = store();
        let kept = Kept { due: Some(7), ..Kept::default() };
        let copy = kept.clone();
        assert!(store.write_blocking(move |tx| put(tx, "s", &copy)).is_err(), "there is no such server");
        write(&store, |tx| nodes::insert(tx, &node("a")));
        write(&store, |tx| servers::insert(tx, &server("s", "a", 7)));
        assert_eq!(write(&store, |tx| update(tx, "s", |kept| kept.due = None)), None);
        write(&store, move |tx| put(tx, "s", &kept));
        let changed = write(&store, |tx| update(tx, "s", |kept| kept.policy.enabled = true)).unwrap();
        assert_eq!(read(&store, list), [(ServerId::from("s"), changed)]);
        write(&store, |tx| servers::delete(tx, "s"));
        assert_eq!(read(&store, |tx| get(tx, "s")), None);
    }
}
