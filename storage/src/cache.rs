//! A cache of decoded records, valid until the next commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::store::Store;
use crate::tx::ReadTx;

/// Values by key, each read from one [`Store`] and valid until the next commit there. For records that every API call
/// needs: commits are rare in comparison, so any commit invalidates all values.
pub struct Cache<V> {
    /// Maximum number of values.
    most: usize,
    held: Mutex<Held<V>>,
}

struct Held<V> {
    /// The store's revision at or before the time any of the values was read.
    revision: u64,
    values: HashMap<String, Arc<V>>,
}

impl<V> Cache<V> {
    /// Holds at most `most` values; adding one more clears it first.
    pub fn new(most: usize) -> Self {
        Self { most, held: Mutex::new(Held { revision: 0, values: HashMap::new() }) }
    }

    /// The value of `key`, including every write that was answered before this call. Missing values are not cached, so
    /// requests for made-up keys displace nothing.
    pub fn get_or_read<E: From<Error>>(
        &self,
        store: &Store,
        key: &str,
        read: impl FnOnce(&ReadTx) -> Result<Option<V>, E>,
    ) -> Result<Option<Arc<V>>, E> {
        // Taken before the read: a commit in between raises the revision, so the value is read again next time.
        let revision = store.revision();
        if let Some(value) = self.get(revision, key) {
            return Ok(Some(value));
        }
        let Some(value) = store.read_now(read)?.map(Arc::new) else { return Ok(None) };
        self.keep(revision, key, Arc::clone(&value));
        Ok(Some(value))
    }

    fn get(&self, revision: u64, key: &str) -> Option<Arc<V>> {
        let held = self.lock();
        (held.revision == revision).then(|| held.values.get(key).cloned())?
    }

    fn keep(&self, revision: u64, key: &str, value: Arc<V>) {
        let mut held = self.lock();
        if held.revision > revision {
            return;
        }
        if held.revision < revision || held.values.len() >= self.most {
            held.values.clear();
        }
        held.revision = revision;
        held.values.insert(key.to_owned(), value);
    }

    fn lock(&self) -> MutexGuard<'_, Held<V>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::settings;
    use crate::testing::{store, write};

    fn read(cache: &Cache<u32>, store: &Store, key: &str, reads: &Cell<u32>) -> Option<u32> {
        let found = cache.get_or_read(store, key, |tx| -> Result<_> {
            reads.set(reads.get() + 1);
            settings::get(tx, key)
        });
        found.unwrap().map(|value| *value)
    }

    #[test]
    fn a_value_is_read_once_between_two_writes() {
        let (_dir, store) = store();
        let (cache, reads) = (Cache::new(8), Cell::new(0));
        for value in 1..=3 {
            write(&store, move |tx| settings::put(tx, "a", &value));
            for _ in 0..5 {
                assert_eq!(read(&cache, &store, "a", &reads), Some(value));
            }
            assert_eq!(reads.get(), value);
        }
    }

    #[test]
    fn what_is_not_there_is_not_kept() {
        let (_dir, store) = store();
        let (cache, reads) = (Cache::new(8), Cell::new(0));
        assert_eq!(read(&cache, &store, "none", &reads), None);
        assert_eq!(read(&cache, &store, "none", &reads), None);
        assert_eq!((reads.get(), cache.lock().values.len()), (2, 0));
    }

    #[test]
    fn it_holds_no_more_than_it_may() {
        let (_dir, store) = store();
        let (cache, reads) = (Cache::new(3), Cell::new(0));
        write(&store, |tx| (0..10).try_for_each(|n| settings::put(tx, &format!("k{n}"), &n)));
        for n in 0..10 {
            assert_eq!(read(&cache, &store, &format!("k{n}"), &reads), Some(n));
            assert!(cache.lock().values.len() <= 3);
        }
    }

    #[test]
    fn a_failed_read_is_an_error_each_time() {
        let (_dir, store) = store();
        let cache = Cache::<u32>::new(3);
        for _ in 0..2 {
            let failed = cache.get_or_read(&store, "a", |_| Err(Error::Closed));
            assert!(matches!(failed, Err(Error::Closed)));
        }
    }

    /// A reader with a cache never misses a write that was answered before it asked, while others write.
    #[test]
    fn an_answered_write_is_seen_by_every_later_read() {
        let (_dir, store) = store();
        let cache = Arc::new(Cache::<u32>::new(3));
        write(&store, |tx| settings::put(tx, "a", &0_u32));
        let answered = Arc::new(std::sync::atomic::AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (store, cache, answered) = (store.clone(), cache.clone(), answered.clone());
                scope.spawn(move || {
                    loop {
                        let least = answered.load(std::sync::atomic::Ordering::Acquire);
                        let seen = read(&cache, &store, "a", &Cell::new(0)).unwrap();
                        assert!(seen >= least, "saw {seen} after {least} was answered");
                        if seen == 100 {
                            return;
                        }
                    }
                });
            }
            for value in 1..=100_u32 {
                write(&store, move |tx| settings::put(tx, "a", &value));
                answered.store(value, std::sync::atomic::Ordering::Release);
            }
        });
    }
}
