//! JSON of public links.

use serde::Serialize;
use storage::shares::Share;
use utoipa::ToSchema;

use crate::agents::local;
use crate::players::PlayersView;
use crate::servers::{ServerStatus, ServerView};
use crate::system::clock::rfc3339;

/// The public link of a server, for those who may configure it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Share)]
pub(crate) struct ShareView {
    /// The address below the panel's own: `/s/…`.
    path: String,
    /// Whether whoever has the link may start the server.
    wake: bool,
    /// What friends should know; may be empty.
    note: String,
    /// When it was made.
    created_at: String,
}

impl From<Share> for ShareView {
    fn from(Share { token, wake, note, created_at }: Share) -> Self {
        Self { path: format!("/s/{token}"), wake, note, created_at: rfc3339(created_at) }
    }
}

/// What whoever has the link sees.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SharedServer {
    /// What people call the server.
    name: String,
    /// What it plays: the name of its template.
    game: Option<String>,
    /// What it is doing.
    status: ServerStatus,
    /// The public address of its machine; null if it is not known.
    host: Option<String>,
    /// Whether the panel is on the same machine, so that its own address leads there as well.
    same_machine: bool,
    /// The port that players connect to; null if it has none.
    port: Option<u16>,
    /// How many play; null if it does not run, or the game does not tell.
    online: Option<u32>,
    /// How many may play at once; null if the game does not tell.
    max: Option<u32>,
    /// Whether the link may start it.
    wake: bool,
    /// What to know, such as what to install; may be empty.
    note: String,
}

impl SharedServer {
    pub(crate) fn new(
        server: ServerView,
        share: &Share,
        host: Option<String>,
        players: Option<&PlayersView>,
        game: Option<String>,
    ) -> Self {
        let status = if server.node_online { server.status } else { ServerStatus::Unknown };
        Self {
            name: server.name,
            game,
            status,
            host,
            same_machine: local::NODE_ID == server.node_id.as_str(),
            port: server.ports.first().map(|port| port.external),
            online: players.and_then(PlayersView::online),
            max: players.and_then(PlayersView::max),
            wake: share.wake,
            note: share.note.clone(),
        }
    }
}
