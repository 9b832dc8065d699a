//! The topic `nodes`: all nodes, with the fields that the subscriber may see.

use super::Nodes;
use crate::agents::{AgentTopic, Changed, ChangesSince, TopicGuard};
use crate::auth::Access;
use crate::error::ApiError;
use crate::live::{Change, Feed, Follower, Frame, News, Topic, data};

const NAME: &str = "nodes";

/// All topics of this feature.
pub fn topics(nodes: &Nodes) -> Vec<Box<dyn Topic>> {
    vec![Box::new(NodeList(nodes.clone()))]
}

struct NodeList(Nodes);

impl Topic for NodeList {
    fn name(&self) -> &'static str {
        NAME
    }

    fn access(&self) -> Access {
        Access::SignedIn
    }

    fn follow(&self, follower: &Follower, _id: &str) -> Result<Box<dyn Feed>, ApiError> {
        let nodes = self.0.clone();
        let agents = nodes.agents.watch_list(AgentTopic::Nodes);
        Ok(Box::new(ListFeed { nodes, admin: follower.actor.is_admin(), seen: None, _agents: agents }))
    }
}

struct ListFeed {
    nodes: Nodes,
    /// Whether the subscriber sees the fields for administrators.
    admin: bool,
    /// Number of the last change that was sent; `None` until the full list was sent.
    seen: Option<u64>,
    /// Keeps the agents sending the data of this list.
    _agents: TopicGuard,
}

impl Feed for ListFeed {
    fn next(&mut self) -> News<'_> {
        let changes = self.nodes.agents.changes();
        let news = match &mut self.seen {
            Some(seen) => changes.nodes_since(seen),
            None => ChangesSince::All,
        };
        match news {
            ChangesSince::These(these) if these.is_empty() => News::Nothing,
            ChangesSince::These(these) => {
                let ids = these.into_iter().map(|(Changed::Now(id) | Changed::Gone(id))| id);
                News::Frames(ids.filter_map(|id| self.change(&id)).collect())
            }
            ChangesSince::All => {
                let now = changes.nodes_now();
                News::Load(Box::pin(async move {
                    let all = self.nodes.list_for(self.admin).await?;
                    self.seen = Some(now);
                    Ok(data(NAME, Change::All(&all)))
                }))
            }
        }
    }

    fn access_changed(&mut self, follower: &Follower) -> Vec<Frame> {
        if std::mem::replace(&mut self.admin, follower.actor.is_admin()) != self.admin {
            self.seen = None;
        }
        Vec::new()
    }
}

impl ListFeed {
    fn change(&self, id: &str) -> Option<Frame> {
        match self.nodes.get_for(self.admin, &id.into()) {
            Ok(Some(node)) => Some(data(NAME, Change::Changed(&node))),
            Ok(None) => Some(data(NAME, Change::<()>::Removed(id))),
            Err(error) => {
                tracing::warn!(%error, "a live node could not be read");
                None
            }
        }
    }
}
