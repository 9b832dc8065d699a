//! Limits on the number of sockets and on the rate of a client's messages.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::error::{ApiError, Code};

/// Most sockets of one account.
const PER_ACCOUNT: usize = 256;
/// Most sockets in total.
const IN_ALL: usize = 1024;
/// Most sockets of all non-administrators together; the rest is reserved for administrators.
const OF_USERS: usize = 768;
/// Sockets guaranteed to such an account. If all are taken, one of the account with the most sockets is closed for it.
const SHARE: usize = 64;
/// Messages that a client may send in a burst.
pub(super) const BURST: f64 = 200.0;
/// Messages per second that a client may send after that.
pub(super) const PER_SECOND: f64 = 100.0;
/// Topic names in these messages, to subscribe or unsubscribe: in a burst, and per second.
pub(super) const NAMES: (f64, f64) = (2048.0, 256.0);
/// Seconds that may be spent on sending list changes, because some agents report changes all the time: in a burst, and
/// per second.
pub(super) const LISTS: (f64, f64) = (0.5, 0.5);

/// The open sockets.
#[derive(Default)]
pub(super) struct Slots(Mutex<Open>);

#[derive(Default)]
struct Open {
    next: u64,
    by_account: HashMap<String, Account>,
}

#[derive(Default)]
struct Account {
    admin: bool,
    /// Oldest first.
    sockets: VecDeque<(u64, CancellationToken)>,
}

/// One open socket; its slot is released when dropped.
pub(super) struct Slot {
    slots: Arc<Slots>,
    user_id: String,
    number: u64,
    /// Cancelled when another account needs the slot.
    pub(super) evicted: CancellationToken,
}

impl Open {
    fn count(&self, admin: bool) -> usize {
        self.by_account.values().filter(|account| account.admin == admin).map(|one| one.sockets.len()).sum()
    }

    /// Closes the oldest socket of the account that has the most sockets and more than its share.
    fn evict(&mut self) -> bool {
        let crowded = self.by_account.values_mut().filter(|account| !account.admin);
        let Some(crowded) = crowded.max_by_key(|account| account.sockets.len()) else { return false };
        if crowded.sockets.len() <= SHARE {
            return false;
        }
        if let Some((_, oldest)) = crowded.sockets.pop_front() {
            oldest.cancel();
        }
        true
    }
}

impl Slots {
    /// A slot for one more socket, or 429.
    pub(super) fn take(self: &Arc<Self>, user_id: &str, admin: bool) -> Result<Slot, ApiError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = open.by_account.get(user_id).map_or(0, |account| account.sockets.len());
        let users = open.count(false);
        let full = users + open.count(true) >= IN_ALL || (!admin && users >= OF_USERS);
        if mine >= PER_ACCOUNT || (full && ((!admin && mine >= SHARE) || !open.evict())) {
            let sentence = "Too many live connections are open.";
            return Err(ApiError::new(Code::TooManyRequests, sentence).retry_after(5));
        }
        open.next += 1;
        let (number, evicted) = (open.next, CancellationToken::new());
        let account = open.by_account.entry(user_id.to_owned()).or_default();
        account.admin = admin;
        account.sockets.push_back((number, evicted.clone()));
        drop(open);
        Ok(Slot { slots: Arc::clone(self), user_id: user_id.to_owned(), number, evicted })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = open.by_account.get_mut(&self.user_id) {
            account.sockets.retain(|(number, _)| *number != self.number);
            if account.sockets.is_empty() {
                open.by_account.remove(&self.user_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(slots: &Arc<Slots>, count: usize, admin: bool, name: impl Fn(usize) -> String) -> Vec<Slot> {
        (0..count).filter_map(|n| slots.take(&name(n), admin).ok()).collect()
    }

    fn alive(held: &[Slot]) -> usize {
        held.iter().filter(|slot| !slot.evicted.is_cancelled()).count()
    }

    #[test]
    fn sockets_are_counted_by_account_and_in_all() {
        let slots = Arc::new(Slots::default());
        let mut mine = take(&slots, PER_ACCOUNT, true, |_| "a".into());
        assert_eq!(mine.len(), PER_ACCOUNT);
        let refused = slots.take("a", true).err().unwrap();
        assert_eq!(refused.code(), Code::TooManyRequests);
        assert!(refused.retry_after_seconds().is_some());
        mine.pop();
        let again = slots.take("a", true);
        assert!(again.is_ok());
        let others = take(&slots, IN_ALL, true, |n| format!("admin{}", n % 8));
        assert_eq!(others.len(), IN_ALL - PER_ACCOUNT);
        drop((mine, again, others));
        assert!(slots.0.lock().unwrap().by_account.is_empty());
    }

    #[test]
    fn plain_accounts_leave_room_for_administrators_and_for_each_other() {
        let slots = Arc::new(Slots::default());
        let crowd = take(&slots, 2000, false, |n| format!("u{}", n % 4));
        assert_eq!(crowd.len(), OF_USERS);
        let mira = take(&slots, 200, false, |_| "mira".into());
        assert_eq!((mira.len(), alive(&crowd)), (SHARE, OF_USERS - SHARE));
        let owner = take(&slots, 300, true, |_| "owner".into());
        assert_eq!((owner.len(), alive(&crowd), alive(&mira)), (PER_ACCOUNT, OF_USERS - SHARE, SHARE));
        let second = slots.take("second", true);
        assert!(second.is_ok(), "an administrator's first one is worth more than somebody's many");
        assert_eq!(slots.0.lock().unwrap().count(false), OF_USERS - 1);
    }

    #[test]
    fn accounts_with_their_share_are_not_closed_for_others() {
        let slots = Arc::new(Slots::default());
        let all = take(&slots, 12 * SHARE, false, |n| format!("u{}", n % 12));
        assert_eq!(all.len(), OF_USERS);
        assert!(slots.take("late", false).is_err());
        assert_eq!(alive(&all), OF_USERS);
    }
}
