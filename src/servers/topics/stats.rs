//! `stats:{server}`: resource usage of a server, about once a second.

use super::super::{Servers, StatsView};
use crate::agents::StatsWatch;
use crate::auth::{Access, Permission};
use crate::error::ApiError;
use crate::live::{Feed, Follower, News, Topic, data};
use protocol::ServerId;

pub(super) struct ServerStats(pub(super) Servers);

impl Topic for ServerStats {
    fn name(&self) -> &'static str {
        "stats:{server}"
    }

    fn access(&self) -> Access {
        Access::Server(Permission::View)
    }

    fn wakes(&self) -> bool {
        true
    }

    fn follow(&self, follower: &Follower, id: &str) -> Result<Box<dyn Feed>, ApiError> {
        let (agents, id) = (&self.0.agents, &ServerId::from(id));
        let node = agents.node_of(id).ok_or_else(|| ApiError::not_found("server"))?;
        let watch = agents.watch_stats(id, &node, follower.wake.clone());
        Ok(Box::new(StatsFeed { name: format!("stats:{id}"), watch, seen: 0, answered: false }))
    }
}

struct StatsFeed {
    name: String,
    watch: StatsWatch,
    seen: u64,
    /// Whether anything was sent. The first message is `null` if there is no sample yet.
    answered: bool,
}

impl Feed for StatsFeed {
    fn next(&mut self) -> News<'_> {
        let feed = self.watch.feed();
        if feed.is_gone() {
            return News::Gone(ApiError::not_found("server"));
        }
        if let Some(sample) = feed.next(&mut self.seen) {
            self.answered = true;
            let encode = || data(&self.name, StatsView::from(&sample.stats));
            return News::Frame(sample.encoded.get_or_init(encode).clone());
        }
        if std::mem::replace(&mut self.answered, true) {
            return News::Nothing;
        }
        News::Frame(data(&self.name, ()))
    }
}
