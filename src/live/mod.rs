//! `/api/live`: one WebSocket per page, on which it follows everything it shows.
//!
//! Nothing is queued for a reader. Each feed keeps a position (a number in a change log, a cursor into a console's
//! ring) and is asked for everything newer when the socket is ready for more. A slow reader gets fewer and newer
//! frames, and costs nothing.
//!
//! Features declare what can be followed ([`Topic`]): a new topic is one file in its feature.

mod limits;
mod message;
mod pending;
mod routes;
mod socket;
mod topic;
mod topics;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use message::{Change, Frame, data};
pub use routes::routes;
pub use topic::{Feed, Follower, News, Topic};

use crate::agents::Agents;
use crate::auth::Auth;
use crate::system::shutdown::Tasks;
use limits::Slots;
use pending::Pending;
use protocol::ServerId;

/// State shared by all live connections. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    auth: Auth,
    agents: Agents,
    topics: Arc<[Box<dyn Topic>]>,
    tasks: Tasks,
    slots: Arc<Slots>,
    pending: Arc<Pending>,
}

impl Live {
    /// Creates the handle for these topics.
    pub fn new(auth: Auth, agents: Agents, topics: Vec<Box<dyn Topic>>, tasks: Tasks) -> Self {
        Self { auth, agents, topics: topics.into(), tasks, slots: Arc::default(), pending: Arc::default() }
    }

    /// The topic with this name, its index in the list, and the id contained in the name.
    fn topic<'a>(&self, name: &'a str) -> Option<(usize, &dyn Topic, &'a str)> {
        let (kind, id) = name.split_once(':').map_or((name, None), |(kind, id)| (kind, Some(id)));
        let fits = |pattern: &str| match (pattern.split_once(':'), id) {
            (None, None) => pattern == kind,
            (Some((known, _)), Some(id)) => known == kind && ServerId::from(id).is_valid(),
            _ => false,
        };
        let (place, topic) = self.topics.iter().enumerate().find(|(_, topic)| fits(topic.name()))?;
        Some((place, topic.as_ref(), id.unwrap_or_default()))
    }
}
