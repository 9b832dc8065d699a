//! What a call has to prove before its handler runs. An endpoint names the type of the proof, the check makes the value,
//! and nothing else can: a handler that changes a server can't be declared open by mistake.

use std::ops::Deref;

use super::{Access, Actor, Admin, Auth, Caller, Need, Permission, Permit, ServerAccess, SocketCaller};
use crate::error::ApiError;
use protocol::ServerId;

/// What the check before a handler found out, by the endpoint's [`Access`].
#[derive(Clone)]
pub enum Admitted {
    /// Nothing was asked.
    Anyone,
    /// The secret that a machine has shown. The endpoint compares it.
    Node(Option<String>),
    /// Somebody who is signed in.
    Actor(Actor),
    /// Somebody who asks for a WebSocket.
    Socket(SocketCaller),
    /// An administrator.
    Admin(Admin),
    /// Somebody with a permission on the server of the path.
    Server(ServerAccess),
    /// An administrator, and the server of the path is there.
    ServerAdmin(Admin),
}

/// A proof that a call is allowed.
pub trait Proof: Send + Sync + Sized + 'static {
    /// The check that makes it.
    const ACCESS: Access;

    /// The proof, where the check was that one.
    fn of(admitted: &Admitted) -> Option<Self>;
}

/// Everybody may call: there is nothing to prove. Few endpoints, each named in the table of who may call what.
#[derive(Clone, Copy, Debug)]
pub struct Open;

/// What a machine shows as its node's secret. The rule that takes it compares it; it proves nothing before.
pub struct NodeSecret(pub Option<String>);

/// An administrator who acts on a server. Others are told that it does not exist where they may not see it.
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

/// For what a person does with his own account and sessions.
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
    /// Whether somebody who is signed in may call an endpoint, for the server that its path names first: 404 where he may
    /// not know of the server, 403 where he may not do this.
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
