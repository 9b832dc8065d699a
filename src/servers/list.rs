//! The list of servers that a user may see, as views or as cached JSON.

use std::time::Instant;

use bytes::Bytes;
use protocol::ServerId;
use storage::servers::Server;

use super::list_cache::Versions;
use super::{ServerView, Servers};
use crate::agents::AgentTopic;
use crate::auth::{Actor, Visible};
use crate::error::ApiError;

/// An empty list: no stats need to be kept current for it.
const NONE: &[u8] = b"[]";

impl Servers {
    /// The servers that a user may see, oldest first, as a JSON array.
    pub async fn list_json(&self, actor: &Actor) -> Result<Bytes, ApiError> {
        let json = self.list_kept(actor).await?;
        // A user without servers causes no work for the agents.
        if json != NONE {
            self.agents.keep_fresh(AgentTopic::Servers);
        }
        Ok(json)
    }

    /// Like [`Self::list_json`], for a known set of visible servers and as views.
    pub async fn list_visible(&self, visible: &Visible) -> Result<Vec<ServerView>, ApiError> {
        let mut seen = Vec::new();
        for record in self.records(visible).await? {
            seen.extend(self.seen_by(record, visible));
        }
        Ok(seen)
    }

    /// From the cache if nothing has changed since it was built.
    async fn list_kept(&self, actor: &Actor) -> Result<Bytes, ApiError> {
        // Taken before anything is read: after a change in between, the cached list is already outdated and is built
        // again at the next call.
        let versions = self.versions();
        let visible = self.auth.visible(actor)?;
        if let Some(json) = self.lists.get(&visible, versions, Instant::now()) {
            return Ok(json);
        }
        let (json, until) = self.made(&visible).await?;
        self.lists.keep(visible, versions, until, &json);
        Ok(json)
    }

    fn versions(&self) -> Versions {
        Versions {
            store: self.store.revision(),
            agents: self.agents.revision(),
            moves: self.moves.revision(),
            templates: self.templates.revision(),
        }
    }

    /// The JSON, and until when it is valid if nothing changes; `None` for no limit.
    async fn made(&self, visible: &Visible) -> Result<(Bytes, Option<Instant>), ApiError> {
        let (mut views, mut until) = (Vec::new(), None);
        for record in self.records(visible).await? {
            let Some(permissions) = visible.of(&record.id) else { continue };
            let seen = self.agents.server(&record.id);
            let view = self.put_together_with(record, &seen, &permissions);
            // The rate of a copy changes all the time, so the list must not be cached.
            let copied = view.moving.as_ref().and_then(|moving| moving.rate).map(|_| Instant::now());
            until = [until, seen.stats_until, copied].into_iter().flatten().min();
            views.push(view);
        }
        let mut json = serde_json::to_vec(&views)
            .map_err(|cause| ApiError::internal("writing the servers as JSON", &cause))?;
        json.shrink_to_fit();
        Ok((json.into(), until))
    }

    /// The records of visible servers, oldest first.
    async fn records(&self, visible: &Visible) -> Result<Vec<Server>, ApiError> {
        let ids: Option<Vec<ServerId>> = match visible {
            Visible::All => None,
            Visible::Only(servers) => Some(servers.keys().cloned().collect()),
        };
        let listed = self.store.read(move |tx| match &ids {
            None => storage::servers::list(tx),
            Some(ids) => storage::servers::get_many(tx, ids.iter().map(ServerId::as_str)),
        });
        let mut records = listed.await?;
        records.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(records)
    }
}
