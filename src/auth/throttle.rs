//! Limits on wrong attempts.
//!
//! Two rules for sign-ins: an address may be wrong ten times a minute, and an account with many wrong attempts makes
//! strangers wait between attempts, longer each time. Known devices do not wait ([`super::devices`]), and a few
//! attempts of strangers are checked anyway ([`super::reserve`]), so guessing cannot lock out the owner.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::ApiError;
pub(super) use crate::net::rate_limit::{FailureLimiter as Window, Network as Slot};
use crate::net::rate_limit::{make_room, slow_down};

/// Wrong attempts before an account makes strangers wait.
const PER_ACCOUNT: u32 = 10;
/// How long wrong attempts on an account count.
const ACCOUNT_MEMORY: Duration = Duration::from_secs(15 * 60);
/// Longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Whose wrong attempts are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Slot(Slot),
    Account(String),
}

/// Wrong attempts on one account.
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
    /// 429 if a stranger has to wait before the next attempt on this account.
    pub(super) fn check_account(&self, account: &str) -> Result<(), ApiError> {
        let now = Instant::now();
        match lock(&self.accounts).get(account) {
            Some(known) if now < known.not_before => Err(slow_down(known.not_before - now)),
            _ => Ok(()),
        }
    }

    /// Counts a wrong attempt on an account, existing or not.
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

    /// Clears the wrong attempts after the owner has signed in.
    pub(super) fn right(&self, account: &str) {
        lock(&self.accounts).remove(account);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

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
