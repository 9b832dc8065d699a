//! Sockets opened by cookie that have not sent their session key yet. They count for no account, because a game's page
//! has the cookie too and could use up the account's slots. Therefore there are only a few, and the oldest is closed
//! for a new one: a page sends its key as soon as its socket is open.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Most such sockets at the same time.
const MOST: usize = 256;

/// The pending sockets.
#[derive(Default)]
pub(super) struct Pending(Mutex<Open>);

#[derive(Default)]
struct Open {
    next: u64,
    /// Oldest first.
    sockets: VecDeque<(u64, CancellationToken)>,
}

/// One pending socket; its slot is released when dropped.
pub(super) struct PendingSlot {
    pending: Arc<Pending>,
    number: u64,
    /// Cancelled when a newer socket needs the slot.
    pub(super) evicted: CancellationToken,
}

impl Pending {
    /// Adds a socket; closes the oldest if there are too many.
    pub(super) fn enter(self: &Arc<Self>) -> PendingSlot {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.next += 1;
        let (number, evicted) = (open.next, CancellationToken::new());
        open.sockets.push_back((number, evicted.clone()));
        if open.sockets.len() > MOST
            && let Some((_, oldest)) = open.sockets.pop_front()
        {
            oldest.cancel();
        }
        drop(open);
        PendingSlot { pending: Arc::clone(self), number, evicted }
    }
}

impl Drop for PendingSlot {
    fn drop(&mut self) {
        let mut open = self.pending.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.sockets.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way_to_the_newest() {
        let pending = Arc::new(Pending::default());
        let mut all: Vec<_> = (0..MOST).map(|_| pending.enter()).collect();
        assert!(all.iter().all(|slot| !slot.evicted.is_cancelled()));
        let newest = pending.enter();
        assert!(all[0].evicted.is_cancelled() && !all[1].evicted.is_cancelled());
        all.pop();
        let another = pending.enter();
        assert!(!all[1].evicted.is_cancelled() && !newest.evicted.is_cancelled(), "one had left");
        drop((all, newest, another));
        assert!(pending.0.lock().unwrap().sockets.is_empty());
    }
}
