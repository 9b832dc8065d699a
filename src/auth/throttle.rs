//! How often somebody may be wrong.
//!
//! Two rules for sign-ins. An address may be wrong ten times a minute. An account that was often wrong makes strangers wait
//! between attempts, a little longer each time; an address from which the account was used before doesn't wait, so nobody
//! can keep the owner out by guessing.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{ApiError, Code};

/// Wrong attempts in [`PERIOD`] before an address has to wait.
const PER_ADDRESS: usize = 10;
/// How long a wrong attempt counts against its address.
const PERIOD: Duration = Duration::from_secs(60);
/// Wrong attempts before an account makes strangers wait.
const PER_ACCOUNT: u32 = 10;
/// How long an account remembers them.
const ACCOUNT_MEMORY: Duration = Duration::from_secs(15 * 60);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The most addresses or accounts that are remembered.
const MOST: usize = 10_000;

/// An address as far as its owner can't change it at will: IPv6 by its /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place(IpAddr);

impl Place {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// Ten wrong attempts a minute and address.
#[derive(Default)]
pub(super) struct Window(Mutex<HashMap<Place, Vec<Instant>>>);

impl Window {
    /// 429 where this address was wrong too often.
    pub(super) fn check(&self, place: Place) -> Result<(), ApiError> {
        self.check_at(place, Instant::now())
    }

    fn check_at(&self, place: Place, now: Instant) -> Result<(), ApiError> {
        let mut map = lock(&self.0);
        let Some(times) = map.get_mut(&place) else { return Ok(()) };
        times.retain(|time| now.duration_since(*time) < PERIOD);
        match times.first() {
            Some(oldest) if times.len() >= PER_ADDRESS => {
                Err(slow_down(PERIOD.saturating_sub(now.duration_since(*oldest))))
            }
            _ => Ok(()),
        }
    }

    /// Counts a wrong attempt; 429 where it was one too many (its neighbours were faster).
    pub(super) fn wrong(&self, place: Place) -> Result<(), ApiError> {
        self.wrong_at(place, Instant::now())
    }

    fn wrong_at(&self, place: Place, now: Instant) -> Result<(), ApiError> {
        self.check_at(place, now)?;
        let mut map = lock(&self.0);
        make_room(&mut map, |times| times.last().copied(), now, PERIOD);
        map.entry(place).or_default().push(now);
        Ok(())
    }
}

/// What an account remembers.
struct Account {
    wrong: u32,
    last: Instant,
    not_before: Instant,
}

/// Both rules.
#[derive(Default)]
pub(super) struct Throttle {
    pub(super) addresses: Window,
    accounts: Mutex<HashMap<String, Account>>,
}

impl Throttle {
    /// 429 where a stranger has to wait before trying this account again.
    pub(super) fn check_account(&self, account: &str) -> Result<(), ApiError> {
        let now = Instant::now();
        match lock(&self.accounts).get(account) {
            Some(known) if now < known.not_before => Err(slow_down(known.not_before - now)),
            _ => Ok(()),
        }
    }

    /// Counts a wrong attempt on an account, be it there or not.
    pub(super) fn wrong_account(&self, account: &str) {
        self.wrong_account_at(account, Instant::now());
    }

    fn wrong_account_at(&self, account: &str, now: Instant) {
        let mut map = lock(&self.accounts);
        make_room(&mut map, |account| Some(account.last), now, ACCOUNT_MEMORY);
        let known = map.entry(account.to_owned()).or_insert(Account { wrong: 0, last: now, not_before: now });
        if now.duration_since(known.last) >= ACCOUNT_MEMORY {
            known.wrong = 0;
        }
        known.wrong = known.wrong.saturating_add(1);
        known.last = now;
        if let Some(over) = known.wrong.checked_sub(PER_ACCOUNT) {
            known.not_before = now + Duration::from_secs(1 << over.min(10)).min(LONGEST_WAIT);
        }
    }

    /// Forgets what was wrong: the owner is here.
    pub(super) fn right(&self, account: &str) {
        lock(&self.accounts).remove(account);
    }
}

fn slow_down(wait: Duration) -> ApiError {
    let seconds = wait.as_secs() + 1;
    let sentence = format!("Too many wrong attempts. Try again in {seconds} seconds.");
    ApiError::new(Code::TooManyRequests, sentence).retry_after(seconds)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a map below [`MOST`]: what is past its time goes first, then the older half.
fn make_room<K: Eq + Hash + Clone, V>(
    map: &mut HashMap<K, V>,
    last: impl Fn(&V) -> Option<Instant>,
    now: Instant,
    keep: Duration,
) {
    if map.len() < MOST {
        return;
    }
    map.retain(|_, value| last(value).is_some_and(|last| now.duration_since(last) < keep));
    if map.len() < MOST {
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

    fn place(text: &str) -> Place {
        Place::of(text.parse().unwrap())
    }

    #[test]
    fn the_eleventh_wrong_attempt_in_a_minute_waits() {
        let window = Window::default();
        let start = Instant::now();
        let home = place("192.0.2.1");
        for second in 0..10 {
            assert!(window.wrong_at(home, start + Duration::from_secs(second)).is_ok());
        }
        let error = window.wrong_at(home, start + Duration::from_secs(10)).unwrap_err();
        assert_eq!(error.code(), Code::TooManyRequests);
        assert_eq!(error.retry_after_seconds(), Some(51));
        assert!(window.check_at(place("192.0.2.2"), start).is_ok());
        assert!(window.check_at(home, start + Duration::from_secs(61)).is_ok());
    }

    #[test]
    fn ipv6_counts_by_its_64_and_mapped_ipv4_as_ipv4() {
        assert_eq!(place("2001:db8::1"), place("2001:db8::ffff:1"));
        assert_ne!(place("2001:db8:0:1::1"), place("2001:db8::1"));
        assert_eq!(place("::ffff:192.0.2.1"), place("192.0.2.1"));
    }

    #[test]
    fn the_map_stays_bounded() {
        let window = Window::default();
        let start = Instant::now();
        for number in 0..100_000_u32 {
            let address = IpAddr::from((0x2001_0db8_u128 << 96 | u128::from(number) << 64).to_be_bytes());
            let _ = window.wrong_at(Place::of(address), start + Duration::from_micros(number.into()));
        }
        assert!(lock(&window.0).len() <= MOST);
    }

    #[test]
    fn an_account_makes_strangers_wait_but_never_long() {
        let throttle = Throttle::default();
        for _ in 0..9 {
            throttle.wrong_account("owner");
        }
        assert!(throttle.check_account("owner").is_ok());
        for _ in 0..50 {
            throttle.wrong_account("owner");
        }
        let error = throttle.check_account("owner").unwrap_err();
        assert!(error.retry_after_seconds().unwrap() <= 31);
        throttle.right("owner");
        assert!(throttle.check_account("owner").is_ok());
    }
}
