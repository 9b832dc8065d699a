//! How many sockets there may be, and how fast a client may talk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{ApiError, Code};

/// Sockets of one account.
const PER_USER: usize = 256;
/// Sockets in all.
const IN_ALL: usize = 1024;
/// Messages that a client may send at once.
pub(super) const BURST: f64 = 200.0;
/// Messages that a client may send each second from then on.
pub(super) const PER_SECOND: f64 = 100.0;

/// The open sockets.
#[derive(Default)]
pub(super) struct Slots(Mutex<HashMap<String, usize>>);

/// One open socket; no longer when dropped.
pub(super) struct Slot {
    slots: Arc<Slots>,
    user_id: String,
}

impl Slots {
    /// A place for one more socket, or 429.
    pub(super) fn take(self: &Arc<Self>, user_id: &str) -> Result<Slot, ApiError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = open.get(user_id).copied().unwrap_or(0);
        if mine >= PER_USER || open.values().sum::<usize>() >= IN_ALL {
            let sentence = "Too many live connections are open.";
            return Err(ApiError::new(Code::TooManyRequests, sentence).retry_after(5));
        }
        open.insert(user_id.to_owned(), mine + 1);
        drop(open);
        Ok(Slot { slots: Arc::clone(self), user_id: user_id.to_owned() })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = open.get_mut(&self.user_id) {
            *mine -= 1;
            if *mine == 0 {
                open.remove(&self.user_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_counted_by_user_and_in_all() {
        let slots = Arc::new(Slots::default());
        let mut mine: Vec<_> =
            (0..PER_USER).map(|_| slots.take("a").unwrap_or_else(|e| panic!("{e}"))).collect();
        let refused = slots.take("a").err().unwrap();
        assert_eq!(refused.code(), Code::TooManyRequests);
        assert!(refused.retry_after_seconds().is_some());
        mine.pop();
        let again = slots.take("a");
        assert!(again.is_ok());
        let others: Vec<_> = (0..IN_ALL).map(|n| slots.take(&format!("u{}", n % 8))).collect();
        assert_eq!(others.iter().filter(|slot| slot.is_ok()).count(), IN_ALL - PER_USER);
        drop((mine, again, others));
        assert!(slots.0.lock().unwrap().is_empty());
    }
}
