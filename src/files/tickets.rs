//! The links for downloads that are good at present.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use protocol::{FileSource, NodeId, ServerId};
use sha2::{Digest, Sha256};

use crate::auth::{Actor, Permission};
use crate::error::{ApiError, Code};
use crate::system::ids;

/// How long a link is good.
pub(super) const GOOD_FOR: Duration = Duration::from_secs(60);
/// Links that may be open at a time, of all and of one account.
const MOST: usize = 1_024;
const PER_ACCOUNT: usize = 64;
/// Characters of a link's secret: 31 different ones, so 256 bits.
const SECRET: usize = 52;

/// The links that are good at present, by the hash of their secret. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Tickets(Arc<Mutex<HashMap<[u8; 32], Ticket>>>);

/// What one leads to.
pub(super) struct Ticket {
    pub(super) actor: Actor,
    pub(super) server_id: ServerId,
    /// The node that sends it.
    pub(super) node_id: NodeId,
    /// What is asked of whoever uses it.
    pub(super) permission: Permission,
    pub(super) source: FileSource,
    pub(super) name: String,
    pub(super) until: Instant,
}

impl Tickets {
    /// The secret of a new one.
    pub(super) fn put(&self, ticket: Ticket) -> Result<String, ApiError> {
        let secret = ids::random(SECRET);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        all.retain(|_, one| one.until > now);
        let own = all.values().filter(|one| one.actor.user_id() == ticket.actor.user_id()).count();
        if all.len() >= MOST || own >= PER_ACCOUNT {
            let sentence = "Enough downloads wait to be begun. Try again in a minute.";
            return Err(ApiError::new(Code::TooManyRequests, sentence).retry_after(60));
        }
        all.insert(hash(&secret), ticket);
        Ok(secret)
    }

    /// The one with this secret, which is worth nothing afterwards.
    pub(super) fn take(&self, secret: &str) -> Option<Ticket> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&hash(secret)).filter(|one| one.until > Instant::now())
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use protocol::ArchiveFormat;

    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            actor: Actor::Shell { uid: 0 },
            server_id: "a".into(),
            node_id: "n".into(),
            permission: Permission::FilesRead,
            source: FileSource::Archive { paths: Vec::new(), format: ArchiveFormat::Zip },
            name: "a.zip".into(),
            until: Instant::now() + GOOD_FOR,
        }
    }

    #[test]
    fn a_link_is_good_once_and_for_a_minute() {
        let tickets = Tickets::default();
        let secret = tickets.put(ticket()).unwrap();
        assert!(secret.len() >= SECRET && tickets.take("guess").is_none());
        assert!(tickets.take(&secret).is_some() && tickets.take(&secret).is_none());
        let late = tickets.put(Ticket { until: Instant::now(), ..ticket() }).unwrap();
        assert!(tickets.take(&late).is_none());
        for _ in 0..PER_ACCOUNT {
            tickets.put(ticket()).unwrap();
        }
        assert_eq!(tickets.put(ticket()).unwrap_err().code(), Code::TooManyRequests);
    }
}
