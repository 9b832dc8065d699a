//! The wall clock and the format of timestamps.

use jiff::Timestamp;
use storage::Millis;

/// Current time in Unix milliseconds.
pub fn now() -> Millis {
    Timestamp::now().as_millisecond()
}

/// Formats a time as RFC 3339 in UTC, as used for all times in JSON.
pub fn rfc3339(at: Millis) -> String {
    Timestamp::from_millisecond(at)
        .unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
        .to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(super::rfc3339(1_800_000_000_123), "2027-01-15T08:00:00.123Z");
        assert!(super::rfc3339(i64::MAX).starts_with("9999"));
    }
}
