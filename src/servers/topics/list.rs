//! `servers`: the servers that the caller may see.

use super::super::Servers;
use crate::agents::{AgentTopic, Changed, ChangesSince, TopicGuard};
use crate::auth::{Access, Visible};
use crate::error::ApiError;
use crate::live::{Change, Feed, Follower, Frame, News, Topic, data};
use protocol::ServerId;

const NAME: &str = "servers";

pub(super) struct ServerList(pub(super) Servers);

impl Topic for ServerList {
    fn name(&self) -> &'static str {
        NAME
    }

    fn access(&self) -> Access {
        Access::SignedIn
    }

    fn follow(&self, follower: &Follower, _id: &str) -> Result<Box<dyn Feed>, ApiError> {
        let (servers, visible) = (self.0.clone(), follower.visible.clone());
        let agents = interest(&servers, &visible);
        Ok(Box::new(ListFeed { servers, visible, seen: None, _agents: agents }))
    }
}

struct ListFeed {
    servers: Servers,
    visible: Visible,
    /// The last change that was sent; `None` until the full list was sent.
    seen: Option<u64>,
    /// Keeps the stats of the listed servers current. `None` if the user can see no server, so that the agents do no
    /// work.
    _agents: Option<TopicGuard>,
}

fn interest(servers: &Servers, visible: &Visible) -> Option<TopicGuard> {
    match visible {
        Visible::All => Some(servers.agents.watch_list(AgentTopic::Servers)),
        Visible::Only(some) if some.is_empty() => None,
        Visible::Only(some) => Some(servers.agents.watch_some(some.keys().cloned())),
    }
}

impl Feed for ListFeed {
    fn next(&mut self) -> News<'_> {
        let changes = self.servers.agents.changes();
        let news = match &mut self.seen {
            Some(seen) => changes.servers_since(seen),
            None => ChangesSince::All,
        };
        match news {
            ChangesSince::These(these) if these.is_empty() => News::Nothing,
            ChangesSince::These(these) => {
                let ids = these.into_iter().map(|(Changed::Now(id) | Changed::Gone(id))| id.into());
                News::Frames(self.changes(ids))
            }
            ChangesSince::All => {
                let now = changes.servers_now();
                News::Load(Box::pin(async move {
                    let all = self.servers.list_visible(&self.visible).await?;
                    self.seen = Some(now);
                    Ok(data(NAME, Change::All(&all)))
                }))
            }
        }
    }

    fn access_changed(&mut self, follower: &Follower) -> Vec<Frame> {
        let before = std::mem::replace(&mut self.visible, follower.visible.clone());
        self._agents = interest(&self.servers, &self.visible);
        match (&before, &self.visible) {
            (Visible::All, Visible::All) => Vec::new(),
            (Visible::Only(_), Visible::Only(_)) if self.seen.is_none() => Vec::new(),
            (Visible::Only(old), Visible::Only(new)) => {
                let lost = old.keys().filter(|id| !new.contains_key(*id));
                let mut frames: Vec<_> = lost.map(|id| data(NAME, Change::<()>::Removed(id))).collect();
                let changed: Vec<ServerId> = new
                    .iter()
                    .filter(|(id, now)| old.get(*id) != Some(now))
                    .map(|(id, _)| id.clone())
                    .collect();
                frames.extend(self.changes(changed.into_iter()));
                frames
            }
            _ => {
                self.seen = None;
                Vec::new()
            }
        }
    }
}

impl ListFeed {
    /// Frames for servers that were added, changed or removed. Nothing for servers that the user could never see.
    fn changes(&self, ids: impl Iterator<Item = ServerId>) -> Vec<Frame> {
        let mut frames = Vec::new();
        for id in ids {
            match self.servers.get_visible(&id, &self.visible) {
                Ok(Some(server)) => frames.push(data(NAME, Change::Changed(&server))),
                Ok(None) => {
                    // The server is gone, but the user's grant on it is known. Other servers the user never knew of.
                    if self.visible.of(&id).is_some() {
                        frames.push(data(NAME, Change::<()>::Removed(&id)));
                    }
                }
                Err(error) => tracing::warn!(%error, "a live server could not be read"),
            }
        }
        frames
    }
}
