//! How fast the messages of one agent are taken: quicker than any honest one speaks, and slow enough that a flood leaves
//! the machine to the others. What is not read yet stays with the sender.

use std::time::Duration;

use tokio::time::Instant;

/// What a message costs beside its length.
const EACH: f64 = 8.0;
/// Bytes of a message that cost one more.
const PER: usize = 1024;
/// What may be spent each second: 2,500 small messages, or 20 MB in large ones.
const RATE: f64 = 20_000.0;
/// What may be saved up, for a node that comes back and tells of everything.
const SAVED: f64 = 80_000.0;

/// A purse that fills by itself.
pub(super) struct Pace {
    purse: f64,
    filled: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { purse: SAVED, filled: Instant::now() }
    }

    /// A message was taken.
    pub(super) fn spend(&mut self, bytes: usize) {
        let now = Instant::now();
        let earned = now.duration_since(self.filled).as_secs_f64() * RATE;
        self.filled = now;
        self.purse = (self.purse + earned).min(SAVED) - EACH - (bytes / PER) as f64;
    }

    /// When the next one may be taken; nothing where at once.
    pub(super) fn pause(&self) -> Option<Instant> {
        let until = self.filled + Duration::from_secs_f64(f64::max(0.0, -self.purse) / RATE);
        (until > Instant::now()).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_slowed_down_and_a_burst_is_not() {
        let mut pace = Pace::new();
        let began = Instant::now();
        let mut taken = 0;
        while began.elapsed() < Duration::from_secs(10) {
            match pace.pause() {
                Some(until) => tokio::time::sleep_until(until + Duration::from_millis(1)).await,
                None => {
                    pace.spend(100);
                    taken += 1;
                }
            }
            if taken == 9_000 {
                assert!(began.elapsed().is_zero(), "a burst");
            }
        }
        assert!((30_000..40_000).contains(&taken), "{taken}");
    }
}
