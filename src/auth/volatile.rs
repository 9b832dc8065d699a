//! What is kept of sessions in memory only.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use storage::Millis;
use storage::sessions::Session;

#[derive(Default)]
pub(super) struct Volatile(Mutex<Held>);

#[derive(Default)]
pub(super) struct Held {
    /// When each was last used, and by whom, until that is written.
    pub(super) used: HashMap<String, (String, Millis)>,
    /// Those that could not be written yet.
    pub(super) unwritten: HashMap<String, Session>,
    /// Those that could not be deleted yet.
    pub(super) undeleted: HashSet<String>,
}

impl Volatile {
    pub(super) fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
