//! When a daily backup is due.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use storage::Millis;
use storage::backups::policies::Policy;

/// A zone by its name, such as `Europe/Berlin`; the machine's own without one.
///
/// # Errors
/// Where this machine does not know it.
pub(super) fn zone(name: Option<&str>) -> Result<TimeZone, jiff::Error> {
    match name {
        Some("UTC") => Ok(TimeZone::UTC),
        Some(name) => TimeZone::get(name),
        None => Ok(TimeZone::system()),
    }
}

/// The zone that a policy's time is meant in. One that is not known any more is the machine's.
pub(in crate::backups) fn zone_of(policy: &Policy) -> TimeZone {
    zone(policy.time_zone.as_deref()).unwrap_or_else(|_| TimeZone::system())
}

/// The name of a zone.
pub(super) fn zone_name(zone: &TimeZone) -> String {
    zone.iana_name().unwrap_or("UTC").to_owned()
}

/// The first moment after `after` at which a clock there shows this minute of the day. On a day on which it never does, the
/// moment at which it would have; on one on which it does twice, the first.
pub(super) fn next(minute: u16, zone: &TimeZone, after: Millis) -> Millis {
    let Ok(after) = Timestamp::from_millisecond(after) else { return Millis::MAX };
    let time = |minute: u16| {
        let part = |value: u16| i8::try_from(value).unwrap_or_default();
        (part(minute / 60 % 24), part(minute % 60))
    };
    let (hour, minute) = time(minute);
    let mut day = after.to_zoned_datetime(zone.clone()).date();
    for _ in 0..3 {
        let at = day.at(hour, minute, 0, 0).to_zoned_datetime(zone.clone()).map(|at| at.timestamp());
        if let Ok(at) = at
            && at > after
        {
            return at.as_millisecond();
        }
        let Ok(tomorrow) = day.checked_add(1.day()) else { break };
        day = tomorrow;
    }
    Millis::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Millis {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn it_is_due_once_a_day() {
        let berlin = zone(Some("Europe/Berlin")).unwrap();
        let next = |minute, after: &str| {
            Timestamp::from_millisecond(super::next(minute, &berlin, at(after))).unwrap().to_string()
        };
        assert_eq!(next(240, "2026-01-05T01:00:00Z"), "2026-01-05T03:00:00Z");
        assert_eq!(next(240, "2026-01-05T03:00:00Z"), "2026-01-06T03:00:00Z", "not the same one again");
        assert_eq!(next(240, "2026-07-05T01:59:59Z"), "2026-07-05T02:00:00Z", "summer time");
        // The clocks go from 02:00 to 03:00: there is no 02:30 on that day.
        assert_eq!(next(150, "2026-03-28T12:00:00Z"), "2026-03-29T01:30:00Z");
        // And from 03:00 to 02:00: there are two.
        assert_eq!(next(150, "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(next(150, "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
        assert_eq!(next(0, "2026-12-31T22:59:59Z"), "2026-12-31T23:00:00Z");
    }

    #[test]
    fn zones_that_are_none_are_refused() {
        for bad in ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe"] {
            assert!(zone(Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(zone_name(&zone(Some("UTC")).unwrap()), "UTC");
    }
}
