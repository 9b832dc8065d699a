//! How long to wait before dialling again.

use std::time::Duration;

/// Doubles from the first to the longest; each wait is drawn between half of it and all of it, so that a thousand agents do not
/// come back in one second.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { next: first.min(most), most }
    }

    pub(super) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.most);
        wait.mul_f64(rand::random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(500);
    const MOST: Duration = Duration::from_secs(30);

    #[test]
    fn it_grows_to_its_bound_and_is_spread() {
        let mut backoff = Backoff::new(FIRST, MOST);
        let waits: Vec<Duration> = (0..12).map(|_| backoff.next()).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST, "{waits:?}");
        assert!(waits[11] >= MOST / 2 && waits[11] <= MOST, "{waits:?}");
        let mut last = Vec::new();
        for _ in 0..50 {
            last.push(backoff.next());
        }
        last.dedup();
        assert!(last.len() > 40, "waits are drawn");
    }
}
