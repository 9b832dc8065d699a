//! Session data that is only in memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use storage::Millis;
use storage::sessions::Session;

#[derive(Default)]
pub(super) struct Volatile(Mutex<Held>);

#[derive(Default)]
pub(super) struct Held {
    /// When each session was last used, and by which user, until that is written.
    pub(super) used: HashMap<String, (String, Millis)>,
    /// Sessions that could not be written yet.
    pub(super) unwritten: HashMap<String, Session>,
    /// Sessions that could not be deleted yet.
    pub(super) undeleted: HashSet<String>,
}

impl Volatile {
    pub(super) fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
