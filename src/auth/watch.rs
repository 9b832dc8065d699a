//! Notifies long-lived connections when their caller's permissions have changed.

use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::{Actor, Auth, Caller};
use crate::error::ApiError;

/// Interval of checks without a notification, because a session also expires by time.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The session has ended: a socket closes with 4401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionEnded;

/// Watches one caller.
pub struct Watch {
    auth: Auth,
    caller: Caller,
    changes: broadcast::Receiver<String>,
    look_at: Instant,
}

impl Auth {
    /// Watches a caller. The first check is immediate, so that no change between the request and this call is missed.
    pub fn watch(&self, caller: &Caller) -> Watch {
        Watch {
            auth: self.clone(),
            caller: caller.clone(),
            changes: self.0.changes.subscribe(),
            look_at: Instant::now(),
        }
    }
}

impl Auth {
    /// The actor with current permissions, or 401 if the session has ended.
    pub fn renewed(&self, actor: &Actor) -> Result<Actor, ApiError> {
        match actor.person() {
            Some(person) => self.refresh(person).map(Actor::from).ok_or_else(super::unauthenticated),
            None => Ok(actor.clone()),
        }
    }
}

impl Watch {
    /// Waits until the caller's permissions may have changed. Returns the current caller, or that the session has
    /// ended.
    ///
    /// Safe to drop and call again (in `select!`). Returns at least once a minute.
    pub async fn changed(&mut self) -> Result<Caller, SessionEnded> {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(self.look_at) => break,
                told = self.changes.recv() => match told {
                    Ok(user_id) if user_id != self.caller.user_id => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Err(SessionEnded),
                },
            }
        }
        self.look_at = Instant::now() + LOOK_EVERY;
        self.caller = self.auth.refresh(&self.caller).ok_or(SessionEnded)?;
        Ok(self.caller.clone())
    }
}
