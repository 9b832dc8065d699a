//! Backups of servers: whether those that are due are made, and whether they can be read without the panel.

use serde::{Deserialize, Serialize};
use storage::backups::{self, Stage, policies, repositories, targets};
use storage::{Millis, ReadTx};

use super::views::Finding;
use crate::system::clock::rfc3339;

/// What the panel is called among servers.
const ITSELF: &str = "The panel itself";
/// How many are named.
const SHOWN: usize = 10;
/// Age after which a backup of the panel is old: two weeks.
const OLD: Millis = 14 * 86_400_000;

/// What the panel knows of its servers' backups.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct BackupSide {
    /// Servers whose daily backup fails.
    pub failing: Vec<FailingBackup>,
    /// Names of targets whose emergency kit nobody keeps.
    pub without_kit: Vec<String>,
    /// Servers that have a daily backup.
    pub daily: usize,
    /// Servers whose weekly restore test fails.
    #[serde(default)]
    pub unproved: Vec<FailingBackup>,
    /// Where damaged backups lie, and how many.
    #[serde(default)]
    pub damaged: Vec<(String, u64)>,
    /// When the newest backup of the panel itself was made that is not in its own data folder.
    #[serde(default)]
    pub panel: Option<Millis>,
    /// When the last backup of the panel itself failed, and why, where none was made after it.
    #[serde(default)]
    pub panel_failed: Option<(Millis, String)>,
    /// Whether there are servers that could be lost with it.
    #[serde(default)]
    pub servers: bool,
}

/// A server whose daily backup fails.
#[derive(Debug, Serialize, Deserialize)]
pub struct FailingBackup {
    /// What people call the server.
    pub server: String,
    /// Since when.
    pub since: Millis,
    /// Why, in one sentence.
    pub sentence: String,
}

/// Reads it.
pub(super) fn side(tx: &ReadTx) -> storage::Result<BackupSide> {
    let mut side = BackupSide::default();
    for (server_id, kept) in policies::list(tx)? {
        let name = || {
            let server = storage::servers::get(tx, &server_id)?;
            Ok::<_, storage::Error>(server.map_or_else(|| ITSELF.to_owned(), |server| server.name))
        };
        if let Some(problem) = kept.tests.problem {
            let server = name()?;
            side.unproved.push(FailingBackup { server, since: problem.since, sentence: problem.sentence });
        }
        if !kept.policy.enabled {
            continue;
        }
        side.daily += 1;
        let Some(problem) = kept.problem else { continue };
        let server = name()?;
        side.failing.push(FailingBackup { server, since: problem.since, sentence: problem.sentence });
    }
    let without = targets::list(tx)?.into_iter().filter(|target| !target.kit_saved);
    for place in targets::all_places(tx)? {
        let last = repositories::get(tx, &place)?.and_then(|there| there.check.last);
        let Some(damaged) = last.map(|last| last.damaged).filter(|damaged| *damaged > 0) else { continue };
        let target = match &place.target_id {
            Some(id) => targets::get(tx, id)?.map(|target| format!("the backup target {}", target.name)),
            None => place.node_id.map(|node_id| format!("the data folder of the node {node_id}")),
        };
        side.damaged.push((target.unwrap_or_default(), damaged));
    }
    side.without_kit = without.map(|target| target.name).collect();
    let of_panel = backups::list(tx, backups::PANEL)?;
    let ended = of_panel.iter().filter(|one| matches!(one.stage, Stage::Ready | Stage::Failed));
    let last = ended.max_by_key(|one| one.created_at).filter(|one| one.stage == Stage::Failed);
    side.panel_failed = last.map(|one| (one.created_at, one.problem.clone().unwrap_or_default()));
    let of_panel = of_panel.into_iter();
    let elsewhere = of_panel.filter(|one| one.stage == Stage::Ready && one.target_id.is_some());
    side.panel = elsewhere.filter_map(|one| one.finished_at).max();
    side.servers = !storage::servers::list(tx)?.is_empty();
    Ok(side)
}

fn day(at: Millis) -> String {
    rfc3339(at).chars().take(10).collect()
}

/// Whether the panel itself could be brought back.
fn panel(side: &BackupSide, now: Millis) -> Option<Finding> {
    let advice = "Settings → Panel backup, at a backup target that is not this disk.";
    // A daily one that fails is told of with the servers'.
    let daily = side.failing.iter().any(|failing| failing.server == ITSELF);
    if let Some((at, why)) = side.panel_failed.as_ref().filter(|_| !daily) {
        let detail = format!("The panel backup of {} failed: {why}", day(*at));
        let advice = "Settings → Panel backup. Make one by hand once the cause is removed.";
        let title = "The last panel backup failed";
        return Some(Finding::warning("backups", "panel_backup_failed", title, detail, advice));
    }
    match side.panel {
        Some(at) if now.saturating_sub(at) > OLD => {
            let detail = format!("The newest panel backup outside this disk was made on {}.", day(at));
            let advice = "Settings → Panel backup. A daily one is made by itself.";
            Some(Finding::note("backups", "panel_backup_old", "The panel backup is old", detail, advice))
        }
        None if side.servers => {
            let detail = "Accounts, servers' settings and keys are on this machine's disk only.";
            let title = "No panel backup outside this disk";
            Some(Finding::note("backups", "panel_backup_none", title, detail, advice))
        }
        _ => None,
    }
}

pub(super) fn backups(side: &BackupSide, now: Millis) -> Vec<Finding> {
    let mut found = Vec::new();
    for failing in side.failing.iter().take(SHOWN) {
        let since = day(failing.since);
        let detail = format!("{}, since {since}: {}", failing.server, failing.sentence);
        let advice = "See the tab Backups of that server. It is tried again by itself.";
        let title = "A server's daily backup fails";
        found.push(Finding::warning("backups", "backup_fails", title, detail, advice).of(&failing.server));
    }
    if let Some(more) = side.failing.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let detail = format!("The daily backups of {more} more servers fail.");
        let title = "More daily backups fail";
        found.push(Finding::warning("backups", "backups_more", title, detail, "See Servers."));
    }
    for failing in side.unproved.iter().take(SHOWN) {
        let since = day(failing.since);
        let detail = format!("{}, since {since}: {}", failing.server, failing.sentence);
        let advice =
            "See the tab Backups of that server, and test a backup by hand. It is tried again by itself.";
        let title = "A server's backups are not proved";
        found.push(Finding::warning("backups", "backup_unproved", title, detail, advice).of(&failing.server));
    }
    for (place, damaged) in side.damaged.iter().take(SHOWN) {
        let detail = format!("The last check found damaged backups in {place}: {damaged}.");
        let advice = "The tab Backups of each server names them. Make new backups, and check the disk.";
        found
            .push(Finding::problem("backups", "backup_damaged", "Damaged backups", detail, advice).of(place));
    }
    for name in side.without_kit.iter().take(SHOWN) {
        let detail = format!("The emergency kit of the backup target {name} has not been saved.");
        let advice = "Settings → Backup targets → Emergency kit. Without it, those backups cannot be read once the panel is gone.";
        found
            .push(Finding::note("backups", "backup_kit", "Emergency kit not saved", detail, advice).of(name));
    }
    found.extend(panel(side, now));
    if found.is_empty() {
        let detail = match side.daily {
            0 => "No server has a daily backup.".to_owned(),
            1 => "One server has a daily backup, and it is made.".to_owned(),
            count => format!("{count} servers have a daily backup, and all are made."),
        };
        found.push(Finding::ok("backups", "backups", "Backups", detail));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;
    use super::*;

    #[test]
    fn what_fails_and_what_is_missing_is_named() {
        assert_eq!(codes(&backups(&BackupSide::default(), 1)), ["backups"]);
        let failing = |_| FailingBackup { server: "World".into(), since: 1, sentence: "Disk full.".into() };
        let side = BackupSide {
            failing: (0..11).map(failing).collect(),
            without_kit: vec!["NAS".into()],
            daily: 11,
            unproved: vec![failing(0)],
            damaged: vec![("the backup target NAS".into(), 2)],
            ..BackupSide::default()
        };
        let alone = BackupSide { servers: true, ..BackupSide::default() };
        assert_eq!(codes(&backups(&alone, 1)), ["panel_backup_none"]);
        let made = BackupSide { panel: Some(1), ..alone };
        assert_eq!(codes(&backups(&made, OLD)), ["backups"]);
        assert_eq!(codes(&backups(&made, OLD + 2)), ["panel_backup_old"]);
        let failed = BackupSide { panel_failed: Some((1, "Disk full.".into())), ..made };
        let failed = backups(&failed, 1);
        assert_eq!(codes(&failed), ["panel_backup_failed"]);
        assert_eq!(failed[0].detail, "The panel backup of 1970-01-01 failed: Disk full.");
        let found = backups(&side, 1);
        let (first, last) = (&found[0], &found[13]);
        assert_eq!(
            codes(&found[9..]),
            ["backup_fails", "backups_more", "backup_unproved", "backup_damaged", "backup_kit"]
        );
        assert!(first.detail.contains("World, since 1970-01-01: Disk full."), "{}", first.detail);
        assert!(last.detail.contains("NAS"));
    }
}
