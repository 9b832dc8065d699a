//! Whether somebody may still do what he has begun.

use std::future::pending;
use std::time::Duration;

use protocol::ServerId;

use super::Files;
use crate::auth::{Actor, Permission};
use crate::error::{ApiError, Code};

/// How often the server itself is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Files {
    /// Comes back, with what is to be said, once the session or the right is over, or the server is gone.
    pub(super) async fn revoked(&self, actor: &Actor, server_id: &ServerId, need: Permission) -> ApiError {
        let auth = &self.0.parts.auth;
        let mut watch = actor.person().map(|person| auth.watch(person));
        let mut actor = actor.clone();
        loop {
            let changed = async {
                match &mut watch {
                    Some(watch) => watch.changed().await,
                    None => pending().await,
                }
            };
            match tokio::time::timeout(LOOK_EVERY, changed).await {
                Ok(Ok(caller)) => actor = caller.into(),
                Ok(Err(_ended)) => {
                    return ApiError::new(Code::Unauthenticated, "The session has ended.");
                }
                Err(_) => {}
            }
            if let Err(error) = auth.server_access(&actor, server_id, need) {
                return error;
            }
        }
    }
}
