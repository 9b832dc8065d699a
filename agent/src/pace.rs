//! The pace of the protocol. Its waits are for real networks (a silence of 45 s, a back-off of 30 s); a test that has to
//! see each of them happen runs the same program with all of them shortened by one factor.

use std::sync::OnceLock;
use std::time::Duration;

/// The factor's variable: whole, 1 to 100. For tests of panel and agent; nobody else has a use for it.
const VARIABLE: &str = "LINK_PACE";

/// A wait of the protocol as this process keeps it: `time`, divided by `LINK_PACE` where that is set.
#[must_use]
pub fn paced(time: Duration) -> Duration {
    static FACTOR: OnceLock<u32> = OnceLock::new();
    time / *FACTOR.get_or_init(|| factor(std::env::var(VARIABLE).ok().as_deref()))
}

fn factor(given: Option<&str>) -> u32 {
    given.and_then(|text| text.parse().ok()).filter(|factor| (1..=100).contains(factor)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sound_factor_counts() {
        assert_eq!(factor(Some("10")), 10);
        for odd in [None, Some(""), Some("0"), Some("-3"), Some("101"), Some("fast")] {
            assert_eq!(factor(odd), 1, "{odd:?}");
        }
    }
}
