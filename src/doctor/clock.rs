//! The clock: whether it is synchronised and plausible.

use std::path::Path;
use std::time::{Duration, SystemTime};

use agent::host::Sources;
use jiff::Timestamp;

use super::changes;
use super::commands::Said;
use super::views::Finding;

/// Unix time before this program was built: 2026-01-01.
const MADE: i64 = 1_767_225_600;
/// Files that are newer than now by more than this were written with another clock.
const AHEAD: Duration = Duration::from_secs(24 * 3600);

const SYNC: &str = "Let it be set by a time server: `sudo timedatectl set-ntp true`.";

/// `timedatectl` is the output of `timedatectl show -p NTPSynchronized --value`.
pub(super) fn clock(sources: &Sources, data_dir: &Path, now: SystemTime, timedatectl: &Said) -> Vec<Finding> {
    let at = Timestamp::try_from(now).unwrap_or(Timestamp::UNIX_EPOCH);
    if at.as_second() < MADE {
        let detail = format!("This machine's clock says {at:.0}, which is before this program was made.");
        let found = Finding::problem("clock", "clock_wrong", "The clock is wrong", detail, SYNC);
        return vec![found];
    }
    let mut found = Vec::new();
    if let Some((file, written)) = newest(data_dir)
        && written.duration_since(now).is_ok_and(|ahead| ahead > AHEAD)
    {
        let written = Timestamp::try_from(written).unwrap_or(Timestamp::UNIX_EPOCH);
        let detail = format!("This machine's clock says {at:.0}, but {file} was written at {written:.0}.");
        found.push(Finding::warning("clock", "clock_behind", "The clock was turned back", detail, SYNC));
    }
    match synchronised(sources, timedatectl) {
        Some(false) => {
            let detail = format!("It says {at:.0}, and no time server sets it.");
            found.push(Finding::warning("clock", "clock_unset", "Nobody sets the clock", detail, SYNC));
        }
        known if found.is_empty() => {
            let by = if known.is_some() {
                "a time server sets it"
            } else {
                "who sets it cannot be seen from here"
            };
            found.push(Finding::ok("clock", "clock", "Clock", format!("It says {at:.0}; {by}.")));
        }
        _ => {}
    }
    found
}

/// As reported by systemd, else by marker files of common time daemons. `None` if there is neither: a container uses
/// its host's clock.
fn synchronised(sources: &Sources, timedatectl: &Said) -> Option<bool> {
    let there = |path: &str| sources.path(path).exists();
    if there("run/systemd/timesync/synchronized") {
        return Some(true);
    }
    match timedatectl.text().map(str::trim) {
        Some("yes") => return Some(true),
        Some("no") => return Some(false),
        _ => {}
    }
    let daemons = [
        "run/chrony/chronyd.pid",
        "run/chronyd.pid",
        "run/ntpd.pid",
        "run/openntpd.pid",
        "run/ntpsec/ntpd.pid",
    ];
    daemons.iter().any(|pid| there(pid)).then_some(true)
}

/// The most recently written of the panel's own files.
fn newest(data_dir: &Path) -> Option<(String, SystemTime)> {
    let copies = std::fs::read_dir(data_dir.join("copies")).into_iter().flatten().flatten();
    let own = ["panel.redb", "instance.json", changes::FILE].map(|name| data_dir.join(name));
    let files = own.into_iter().chain(copies.map(|entry| entry.path()));
    let dated = files.filter_map(|path| {
        let written = std::fs::metadata(&path).and_then(|data| data.modified()).ok()?;
        Some((path.display().to_string(), written))
    });
    dated.max_by_key(|(_, written)| *written)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tree, codes};
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    const TODAY: u64 = 1_795_000_000;

    #[test]
    fn a_clock_is_set_not_set_or_unknown() {
        let (empty, folder) = (Tree::new(&[]), tempfile::tempdir().unwrap());
        let said = |tree: &Tree, text: &str| {
            codes(&clock(&tree.sources(), folder.path(), at(TODAY), &Said::of(text)))
        };
        assert_eq!(said(&empty, "yes\n"), ["clock"]);
        assert_eq!(said(&empty, "no\n"), ["clock_unset"]);
        assert_eq!(codes(&clock(&empty.sources(), folder.path(), at(TODAY), &Said::Absent)), ["clock"]);
        let timesyncd = Tree::new(&[("run/systemd/timesync/synchronized", "")]);
        assert_eq!(said(&timesyncd, "no\n"), ["clock"]);
        let chrony = Tree::new(&[("run/chrony/chronyd.pid", "7")]);
        assert!(
            clock(&chrony.sources(), folder.path(), at(TODAY), &Said::Absent)[0].detail.contains("sets it")
        );
    }

    #[test]
    fn a_clock_that_can_not_be_right() {
        let (tree, folder) = (Tree::new(&[]), tempfile::tempdir().unwrap());
        let found = clock(&tree.sources(), folder.path(), at(9), &Said::Absent);
        assert_eq!(codes(&found), ["clock_wrong"]);
        let file = std::fs::File::create(folder.path().join("panel.redb")).unwrap();
        file.set_modified(at(TODAY)).unwrap();
        let found = |now| codes(&clock(&tree.sources(), folder.path(), at(now), &Said::Absent));
        assert_eq!(found(TODAY + 5), ["clock"]);
        assert_eq!(found(TODAY - 3600), ["clock"]);
        assert_eq!(found(TODAY - 3 * 86_400), ["clock_behind"]);
    }
}
