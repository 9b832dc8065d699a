//! The wall clock, and how a time is written.

use jiff::Timestamp;
use storage::Millis;

/// Now, in Unix milliseconds.
pub fn now() -> Millis {
    Timestamp::now().as_millisecond()
}

/// RFC 3339 in UTC, as every time in JSON.
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
