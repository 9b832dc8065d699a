//! Connections that have not asked anything yet. There is room for so many; past it the oldest is dropped, so that whoever
//! opens connections and says nothing keeps nobody out who has something to say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// More than a thousand agents, which come back all at once.
const MOST: usize = 2048;

/// Those of one port. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<List>>);

#[derive(Default)]
struct List {
    next: u64,
    by_number: BTreeMap<u64, CancellationToken>,
}

/// One of them. It leaves with its first request, or at its end.
pub(super) struct Place {
    number: u64,
    list: Waiting,
}

impl Waiting {
    /// A place, and what is cancelled when it is given to another.
    pub(super) fn enter(&self) -> (Place, CancellationToken) {
        let token = CancellationToken::new();
        let mut list = self.lock();
        let number = list.next;
        list.next += 1;
        list.by_number.insert(number, token.clone());
        if list.by_number.len() > MOST
            && let Some((_, oldest)) = list.by_number.pop_first()
        {
            oldest.cancel();
        }
        drop(list);
        (Place { number, list: self.clone() }, token)
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// It has asked something: from here on other deadlines hold it.
    pub(super) fn leave(&self) {
        self.list.lock().by_number.remove(&self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way_to_the_newest() {
        let waiting = Waiting::default();
        let all: Vec<_> = (0..MOST).map(|_| waiting.enter()).collect();
        all[0].0.leave();
        let (_last, _) = waiting.enter();
        assert!(all.iter().all(|(_, dropped)| !dropped.is_cancelled()), "one had left");
        let (_more, _) = waiting.enter();
        assert!(!all[0].1.is_cancelled() && all[1].1.is_cancelled() && !all[2].1.is_cancelled());
        drop(all);
        assert_eq!(waiting.lock().by_number.len(), 2);
    }
}
