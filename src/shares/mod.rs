//! Public links of servers: a page for friends, without an account. It tells the server's name, address and state, how
//! many play, and what to install; it starts the server where its owner allows that.

mod routes;
mod views;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::{PowerAction, ServerId};
use storage::shares::Share;
use storage::{Store, WriteTx};

pub use routes::routes;

use self::views::{ShareView, SharedServer};
use crate::auth::{Auth, Permit, SharedLink, link_hash, need};
use crate::error::{ApiError, Code};
use crate::net::rate_limit::{Buckets, FailureLimiter, Network};
use crate::players::Players;
use crate::reach::Reach;
use crate::servers::{ServerStatus, Servers};
use crate::system::{clock, ids};
use crate::templates::Templates;

/// Characters of a note.
const NOTE: usize = 1000;
/// Longest secret that is looked up, in bytes.
const LONGEST: usize = 64;
/// How long the page waits for the game to tell who plays.
const PLAYERS: Duration = Duration::from_secs(2);
/// Seconds between two starts of one server by its link, after the first two.
const BETWEEN_STARTS: u32 = 60;

/// Public links of servers. Cheap to clone.
#[derive(Clone)]
pub struct Shares {
    store: Store,
    auth: Auth,
    servers: Servers,
    players: Players,
    reach: Reach,
    templates: Templates,
    limits: Arc<Limits>,
}

/// What strangers may ask for.
struct Limits {
    unknown: FailureLimiter,
    calls: Buckets<Network>,
    starts: Buckets<ServerId>,
}

impl Shares {
    /// Over the database and the features that the page shows something of.
    pub fn new(
        store: Store,
        auth: Auth,
        servers: Servers,
        players: Players,
        reach: Reach,
        templates: Templates,
    ) -> Self {
        let limits = Limits {
            unknown: FailureLimiter::default(),
            calls: Buckets::new(60.0, 2.0),
            starts: Buckets::strict(2.0, 1.0 / f64::from(BETWEEN_STARTS)),
        };
        Self { store, auth, servers, players, reach, templates, limits: Arc::new(limits) }
    }

    /// The link of a server, if it has one.
    pub(super) fn get(&self, permit: &Permit<need::Configure>) -> Result<Option<ShareView>, ApiError> {
        let share = self.store.read_now(|tx| storage::shares::get(tx, permit.server_id()))?;
        Ok(share.map(ShareView::from))
    }

    /// Shares a server, or changes what its link allows. The link stays the same until it is revoked.
    pub(super) async fn put(
        &self,
        permit: &Permit<need::Configure>,
        wake: bool,
        note: &str,
    ) -> Result<ShareView, ApiError> {
        let note = note.trim();
        let bad = |letter: char| letter.is_control() && letter != '\n';
        if note.chars().count() > NOTE || note.contains(bad) {
            let sentence = format!("must have at most {NOTE} characters, and no control characters");
            return Err(ApiError::field("note", sentence));
        }
        let id = permit.server_id().clone();
        let made = Share { token: ids::long(), wake, note: note.to_owned(), created_at: clock::now() };
        let share = self
            .store
            .write(move |tx: &WriteTx| -> Result<Share, ApiError> {
                let share = match storage::shares::get(tx, &id)? {
                    Some(kept) => Share { token: kept.token, created_at: kept.created_at, ..made },
                    None => made,
                };
                storage::shares::put(tx, &id, share.clone(), link_hash(&share.token))?;
                Ok(share)
            })
            .await?;
        tracing::info!(server = %permit.server_id(), wake, by = %permit.actor(), "shared by a public link");
        Ok(ShareView::from(share))
    }

    /// Revokes the link of a server. That it has none is no failure.
    pub(super) async fn delete(&self, permit: &Permit<need::Configure>) -> Result<(), ApiError> {
        let id = permit.server_id().clone();
        if self.store.write(move |tx: &WriteTx| storage::shares::delete(tx, &id)).await? {
            tracing::info!(server = %permit.server_id(), by = %permit.actor(), "public link revoked");
        }
        Ok(())
    }

    /// What whoever has the link sees.
    pub(super) async fn look(&self, token: &str, from: IpAddr) -> Result<SharedServer, ApiError> {
        let link = self.link(token, from)?;
        let permit = link.view()?;
        let server = self.servers.get(&permit)?;
        let host = self.reach.public_host(&server.node_id.as_str().into())?;
        let players = if matches!(server.status, ServerStatus::Running) {
            // The game may be slow; the page comes without the count then.
            match tokio::time::timeout(PLAYERS, self.players.list(&permit)).await {
                Ok(Ok(players)) => Some(players),
                Ok(Err(_)) | Err(_) => None,
            }
        } else {
            None
        };
        let game = server.template_id.as_deref().and_then(|id| self.templates.get(id));
        let game = game.map(|template| template.name.clone());
        Ok(SharedServer::new(server, link.share(), host, players.as_ref(), game))
    }

    /// Starts the server. That it runs already is no failure.
    pub(super) async fn wake(&self, token: &str, from: IpAddr) -> Result<(), ApiError> {
        let link = self.link(token, from)?;
        let permit = link.wake()?;
        if !self.limits.starts.take(permit.server_id().clone()) {
            let sentence = "Somebody has just started this server. Wait a minute before the next try.";
            return Err(ApiError::new(Code::TooManyRequests, sentence).retry_after(BETWEEN_STARTS.into()));
        }
        let paused = matches!(self.servers.get(&link.view()?)?.status, ServerStatus::Paused);
        let action = if paused { PowerAction::Resume } else { PowerAction::Start };
        match self.servers.power(&permit, action).await {
            Ok(_) => Ok(()),
            Err(error) => match error.code() {
                Code::AlreadyRunning | Code::AlreadyStarting => Ok(()),
                Code::NodeOffline | Code::NodeTimeout | Code::EngineUnavailable => Err(ApiError::new(
                    error.code(),
                    "The machine of this server does not answer. Ask whoever sent you the link.",
                )),
                // What is wrong in detail is not a stranger's.
                _ => Err(ApiError::new(
                    Code::Conflict,
                    "This server cannot be started now. Ask whoever sent you the link.",
                )),
            },
        }
    }

    /// The link with this secret, or 404, the same for one that never was and one that was revoked.
    fn link(&self, token: &str, from: IpAddr) -> Result<SharedLink, ApiError> {
        let network = Network::of(from);
        self.limits.unknown.check(network)?;
        if !self.limits.calls.take(network) {
            return Err(ApiError::new(Code::TooManyRequests, "Too many calls. Try again in a few seconds.")
                .retry_after(5));
        }
        let found = if token.len() > LONGEST { None } else { self.auth.shared_link(token)? };
        match found {
            Some(link) => Ok(link),
            None => {
                self.limits.unknown.wrong(network)?;
                Err(ApiError::new(Code::NotFound, "This link is not valid, or not any more."))
            }
        }
    }
}
