//! Permissions as values: a method that needs a permission takes one of these, and only a check against the store can
//! create one.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use super::actor::Actor;
use super::permissions::{Need, Permission, Permissions};
use crate::error::{ApiError, Code};
use protocol::ServerId;

/// Who may call an endpoint. The dispatcher enforces this before the endpoint runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Everyone, signed in or not. Few endpoints, listed by name in a test.
    Open,
    /// Nodes with their secret, which the endpoint itself compares.
    Node,
    /// Any signed-in user.
    SignedIn,
    /// A WebSocket of a signed-in user. Sessions by cookie are only accepted from the panel's own pages.
    Socket,
    /// Administrators.
    Admin,
    /// Users with this permission on the server named by the first path parameter. Others get 404 if they may not see
    /// the server, else 403.
    Server(Permission),
    /// Administrators, on the server named by the first path parameter. Others get 404 if they may not see it, else
    /// 403.
    ServerAdmin,
}

/// The value of `x-access` in the OpenAPI document.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Access::Open => f.write_str("everyone"),
            Access::Node => f.write_str("node"),
            Access::SignedIn | Access::Socket => f.write_str("signed-in"),
            Access::Admin => f.write_str("admin"),
            Access::Server(need) => write!(f, "server:{}", need.name()),
            Access::ServerAdmin => f.write_str("server-admin"),
        }
    }
}

/// The servers that an actor may see, with the permissions on each.
#[derive(Clone, Debug, PartialEq)]
pub enum Visible {
    /// All servers, with all permissions.
    All,
    /// Only these servers.
    Only(Arc<HashMap<ServerId, Permissions>>),
}

impl Visible {
    /// The permissions on a server; `None` if it is not visible.
    pub fn of(&self, server_id: &ServerId) -> Option<Permissions> {
        match self {
            Visible::All => Some(Permissions::administrator()),
            Visible::Only(servers) => {
                servers.get(server_id).filter(|permissions| permissions.allow(Permission::View)).cloned()
            }
        }
    }
}

/// An actor with permissions on one existing server.
#[derive(Clone, Debug)]
pub struct ServerAccess {
    pub(super) actor: Actor,
    pub(super) server_id: ServerId,
    pub(super) permissions: Permissions,
}

impl ServerAccess {
    /// Who acts.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The server.
    pub fn server_id(&self) -> &ServerId {
        &self.server_id
    }

    /// The actor's permissions on the server.
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// The permit for `P`, or 403.
    pub fn permit<P: Need>(self) -> Result<Permit<P>, ApiError> {
        if self.permissions.allow(P::PERMISSION) {
            return Ok(Permit { access: self, need: PhantomData });
        }
        Err(forbidden())
    }
}

pub(super) fn forbidden() -> ApiError {
    ApiError::new(Code::Forbidden, "You may see this server, but not do this with it.")
}

/// Proof that an actor has the permission `P` on one server.
#[derive(Clone, Debug)]
pub struct Permit<P> {
    access: ServerAccess,
    need: PhantomData<P>,
}

impl<P> Deref for Permit<P> {
    type Target = ServerAccess;

    fn deref(&self) -> &ServerAccess {
        &self.access
    }
}
