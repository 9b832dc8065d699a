//! How many files may be on their way at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::auth::Actor;
use crate::error::{ApiError, Code};

/// Of everybody: each keeps up to 2 MiB in memory.
const MOST: usize = 64;
/// Of one account.
const PER_ACCOUNT: usize = 32;

/// Those that are under way. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct OpenStreams(Arc<Mutex<HashMap<String, usize>>>);

/// One of them, until it is dropped.
pub(super) struct StreamSlot {
    all: OpenStreams,
    account: String,
}

impl OpenStreams {
    /// A place for one more, or 429.
    pub(super) fn enter(&self, actor: &Actor) -> Result<StreamSlot, ApiError> {
        let account = actor.user_id().unwrap_or_default().to_owned();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get(&account).copied().unwrap_or(0);
        if own >= PER_ACCOUNT || open.values().sum::<usize>() >= MOST {
            let sentence = "Enough files are on their way. Try again when one has arrived.";
            return Err(ApiError::new(Code::TooManyRequests, sentence).retry_after(5));
        }
        open.insert(account.clone(), own + 1);
        drop(open);
        Ok(StreamSlot { all: self.clone(), account })
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut open = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.account) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let open = OpenStreams::default();
        let shell = Actor::Shell { uid: 0 };
        let held: Vec<_> = (0..PER_ACCOUNT).map(|_| open.enter(&shell).ok().unwrap()).collect();
        assert_eq!(open.enter(&shell).err().map(|error| error.code()), Some(Code::TooManyRequests));
        drop(held);
        assert!(open.enter(&shell).is_ok() && open.0.lock().unwrap().is_empty());
    }
}
