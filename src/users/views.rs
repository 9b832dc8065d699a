//! Accounts and sessions as JSON.

use serde::{Deserialize, Serialize};
use storage::sessions::Session;
use storage::users::User;
use utoipa::ToSchema;

use crate::auth::{Caller, Role, SignedIn};
use crate::system::clock::rfc3339;

/// What an account may do everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Role)]
pub enum RoleView {
    /// Administrators may do everything.
    Admin,
    /// What was granted, server by server.
    User,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => RoleView::Admin,
            Role::User => RoleView::User,
        }
    }
}

impl From<RoleView> for Role {
    fn from(role: RoleView) -> Self {
        match role {
            RoleView::Admin => Role::Admin,
            RoleView::User => Role::User,
        }
    }
}

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    id: String,
    username: String,
    role: RoleView,
}

impl From<&Caller> for Me {
    fn from(caller: &Caller) -> Self {
        Self {
            id: caller.user_id().to_owned(),
            username: caller.username().to_owned(),
            role: caller.role().into(),
        }
    }
}

impl From<&User> for Me {
    fn from(user: &User) -> Self {
        Self { id: user.id.clone(), username: user.username.clone(), role: user.role.into() }
    }
}

/// An account, for administrators.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub struct UserView {
    id: String,
    /// Which state of name and role this is.
    revision: String,
    username: String,
    role: RoleView,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_seen: Option<String>,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.clone(),
            revision: super::revision(user),
            username: user.username.clone(),
            role: user.role.into(),
            created_at: rfc3339(user.created_at),
            last_seen: user.last_seen.map(rfc3339),
        }
    }
}

/// One sign-in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionInfo {
    id: String,
    /// Whether it is the one that asks.
    current: bool,
    created_at: String,
    last_used: String,
    address: String,
    user_agent: String,
}

impl SessionInfo {
    /// Converts a session. `current` is the id of the caller's session.
    pub fn new(session: Session, current: &str) -> Self {
        Self {
            current: session.id == current,
            id: session.id,
            created_at: rfc3339(session.created_at),
            last_used: rfc3339(session.last_used),
            address: session.address,
            user_agent: session.user_agent,
        }
    }
}

/// A fresh session: its secrets are shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignedIn)]
pub struct SignInAnswer {
    /// For programs, as `Authorization: Bearer`. It is no cookie.
    token: String,
    /// For browsers: the cookie counts only together with this, as `X-Session-Key`, or in a socket's first message.
    session_key: String,
    /// For browsers: with the cookie `device` and this as `X-Device-Key` the next sign-in comes from a known device.
    /// Absent where it came from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    device_key: Option<String>,
    user: Me,
}

impl From<SignedIn> for SignInAnswer {
    fn from(done: SignedIn) -> Self {
        Self {
            token: done.session.token,
            session_key: done.session.halves.key,
            device_key: done.device.map(|device| device.key),
            user: (&done.user).into(),
        }
    }
}
