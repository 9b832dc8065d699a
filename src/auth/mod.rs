//! Authentication and permissions. No HTTP in here: tokens, origins and addresses are passed as plain values.
//!
//! - [`Auth::authenticate`] turns a token into a [`Caller`]. The session is looked up each time, so ending it takes
//!   effect at once.
//! - [`Auth::server_access`] turns an [`Actor`] into a [`ServerAccess`], which gives the [`Permit`] that a method
//!   requires.
//! - [`Auth::watch`] notifies a long-lived connection when its caller's permissions have changed.

mod access;
mod actor;
mod changes;
mod devices;
mod halves;
mod known;
mod password;
mod permissions;
mod proof;
mod reserve;
mod sessions;
mod sftp_login;
mod shared_link;
mod sign_in;
mod site;
mod throttle;
mod token;
mod volatile;
mod watch;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use protocol::ServerId;
use storage::{ReadTx, Store, grants, servers};

pub use access::{Access, Permit, ServerAccess, Visible};
pub use actor::{Actor, Admin, Caller, SftpLogin};
pub use devices::{DEVICE_DAYS, DeviceProof, NewDevice};
pub use halves::Halves;
pub use password::{MAX_PASSWORD, MIN_PASSWORD, check_password};
pub use permissions::{Need, Permission, PermissionName, Permissions, need};
pub use proof::{Admitted, NodeSecret, Open, Proof, ServerAdmin};
pub use sessions::{NewSession, SESSION_DAYS, SocketCaller, Unproven};
pub use sftp_login::SftpChanges;
pub use shared_link::{SharedLink, link_hash};
pub use sign_in::SignedIn;
pub use site::{OwnOrigins, SiteCheck};
pub use storage::users::Role;
pub use watch::{SessionEnded, Watch};

use crate::error::{ApiError, Code};

/// The credentials that a request carries.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// None.
    None,
    /// `Authorization: Bearer …`, which a browser never sends on its own.
    Bearer(String),
    /// Session cookie, which browsers send on their own, and session key, which only the panel's page can add.
    Cookie {
        /// Every cookie of that name. At most one is the panel's; others may be set by anyone on this host.
        values: Vec<String>,
        /// The session key. Without it the cookies are not accepted.
        key: Option<String>,
    },
}

impl Credentials {
    /// Whether the credentials cannot have been sent by a browser on its own.
    pub fn is_bearer(&self) -> bool {
        matches!(self, Credentials::Bearer(_))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::None => "None",
            Credentials::Bearer(_) => "Bearer(…)",
            Credentials::Cookie { .. } => "Cookie(…)",
        })
    }
}

/// Where a sign-in came from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The peer's address.
    pub address: IpAddr,
    /// The user agent.
    pub user_agent: String,
    /// The proof that this browser has signed in before.
    pub device: DeviceProof,
}

/// Sign-ins and permissions of accounts. Cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    store: Store,
    tokens: token::Tokens,
    own_origins: OwnOrigins,
    sessions: volatile::Volatile,
    known: known::Known,
    passwords: password::Hasher,
    throttle: throttle::Throttle,
    reserve: reserve::Reserve<throttle::Source>,
    devices: devices::Devices,
    setup_throttle: throttle::Window,
    changes: changes::Changes,
}

impl Auth {
    /// Creates the handle. `jwt_secret` signs the tokens.
    pub fn new(store: Store, jwt_secret: &[u8], own_origins: OwnOrigins) -> Self {
        Self(Arc::new(Inner {
            store,
            tokens: token::Tokens::new(jwt_secret),
            own_origins,
            sessions: volatile::Volatile::default(),
            known: known::Known::default(),
            passwords: password::Hasher::new(),
            throttle: throttle::Throttle::default(),
            reserve: reserve::Reserve::default(),
            devices: devices::Devices::new(jwt_secret),
            setup_throttle: throttle::Window::default(),
            changes: changes::Changes::default(),
        }))
    }

    /// Refuses a state-changing call by cookie that does not come from one of the panel's pages.
    pub fn check_site(&self, site: &SiteCheck<'_>) -> Result<(), ApiError> {
        self.0.own_origins.check_change(site)
    }

    /// Refuses a socket by cookie that does not come from one of the panel's pages.
    pub fn check_socket_origin(&self, site: &SiteCheck<'_>) -> Result<(), ApiError> {
        self.0.own_origins.check_socket(site)
    }

    /// Checks a permission on a server: 404 if the actor may not see the server, 403 without this permission.
    pub fn server_access(
        &self,
        actor: &Actor,
        server_id: &ServerId,
        need: Permission,
    ) -> Result<ServerAccess, ApiError> {
        let found = self.0.store.read_now(|tx| permissions(tx, actor, server_id))?;
        let permissions = found
            .filter(|permissions| permissions.allow(Permission::View))
            .ok_or_else(|| ApiError::not_found("server"))?;
        if !permissions.allow(need) {
            return Err(access::forbidden());
        }
        Ok(ServerAccess { actor: actor.clone(), server_id: server_id.to_owned(), permissions })
    }

    /// The servers that an actor may see.
    pub fn visible(&self, actor: &Actor) -> Result<Visible, ApiError> {
        if actor.is_admin() {
            return Ok(Visible::All);
        }
        let user_id = actor.user_id().unwrap_or_default();
        let granted = self.0.known.grants.get_or_read(&self.0.store, user_id, |tx| {
            let of_record = |grant: grants::Grant| {
                let permissions = Permissions::of_record(&grant.permissions);
                (grant.server_id, permissions)
            };
            Ok::<_, storage::Error>(Some(
                grants::list_by_user(tx, user_id)?.into_iter().map(of_record).collect(),
            ))
        })?;
        Ok(Visible::Only(granted.unwrap_or_default()))
    }

    /// Checks the result of comparing a setup token: 401 if wrong, 429 after ten wrong ones a minute from one address.
    pub fn check_setup_token(&self, right: bool, origin: &Origin) -> Result<(), ApiError> {
        // The right token always works, whatever others sent. 200 bits cannot be guessed.
        if right {
            return Ok(());
        }
        self.0.setup_throttle.wrong(throttle::Slot::of(origin.address))?;
        Err(ApiError::new(Code::BadSetupToken, "This is not the setup token of this panel."))
    }

    /// Must be called after any change to what a user may do (grants, role, password, account). The user's sockets
    /// check again, and close if the session has ended.
    pub fn changed(&self, user_id: &str) {
        self.0.changes.notify(user_id);
    }
}

/// `None` if the server does not exist.
fn permissions(tx: &ReadTx, actor: &Actor, server_id: &ServerId) -> storage::Result<Option<Permissions>> {
    if servers::get(tx, server_id)?.is_none() {
        return Ok(None);
    }
    if actor.is_admin() {
        return Ok(Some(Permissions::administrator()));
    }
    let granted = grants::get(tx, server_id, actor.user_id().unwrap_or_default())?;
    Ok(Some(granted.map_or(Permissions::granted([]), |grant| Permissions::of_record(&grant.permissions))))
}

fn unauthenticated() -> ApiError {
    ApiError::new(Code::Unauthenticated, "Sign in first.")
}

/// For a browser that sent the cookie without the session key, because an earlier version set it or the storage was
/// cleared.
fn sign_in_again() -> ApiError {
    ApiError::new(Code::Unauthenticated, "This browser is no longer signed in. Sign in again.")
}

fn caller_of(known::Stored { session, user }: &known::Stored) -> Caller {
    Caller {
        user_id: user.id.clone(),
        username: user.username.clone(),
        role: user.role,
        session_id: session.id.clone(),
    }
}
