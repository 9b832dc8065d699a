//! Tells long-lived connections that what their caller may do has changed.

use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::{Actor, Auth, Caller};
use crate::error::ApiError;

/// A session also ends by time; each watch looks this often.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The session is over: a socket closes with 4401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionEnded;

/// One caller's changes.
pub struct Watch {
    auth: Auth,
    caller: Caller,
    changes: broadcast::Receiver<String>,
    look_at: Instant,
}

impl Auth {
    /// Watches a caller. The watch begins with the caller as passed; the first look is at once, so that nothing that
    /// happened between the request and this call is missed.
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
    /// Somebody as of now, or 401 where the session is over.
    pub fn renewed(&self, actor: &Actor) -> Result<Actor, ApiError> {
        match actor.person() {
            Some(person) => self.refresh(person).map(Actor::from).ok_or_else(super::unauthenticated),
            None => Ok(actor.clone()),
        }
    }
}

impl Watch {
    /// Waits until the caller's permissions may have changed and returns the caller anew, or that the session is over.
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
