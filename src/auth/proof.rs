//! Proofs that a call is allowed. An endpoint names the type of proof it requires, and only the access check can create
//! the value. So a handler that changes a server cannot be declared open by mistake.

use std::ops::Deref;

use super::{Access, Actor, Admin, Auth, Caller, Need, Permission, Permit, ServerAccess, SocketCaller};
use crate::error::ApiError;
use protocol::ServerId;

/// Result of the access check before a handler, by the endpoint's [`Access`].
#[derive(Clone)]
pub enum Admitted {
    /// Nothing was required.
    Anyone,
    /// The secret that a node has sent. The endpoint compares it.
    Node(Option<String>),
    /// A signed-in user.
    Actor(Actor),
    /// A caller who opens a WebSocket.
    Socket(SocketCaller),
    /// An administrator.
    Admin(Admin),
    /// A user with a permission on the server in the path.
    Server(ServerAccess),
    /// An administrator; the server in the path exists.
    ServerAdmin(Admin),
}

/// A proof that a call is allowed.
pub trait Proof: Send + Sync + Sized + 'static {
    /// The check that creates it.
    const ACCESS: Access;

    /// The proof, if `admitted` is the result of that check.
    fn of(admitted: &Admitted) -> Option<Self>;
}

/// No proof required: anyone may call. Few endpoints, each listed in the table of who may call what.
#[derive(Clone, Copy, Debug)]
pub struct Open;

/// The secret sent by a node; absent if it sent none. Proves nothing until the rule that takes it has compared it.
pub struct NodeSecret(pub Option<String>);

/// An administrator acting on a server. Others get 404 if they may not see the server.
#[derive(Clone, Debug)]
pub struct ServerAdmin(Admin);

impl Deref for ServerAdmin {
    type Target = Admin;

    fn deref(&self) -> &Admin {
        &self.0
    }
}

impl Proof for Open {
    const ACCESS: Access = Access::Open;

    fn of(admitted: &Admitted) -> Option<Self> {
        matches!(admitted, Admitted::Anyone).then_some(Self)
    }
}

impl Proof for NodeSecret {
    const ACCESS: Access = Access::Node;

    fn of(admitted: &Admitted) -> Option<Self> {
        if let Admitted::Node(secret) = admitted { Some(Self(secret.clone())) } else { None }
    }
}

impl Proof for Actor {
    const ACCESS: Access = Access::SignedIn;

    fn of(admitted: &Admitted) -> Option<Self> {
        if let Admitted::Actor(actor) = admitted { Some(actor.clone()) } else { None }
    }
}

/// For actions of a user on their own account and sessions.
impl Proof for Caller {
    const ACCESS: Access = Access::SignedIn;

    fn of(admitted: &Admitted) -> Option<Self> {
        if let Admitted::Actor(actor) = admitted { actor.person().cloned() } else { None }
    }
}

impl Proof for SocketCaller {
    const ACCESS: Access = Access::Socket;

    fn of(admitted: &Admitted) -> Option<Self> {
        if let Admitted::Socket(caller) = admitted { Some(caller.clone()) } else { None }
    }
}

impl Proof for Admin {
    const ACCESS: Access = Access::Admin;

    fn of(admitted: &Admitted) -> Option<Self> {
        if let Admitted::Admin(admin) = admitted { Some(admin.clone()) } else { None }
    }
}

impl<N: Need> Proof for Permit<N> {
    const ACCESS: Access = Access::Server(N::PERMISSION);

    fn of(admitted: &Admitted) -> Option<Self> {
        if let Admitted::Server(access) = admitted { access.clone().permit().ok() } else { None }
    }
}

impl Proof for ServerAdmin {
    const ACCESS: Access = Access::ServerAdmin;

    fn of(admitted: &Admitted) -> Option<Self> {
        if let Admitted::ServerAdmin(admin) = admitted { Some(Self(admin.clone())) } else { None }
    }
}

impl Auth {
    /// Whether a signed-in user may call an endpoint for the server named first in its path: 404 if the user may not
    /// see the server, 403 without the permission.
    pub fn authorize(
        &self,
        actor: Actor,
        access: Access,
        server_id: &ServerId,
    ) -> Result<Admitted, ApiError> {
        match access {
            Access::Open => Ok(Admitted::Anyone),
            Access::Node => Ok(Admitted::Node(None)),
            Access::SignedIn | Access::Socket => Ok(Admitted::Actor(actor)),
            Access::Admin => actor.admin().map(Admitted::Admin),
            Access::Server(need) => self.server_access(&actor, server_id, need).map(Admitted::Server),
            Access::ServerAdmin => {
                self.server_access(&actor, server_id, Permission::View)?;
                actor.admin().map(Admitted::ServerAdmin)
            }
        }
    }
}
