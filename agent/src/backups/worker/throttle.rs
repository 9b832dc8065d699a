//! Rate limit in bytes per second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Idle time that counts towards a burst.
const BURST: Duration = Duration::from_millis(200);

/// A blocking rate limiter.
#[derive(Debug)]
pub(super) struct Throttle {
    bytes_per_sec: u64,
    /// When the next bytes may pass.
    next: Mutex<Instant>,
}

impl Throttle {
    /// Creates a limiter; 0 means no limit.
    pub(super) fn new(mib_per_sec: u32) -> Self {
        Self { bytes_per_sec: u64::from(mib_per_sec) << 20, next: Mutex::new(Instant::now()) }
    }

    /// Blocks until these bytes may pass.
    #[allow(clippy::disallowed_methods, reason = "the threads of a worker have nothing else to do")]
    pub(super) fn take(&self, bytes: u64) {
        if self.bytes_per_sec == 0 {
            return;
        }
        #[allow(clippy::cast_precision_loss, reason = "a few milliseconds more or less")]
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_sec as f64);
        let now = Instant::now();
        let until = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            *next = (*next).max(now.checked_sub(BURST).unwrap_or(now)) + cost;
            *next
        };
        std::thread::sleep(until.saturating_duration_since(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_their_time() {
        let began = Instant::now();
        Throttle::new(0).take(u64::MAX);
        let throttle = Throttle::new(10);
        for _ in 0..6 {
            throttle.take(1 << 20);
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(390) && took < Duration::from_secs(3), "{took:?}");
    }
}
