//! Which of the scheduled backups are kept.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use storage::Millis;
use storage::backups::policies::Keep;
use storage::backups::{Backup, Origin, Stage};

const DAY: i64 = 86_400_000;

/// Names the hour, day, week or month of a moment.
type Period = fn(&ZonedDateTime) -> String;

/// The ids of those that go. `all` are all backups of a server, oldest first. What people have made or locked stays, and so does the
/// only whole one.
pub(in crate::backups) fn going(all: &[Backup], keep: &Keep, now: Millis, zone: &TimeZone) -> Vec<String> {
    if *keep == Keep::default() {
        return Vec::new();
    }
    let whole = |backup: &&Backup| backup.stage == Stage::Ready;
    let scheduled: Vec<&Backup> =
        all.iter().rev().filter(whole).filter(|backup| backup.origin == Origin::Scheduled).collect();
    let mut kept = BTreeSet::new();
    kept.extend(scheduled.iter().take(keep.last as usize).map(|backup| &backup.id));
    let young = now - i64::from(keep.within_days) * DAY;
    kept.extend(
        scheduled.iter().filter(|one| keep.within_days > 0 && one.created_at >= young).map(|one| &one.id),
    );
    let rules: [(u32, Period); 4] = [
        (keep.hourly, |at| at.strftime("%Y-%m-%d %H %z").to_string()),
        (keep.daily, |at| at.strftime("%Y-%m-%d").to_string()),
        (keep.weekly, |at| at.strftime("%G-%V").to_string()),
        (keep.monthly, |at| at.strftime("%Y-%m").to_string()),
    ];
    for (most, period) in rules {
        let mut seen = BTreeSet::new();
        for backup in &scheduled {
            let Ok(at) = Timestamp::from_millisecond(backup.created_at) else { continue };
            if seen.len() >= most as usize {
                break;
            }
            if seen.insert(period(&at.to_zoned_datetime(zone.clone()))) {
                kept.insert(&backup.id);
            }
        }
    }
    let mut going: Vec<&Backup> =
        scheduled.iter().copied().filter(|one| !one.locked && !kept.contains(&one.id)).collect();
    if going.len() == all.iter().filter(whole).count() && !going.is_empty() {
        // The newest.
        going.remove(0);
    }
    going.into_iter().map(|backup| backup.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use storage::backups::{Checks, Contents, Plan};

    use super::*;

    fn backup(id: &str, at: &str) -> Backup {
        Backup {
            id: id.into(),
            server_id: "s".into(),
            node_id: "n".into(),
            name: String::new(),
            note: String::new(),
            locked: false,
            origin: Origin::Scheduled,
            stage: Stage::Ready,
            job_id: String::new(),
            created_at: at.parse::<Timestamp>().unwrap().as_millisecond(),
            finished_at: None,
            contents: Contents::default(),
            problem: None,
            target_id: None,
            plan: Plan::default(),
            checks: Checks::default(),
        }
    }

    /// The ids that stay.
    fn stay(all: &[Backup], keep: Keep) -> String {
        let now = "2026-03-31T12:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
        let going = going(all, &keep, now, &TimeZone::UTC);
        let left = all.iter().filter(|backup| !going.contains(&backup.id));
        left.map(|backup| backup.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn rules_keep_the_newest_of_each_period() {
        let all = [
            backup("jan", "2026-01-10T04:00:00Z"),
            backup("feb", "2026-02-20T04:00:00Z"),
            backup("sun", "2026-03-22T04:00:00Z"),
            backup("mon", "2026-03-30T04:00:00Z"),
            backup("early", "2026-03-31T04:00:00Z"),
            backup("late", "2026-03-31T04:30:00Z"),
        ];
        let keep = Keep::default();
        assert_eq!(stay(&all, keep), "jan feb sun mon early late", "without a rule all stay");
        assert_eq!(stay(&all, Keep { last: 2, ..keep }), "early late");
        assert_eq!(stay(&all, Keep { hourly: 1, ..keep }), "late");
        assert_eq!(stay(&all, Keep { daily: 2, ..keep }), "mon late");
        assert_eq!(stay(&all, Keep { weekly: 2, ..keep }), "sun late");
        assert_eq!(stay(&all, Keep { monthly: 3, ..keep }), "jan feb late");
        assert_eq!(stay(&all, Keep { within_days: 2, ..keep }), "mon early late");
        assert_eq!(stay(&all, Keep { last: 1, monthly: 2, ..keep }), "feb late");
        assert_eq!(stay(&all, Keep { last: u32::MAX, daily: u32::MAX, ..keep }).split(' ').count(), 6);
    }

    #[test]
    fn what_people_made_or_locked_stays_and_so_does_the_only_whole_one() {
        let keep = Keep { within_days: 1, ..Keep::default() };
        let mut all = [backup("a", "2026-01-01T00:00:00Z"), backup("b", "2026-01-02T00:00:00Z")];
        assert_eq!(stay(&all, keep), "b", "there would be none");
        all[0].locked = true;
        assert_eq!(stay(&all, keep), "a");
        all[0].locked = false;
        all[0].origin = Origin::Manual;
        assert_eq!(stay(&all, keep), "a");
        all[0].stage = Stage::Failed;
        assert_eq!(stay(&all, keep), "a b", "a failed one is no backup");
    }
}
