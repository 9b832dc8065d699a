//! Which stats each agent was last asked for, and when it may be notified of a change again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::agents::session::Session;
use protocol::{NodeId, ServerId};

/// Minimum interval between two notifications of an agent.
const CHANGES_EVERY: Duration = Duration::from_secs(1);
/// Minimum interval between two checks for a change.
const CHECKS_EVERY: Duration = Duration::from_millis(50);

/// Servers whose stats are wanted, and whether the node's own are too.
pub(super) type Wanted = (Vec<ServerId>, bool);

/// The last request for stats, by node.
#[derive(Debug, Default)]
pub(super) struct StatsWishes(Mutex<HashMap<NodeId, Wish>>);

#[derive(Debug, Default)]
struct Wish {
    /// Number of the session that was notified.
    session: u64,
    sent: Option<Wanted>,
    sent_at: Option<Instant>,
    checked_at: Option<Instant>,
    /// A check is scheduled.
    waits: bool,
}

/// When to check whether an agent has to be notified of a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Check {
    Now,
    At(Instant),
    /// Not needed: a check is already scheduled, or the session was replaced.
    No,
}

impl StatsWishes {
    /// Called when something may have changed; returns when to check.
    pub(super) fn check(&self, session: &Session, now: Instant) -> Check {
        self.with(session, Check::No, |wish| {
            if wish.waits {
                return Check::No;
            }
            let sent = wish.sent_at.map(|at| at + CHANGES_EVERY);
            let checked = wish.checked_at.map(|at| at + CHECKS_EVERY);
            match sent.max(checked).filter(|due| *due > now) {
                Some(due) => {
                    wish.waits = true;
                    Check::At(due)
                }
                None => {
                    wish.checked_at = Some(now);
                    Check::Now
                }
            }
        })
    }

    /// Notes that the scheduled check is being made.
    pub(super) fn checked(&self, session: &Session, now: Instant) {
        self.with(session, (), |wish| {
            wish.waits = false;
            wish.checked_at = Some(now);
        });
    }

    /// Calls `send` if `wanted` differs from what was last sent; `send` returns whether it succeeded.
    pub(super) fn send(&self, session: &Session, wanted: Wanted, send: impl FnOnce(&Wanted) -> bool) {
        self.with(session, (), |wish| {
            let nothing = wanted.0.is_empty() && !wanted.1;
            let known = wish.sent.as_ref().map_or(nothing, |sent| *sent == wanted);
            if !known && send(&wanted) {
                wish.sent = Some(wanted);
                wish.sent_at = Some(Instant::now());
            }
        });
    }

    /// Whether nothing has been sent on this session yet. From now on an empty request counts as sent.
    pub(super) fn begin(&self, session: &Session) -> bool {
        self.with(session, false, |wish| {
            let first = wish.sent.is_none();
            wish.sent.get_or_insert_default();
            first
        })
    }

    /// Removes a deleted node.
    pub(super) fn forget(&self, node_id: &NodeId) {
        self.lock().remove(node_id);
    }

    /// Runs `act` on the entry of this session; returns `otherwise` if a newer session has replaced it.
    fn with<T>(&self, session: &Session, otherwise: T, act: impl FnOnce(&mut Wish) -> T) -> T {
        let mut wishes = self.lock();
        if !wishes.contains_key(session.node_id()) {
            wishes.insert(session.node_id().to_owned(), Wish::default());
        }
        let Some(wish) = wishes.get_mut(session.node_id()) else { return otherwise };
        if wish.session > session.number() {
            return otherwise;
        }
        if wish.session < session.number() {
            *wish = Wish { session: session.number(), ..Wish::default() };
        }
        act(wish)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, Wish>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_session_begins_anew_and_an_old_one_is_not_asked() {
        let wishes = StatsWishes::default();
        let ((old, _), (new, _)) = (Session::new(&"n".into(), 1), Session::new(&"n".into(), 2));
        let now = Instant::now();
        let wanted = || (vec!["a".into()], false);
        let sends = |session: &Session, wanted: Wanted| {
            let mut sent = false;
            wishes.send(session, wanted, |_| {
                sent = true;
                true
            });
            sent
        };
        assert_eq!(wishes.check(&old, now), Check::Now);
        assert!(!sends(&old, Wanted::default()), "nothing is what it expects anyway");
        assert!(sends(&old, wanted()) && !sends(&old, wanted()));
        assert!(matches!(wishes.check(&old, now), Check::At(_)));
        assert_eq!(wishes.check(&old, now), Check::No, "it waits already");
        assert_eq!(wishes.check(&new, now), Check::Now);
        assert!(wishes.begin(&new) && !wishes.begin(&new));
        assert!(sends(&new, wanted()));
        assert!(wishes.check(&old, now) == Check::No && !sends(&old, Wanted::default()));
    }
}
