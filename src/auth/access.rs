//! Permission as a value: what may be done takes one of these, and only a check against the store makes one.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use super::actor::Actor;
use super::permissions::{Need, Permission, Permissions};
use crate::error::{ApiError, Code};
use protocol::ServerId;

/// Who may call an endpoint. The dispatcher enforces it before the endpoint runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Everybody, signed in or not. Few and named.
    Open,
    /// Machines with their node's secret, which the endpoint itself compares.
    Node,
    /// Everybody with a session.
    SignedIn,
    /// A WebSocket: with a session, and by cookie only from a page of ours.
    Socket,
    /// Administrators.
    Admin,
    /// Whoever has this permission on the server named by the path's first parameter. Others get 404 where they may not
    /// even see it, else 403.
    Server(Permission),
    /// Administrators, on the server named by the path's first parameter. Others get 404 where they may not see it, else
    /// 403.
    ServerAdmin,
}

/// In the OpenAPI document, as `x-access`.
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

/// The servers that somebody may see, with what may be done to each.
#[derive(Clone, Debug, PartialEq)]
pub enum Visible {
    /// Every server, everything.
    All,
    /// These servers.
    Only(Arc<HashMap<ServerId, Permissions>>),
}

impl Visible {
    /// What may be done with a server, if it may be seen at all.
    pub fn of(&self, server_id: &ServerId) -> Option<Permissions> {
        match self {
            Visible::All => Some(Permissions::administrator()),
            Visible::Only(servers) => {
                servers.get(server_id).filter(|permissions| permissions.allow(Permission::View)).cloned()
            }
        }
    }
}

/// Somebody and what they may do with one server that is there.
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

    /// The server that it is about.
    pub fn server_id(&self) -> &ServerId {
        &self.server_id
    }

    /// What the actor may do with that server.
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// The value that a method asks for which needs `P`, or 403.
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

/// Proof that somebody may do `P` with one server.
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
