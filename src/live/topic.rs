//! What can be followed on a socket. Each feature declares its topics, `src/router.rs` lists them, and the socket knows none.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::message::Frame;
use crate::auth::{Access, Actor, Visible};
use crate::error::ApiError;

/// One kind of topic: its name, who may follow it, and what following it begins with.
pub trait Topic: Send + Sync + 'static {
    /// Its name, perhaps with the id of a server: `servers`, `console:{server}`.
    fn name(&self) -> &'static str;

    /// Who may follow it, checked before [`Topic::follow`] and again whenever the caller's rights may have changed.
    /// `Access::Server` is about the server in the name.
    fn access(&self) -> Access;

    /// Begins to follow. `id` is the server's in the name, or empty.
    fn follow(&self, follower: &Follower, id: &str) -> Result<Box<dyn Feed>, ApiError>;

    /// Whether its feeds wake the socket themselves, by [`Follower::wake`], and take turns. All others are asked for news
    /// whenever something in the panel has changed, in rounds that may cost a bounded share of time.
    fn wakes(&self) -> bool {
        false
    }
}

/// A topic as one socket follows it. It remembers what was sent. Nothing is queued: it is asked when the socket can take
/// more, so a slow reader gets fewer and newer frames.
pub trait Feed: Send {
    /// What is new: everything at first, then changes.
    fn next(&mut self) -> News<'_>;

    /// The caller's rights may have changed; he still may follow this. Returns what he is to be told.
    fn access_changed(&mut self, _follower: &Follower) -> Vec<Frame> {
        Vec::new()
    }
}

/// What a feed has to say.
pub enum News<'a> {
    /// Nothing at present.
    Nothing,
    /// This frame.
    Frame(Frame),
    /// These frames.
    Frames(Vec<Frame>),
    /// One frame, which has to be read from the store.
    Load(BoxFuture<'a, Result<Frame, ApiError>>),
    /// What it was about is gone, and the topic with it.
    Gone(ApiError),
}

/// Who follows, and what he may see.
pub struct Follower {
    /// The user behind the socket.
    pub actor: Actor,
    /// The servers that he may see.
    pub visible: Visible,
    /// To be notified by feeds that have something new, where their topic says that they wake.
    pub wake: Arc<Notify>,
}
