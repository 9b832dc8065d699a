//! The output of a game.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::console::{Console, Trail};

/// The output of a game.
#[derive(Clone, Debug, Default)]
pub(super) struct Output {
    pub(super) console: Console,
    /// What the console has of its container's log.
    trail: Arc<Mutex<Trail>>,
}

impl Output {
    pub(super) fn trail(&self) -> MutexGuard<'_, Trail> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
