//! Rate limits: failed attempts by source, and token buckets. Every map in here is bounded.
//!
//! Each [`FailureLimiter`] is for one kind of secret: passwords, the setup token, agents' secrets. It counts wrong
//! attempts of a [`Source`]: a network, or a known client, which has a limit of its own, so that guessing from the same
//! network cannot use it up.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{ApiError, Code};

/// Wrong attempts within [`PERIOD`] before a source has to wait.
const ATTEMPTS: usize = 10;
/// How long a wrong attempt counts.
const PERIOD: Duration = Duration::from_secs(60);
/// Maximum number of entries in one map.
pub const MAX_ENTRIES: usize = 10_000;

/// An address reduced to the part its owner cannot easily change: IPv6 to its /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address. An IPv4 address written as IPv6 counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            // The loopback address is not part of a /64.
            IpAddr::V6(v6) if !v6.is_loopback() => {
                let [a, b, c, d, ..] = v6.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
            other => Self(other),
        }
    }

    /// Whether it is this machine.
    pub fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(v6) if !v6.is_loopback() => write!(f, "{v6}/64"),
            other => other.fmt(f),
        }
    }
}

/// Whose attempts are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// All clients of this network that are not known.
    Network(Network),
    /// A client that has succeeded before, under a name that others cannot use.
    Known(String),
}

impl From<Network> for Source {
    fn from(network: Network) -> Self {
        Source::Network(network)
    }
}

/// Wrong attempts of each source in the last minute.
pub struct FailureLimiter {
    allowed: usize,
    failures: Mutex<HashMap<Source, Vec<Instant>>>,
}

impl Default for FailureLimiter {
    /// Ten attempts a minute.
    fn default() -> Self {
        Self { allowed: ATTEMPTS, failures: Mutex::default() }
    }
}

impl FailureLimiter {
    /// 429 if this source had too many wrong attempts. Must be called before the secret is checked.
    pub fn check(&self, source: impl Into<Source>) -> Result<(), ApiError> {
        self.check_at(&source.into(), Instant::now())
    }

    fn check_at(&self, source: &Source, now: Instant) -> Result<(), ApiError> {
        let mut failures = lock(&self.failures);
        let Some(times) = failures.get_mut(source) else { return Ok(()) };
        times.retain(|time| now.duration_since(*time) < PERIOD);
        match times.first() {
            Some(oldest) if times.len() >= self.allowed => {
                Err(slow_down(PERIOD.saturating_sub(now.duration_since(*oldest))))
            }
            _ => Ok(()),
        }
    }

    /// Counts a wrong attempt; 429 if concurrent attempts have used up the limit.
    pub fn wrong(&self, source: impl Into<Source>) -> Result<(), ApiError> {
        self.wrong_at(source.into(), Instant::now())
    }

    fn wrong_at(&self, source: Source, now: Instant) -> Result<(), ApiError> {
        self.check_at(&source, now)?;
        let mut failures = lock(&self.failures);
        make_room(&mut failures, |times| times.last().copied(), now, PERIOD);
        failures.entry(source).or_default().push(now);
        Ok(())
    }
}

/// Names that have succeeded recently.
pub struct KnownSources {
    kept: Duration,
    last: Mutex<HashMap<String, Instant>>,
}

impl KnownSources {
    /// Remembers each name for `kept` after its last success.
    pub fn new(kept: Duration) -> Self {
        Self { kept, last: Mutex::default() }
    }

    /// Notes that `name` has succeeded.
    pub fn remember(&self, name: String) {
        let now = Instant::now();
        let mut last = lock(&self.last);
        make_room(&mut last, |at| Some(*at), now, self.kept);
        last.insert(name, now);
    }

    /// Whether it has succeeded recently.
    pub fn contains(&self, name: &str) -> bool {
        lock(&self.last).get(name).is_some_and(|at| at.elapsed() < self.kept)
    }
}

/// Limits log lines to one a minute per network.
#[derive(Default)]
pub struct LogLimiter(Mutex<HashMap<Network, Instant>>);

impl LogLimiter {
    /// Whether a line about this network may be logged now.
    pub fn allows(&self, network: Network) -> bool {
        let now = Instant::now();
        let mut last = lock(&self.0);
        if last.get(&network).is_some_and(|at| now.duration_since(*at) < PERIOD) {
            return false;
        }
        make_room(&mut last, |at| Some(*at), now, PERIOD);
        last.insert(network, now);
        true
    }
}

/// Token bucket: holds `burst` tokens and gains `per_second`.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    burst: f64,
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(burst: f64, per_second: f64, now: Instant) -> Self {
        Self { burst, per_second, tokens: burst, filled: now }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
    }

    /// Takes one token; false if there is none.
    pub fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    /// Takes many tokens. If there are too few, the bucket goes into debt and the result is false.
    pub fn take_many(&mut self, count: f64, now: Instant) -> bool {
        self.fill(now);
        self.tokens -= count;
        self.tokens >= 0.0
    }

    /// When the debt is repaid; `None` if there is none.
    pub fn due(&self) -> Option<Instant> {
        let wait = Duration::from_secs_f64(f64::max(0.0, -self.tokens) / self.per_second);
        Some(self.filled + wait).filter(|due| *due > Instant::now())
    }
}

/// How a new key is treated when the map is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WhenFull {
    /// It gets a full bucket, and the least recently used ones are dropped.
    Forget,
    /// It is refused: attempts are expensive, and thousands of keys were used within seconds.
    Refuse,
}

/// One token bucket per key, such as a network or an account.
pub struct Buckets<K> {
    burst: f64,
    per_second: f64,
    when_full: WhenFull,
    buckets: Mutex<HashMap<K, TokenBucket>>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Buckets with these values. When the map is full, old keys are dropped.
    pub fn new(burst: f64, per_second: f64) -> Self {
        Self { burst, per_second, when_full: WhenFull::Forget, buckets: Mutex::default() }
    }

    /// Like [`Self::new`], but while the map is full of keys that were used recently, new keys are refused.
    pub fn strict(burst: f64, per_second: f64) -> Self {
        Self { when_full: WhenFull::Refuse, ..Self::new(burst, per_second) }
    }

    /// Takes one token of this key; false if it has none.
    pub fn take(&self, key: K) -> bool {
        self.take_at(key, Instant::now())
    }

    /// Like [`Self::take`], at a given time.
    pub fn take_at(&self, key: K, now: Instant) -> bool {
        let full_after = Duration::from_secs_f64(self.burst / self.per_second);
        let mut buckets = lock(&self.buckets);
        match self.when_full {
            WhenFull::Forget => make_room(&mut buckets, |bucket| Some(bucket.filled), now, full_after),
            WhenFull::Refuse if buckets.len() < MAX_ENTRIES => {}
            WhenFull::Refuse => {
                buckets.retain(|_, bucket| now.duration_since(bucket.filled) < full_after);
                if buckets.len() >= MAX_ENTRIES && !buckets.contains_key(&key) {
                    return false;
                }
            }
        }
        let bucket = buckets.entry(key).or_insert_with(|| TokenBucket::new(self.burst, self.per_second, now));
        bucket.take(now)
    }

    /// Number of entries.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        lock(&self.buckets).len()
    }
}

/// 429 with the time after which to retry.
pub fn slow_down(wait: Duration) -> ApiError {
    let seconds = wait.as_secs() + 1;
    let sentence = format!("Too many wrong attempts. Try again in {seconds} seconds.");
    ApiError::new(Code::TooManyRequests, sentence).retry_after(seconds)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a map below [`MAX_ENTRIES`]: expired entries are dropped first, then the older half.
pub fn make_room<K: Eq + Hash, V>(
    map: &mut HashMap<K, V>,
    last: impl Fn(&V) -> Option<Instant>,
    now: Instant,
    keep: Duration,
) {
    if map.len() < MAX_ENTRIES {
        return;
    }
    map.retain(|_, value| last(value).is_some_and(|last| now.duration_since(last) < keep));
    if map.len() < MAX_ENTRIES {
        return;
    }
    let mut times: Vec<_> = map.values().filter_map(&last).collect();
    let middle = times.len() / 2;
    let (_, &mut median, _) = times.select_nth_unstable(middle);
    map.retain(|_, value| last(value).is_some_and(|last| last > median));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    #[test]
    fn the_eleventh_wrong_attempt_in_a_minute_waits() {
        let limiter = FailureLimiter::default();
        let start = Instant::now();
        let home = Source::from(network("192.0.2.1"));
        for second in 0..10 {
            assert!(limiter.wrong_at(home.clone(), start + Duration::from_secs(second)).is_ok());
        }
        let error = limiter.wrong_at(home.clone(), start + Duration::from_secs(10)).unwrap_err();
        assert_eq!(error.code(), Code::TooManyRequests);
        assert_eq!(error.retry_after_seconds(), Some(51));
        assert!(limiter.check_at(&network("192.0.2.2").into(), start).is_ok());
        assert!(limiter.check_at(&Source::Known("pi at 192.0.2.1".into()), start).is_ok());
        assert!(limiter.check_at(&home, start + Duration::from_secs(61)).is_ok());
    }

    #[test]
    fn ipv6_counts_by_its_64_and_mapped_ipv4_as_ipv4() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert!(network("::1").is_loopback() && network("127.0.0.9").is_loopback());
        assert!(!network("::2").is_loopback());
        assert_eq!(network("2001:db8::7").to_string(), "2001:db8::/64");
        assert_eq!(network("192.0.2.1").to_string(), "192.0.2.1");
    }

    fn many() -> impl Iterator<Item = Network> {
        (0..100_000_u32).map(|number| {
            let bits = (0x2001_0db8_u128 << 96) | (u128::from(number) << 64);
            Network::of(IpAddr::from(bits.to_be_bytes()))
        })
    }

    #[test]
    fn the_maps_stay_bounded() {
        let (limiter, start) = (FailureLimiter::default(), Instant::now());
        let (known, log) = (KnownSources::new(PERIOD), LogLimiter::default());
        let buckets = Buckets::new(10.0, 1.0);
        for (number, network) in many().enumerate() {
            let now = start + Duration::from_micros(number.try_into().unwrap());
            let _ = limiter.wrong_at(network.into(), now);
            known.remember(network.to_string());
            assert!(log.allows(network) && buckets.take(network));
        }
        assert!(lock(&limiter.failures).len() <= MAX_ENTRIES);
        assert!(lock(&known.last).len() <= MAX_ENTRIES);
        assert!(lock(&log.0).len() <= MAX_ENTRIES);
        assert!(buckets.len() <= MAX_ENTRIES);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_right_is_known_for_a_time_and_a_log_line_comes_once_a_minute() {
        let (known, log, home) = (KnownSources::new(PERIOD), LogLimiter::default(), network("192.0.2.1"));
        known.remember("pi".into());
        assert!(known.contains("pi") && !known.contains("p"));
        assert!(log.allows(home) && !log.allows(home) && log.allows(network("192.0.2.2")));
        tokio::time::advance(PERIOD).await;
        assert!(!known.contains("pi") && log.allows(home));
    }

    #[test]
    fn a_flood_runs_dry_and_a_steady_rate_does_not() {
        let start = Instant::now();
        let mut flood = TokenBucket::new(200.0, 100.0, start);
        assert_eq!((0..10_000).take_while(|_| flood.take(start)).count(), 200);
        let mut steady = TokenBucket::new(200.0, 100.0, start);
        assert!((1..2000).all(|n| steady.take(start + Duration::from_millis(n * 11))));
        let mut many = TokenBucket::new(200.0, 100.0, start);
        assert!(many.take_many(200.0, start) && many.due().is_none());
        assert!(!many.take_many(150.0, start));
        assert_eq!(many.due(), Some(start + Duration::from_millis(1_500)));
    }
}
