//! Permission as a value: what may be done takes one of these, and only a check against the store makes one.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use storage::grants::Permission;
pub use storage::users::Role;

use crate::error::{ApiError, Code};

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
            Access::Server(need) => write!(f, "server:{}", word(*need)),
            Access::ServerAdmin => f.write_str("server-admin"),
        }
    }
}

/// Somebody with a live session.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(super) user_id: String,
    pub(super) username: String,
    pub(super) role: Role,
    pub(super) session_id: String,
}

impl Caller {
    /// The account's id.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The account's name.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The account's role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Which session this is.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// Whether everything is allowed. For what is shown; to act, hold an [`Admin`].
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// The same person as an administrator, or 403.
    pub fn admin(&self) -> Result<Admin, ApiError> {
        if self.is_admin() {
            return Ok(Admin(self.clone()));
        }
        Err(ApiError::new(Code::Forbidden, "Only an administrator may do this."))
    }
}

/// An administrator.
#[derive(Clone, Debug)]
pub struct Admin(Caller);

impl Deref for Admin {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

const WORDS: [(Permission, &str); 6] = [
    (Permission::View, "view"),
    (Permission::Console, "console"),
    (Permission::Power, "power"),
    (Permission::Files, "files"),
    (Permission::Startup, "startup"),
    (Permission::Configure, "configure"),
];

fn word(permission: Permission) -> &'static str {
    WORDS.into_iter().find(|(known, _)| *known == permission).map_or("", |(_, word)| word)
}

/// What somebody may do with one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    pub(super) admin: bool,
    pub(super) granted: BTreeSet<Permission>,
}

impl Permissions {
    /// Those of somebody who is no administrator.
    #[cfg(test)]
    pub(crate) fn granted(granted: &[Permission]) -> Self {
        Self { admin: false, granted: granted.iter().copied().collect() }
    }

    /// Whether this is among them. Whoever may do anything may also see the server; whoever may configure it may also
    /// change its variables.
    pub fn allow(&self, need: Permission) -> bool {
        self.admin
            || self.granted.contains(&need)
            || match need {
                Permission::View => !self.granted.is_empty(),
                Permission::Startup => self.granted.contains(&Permission::Configure),
                _ => false,
            }
    }

    /// The words of the `permissions` key; administrators also have `delete`.
    pub fn words(&self) -> Vec<&'static str> {
        let mut words: Vec<_> = WORDS
            .into_iter()
            .filter(|(permission, _)| self.allow(*permission))
            .map(|(_, word)| word)
            .collect();
        if self.admin {
            words.push("delete");
        }
        words
    }
}

/// The servers that somebody may see, with what may be done to each.
#[derive(Clone, Debug)]
pub enum Visible {
    /// Every server, everything.
    All,
    /// These servers.
    Only(std::collections::HashMap<String, Permissions>),
}

impl Visible {
    /// What may be done with a server, if it may be seen at all.
    pub fn of(&self, server_id: &str) -> Option<Permissions> {
        match self {
            Visible::All => Some(Permissions { admin: true, granted: BTreeSet::new() }),
            Visible::Only(servers) => {
                servers.get(server_id).filter(|permissions| permissions.allow(Permission::View)).cloned()
            }
        }
    }
}

/// Somebody and what they may do with one server that is there.
#[derive(Clone, Debug)]
pub struct ServerAccess {
    pub(super) caller: Caller,
    pub(super) server_id: String,
    pub(super) permissions: Permissions,
}

impl ServerAccess {
    /// Who.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Which server.
    pub fn server_id(&self) -> &str {
        &self.server_id
    }

    /// What.
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

/// A permission as a type.
pub trait Need: Clone + Send + Sync + 'static {
    /// Which.
    const PERMISSION: Permission;
}

/// The permissions as types: `Permit<need::Power>`.
pub mod need {
    use super::Need;
    use crate::auth::Permission;

    macro_rules! needs {
        ($($(#[$doc:meta])* $name:ident),*) => {$(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            pub struct $name;

            impl Need for $name {
                const PERMISSION: Permission = Permission::$name;
            }
        )*};
    }

    needs!(
        /// To see it.
        View,
        /// To read and use its console.
        Console,
        /// To start and stop it.
        Power,
        /// To read and write its files.
        Files,
        /// To rename it and change the variables that its template leaves to users.
        Startup,
        /// To change everything about it.
        Configure
    );
}
