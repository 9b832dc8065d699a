//! What can be followed on a socket. Each feature declares its topics and `src/router.rs` lists them; the socket code
//! knows none of them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::message::Frame;
use crate::auth::{Access, Actor, Visible};
use crate::error::ApiError;

/// A kind of topic: its name, who may follow it, and how a subscription starts.
pub trait Topic: Send + Sync + 'static {
    /// Its name, with a placeholder if it contains the id of a server: `servers`, `console:{server}`.
    fn name(&self) -> &'static str;

    /// Who may follow it. Checked before [`Topic::follow`], and again whenever the caller's permissions may have
    /// changed. `Access::Server` refers to the server in the name.
    fn access(&self) -> Access;

    /// Starts a subscription. `id` is the server's id in the name, or empty.
    fn follow(&self, follower: &Follower, id: &str) -> Result<Box<dyn Feed>, ApiError>;

    /// Whether its feeds wake the socket through [`Follower::wake`]; these take turns. All other feeds are polled when
    /// something in the panel has changed, in rounds with a time budget.
    fn wakes(&self) -> bool {
        false
    }
}

/// A topic as followed by one socket. It remembers what was sent. Nothing is queued: it is asked when the socket is
/// ready for more, so a slow reader gets fewer and newer frames.
pub trait Feed: Send {
    /// The next frames: everything at first, then changes.
    fn next(&mut self) -> News<'_>;

    /// Called when the caller's permissions may have changed and still allow this topic. Returns the frames to send.
    fn access_changed(&mut self, _follower: &Follower) -> Vec<Frame> {
        Vec::new()
    }
}

/// Answer of a feed.
pub enum News<'a> {
    /// Nothing new.
    Nothing,
    /// This frame.
    Frame(Frame),
    /// These frames.
    Frames(Vec<Frame>),
    /// One frame that has to be read from the store.
    Load(BoxFuture<'a, Result<Frame, ApiError>>),
    /// Its subject was deleted; the subscription ends.
    Gone(ApiError),
}

/// The caller who follows, and what they may see.
pub struct Follower {
    /// The user behind the socket.
    pub actor: Actor,
    /// The servers visible to the user.
    pub visible: Visible,
    /// Notified by feeds of topics that wake the socket.
    pub wake: Arc<Notify>,
}
