//! The servers that somebody may see, put together, and as JSON from memory.

use std::time::Instant;

use bytes::Bytes;
use protocol::ServerId;
use storage::servers::Server;

use super::list_cache::Versions;
use super::{ServerView, Servers};
use crate::agents::AgentTopic;
use crate::auth::{Actor, Visible};
use crate::error::ApiError;

/// Nobody follows the stats of these.
const NONE: &[u8] = b"[]";

impl Servers {
    /// The servers that somebody may see, oldest first, as a JSON array.
    pub async fn list_json(&self, actor: &Actor) -> Result<Bytes, ApiError> {
        let json = self.list_kept(actor).await?;
        // Who sees none costs the agents nothing.
        if json != NONE {
            self.agents.keep_fresh(AgentTopic::Servers);
        }
        Ok(json)
    }

    /// The same for whoever knows already what may be seen.
    pub async fn list_visible(&self, visible: &Visible) -> Result<Vec<ServerView>, ApiError> {
        let mut seen = Vec::new();
        for record in self.records(visible).await? {
            seen.extend(self.seen_by(record, visible));
        }
        Ok(seen)
    }

    /// From memory, where nothing has changed since it was made.
    async fn list_kept(&self, actor: &Actor) -> Result<Bytes, ApiError> {
        // Before anything is read: a change in between counts as later, and the list is made anew at the next call.
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

    /// The JSON, and until when it is true if nothing changes; `None` for ever.
    async fn made(&self, visible: &Visible) -> Result<(Bytes, Option<Instant>), ApiError> {
        let (mut views, mut until) = (Vec::new(), None);
        for record in self.records(visible).await? {
            let Some(permissions) = visible.of(&record.id) else { continue };
            let seen = self.agents.server(&record.id);
            let view = self.put_together_with(record, &seen, &permissions);
            // The rate of a copy is another one at each look.
            let copied = view.moving.as_ref().and_then(|moving| moving.rate).map(|_| Instant::now());
            until = [until, seen.stats_until, copied].into_iter().flatten().min();
            views.push(view);
        }
        let mut json = serde_json::to_vec(&views)
            .map_err(|cause| ApiError::internal("writing the servers as JSON", &cause))?;
        json.shrink_to_fit();
        Ok((json.into(), until))
    }

    /// The records of those that may be seen, oldest first.
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
