//! Who does something. Every permit holds one, and the log names it.

use std::fmt;
use std::ops::Deref;

use storage::users::Role;

use crate::error::{ApiError, Code};

/// Who does something. A new kind of actor is added here: what it may do is decided by the methods below, and the log gets
/// its name from `Display`.
#[derive(Clone, Debug)]
pub enum Actor {
    /// A person with a session.
    Person(Caller),
    /// A person with a shell on the panel's machine, by the control socket: root or the panel's own user.
    Shell {
        /// Of the process that asks.
        uid: u32,
    },
}

impl Actor {
    /// Whether everything is allowed. For what is shown; to act, hold an [`Admin`].
    pub fn is_admin(&self) -> bool {
        match self {
            Actor::Person(caller) => caller.is_admin(),
            Actor::Shell { .. } => true,
        }
    }

    /// The same actor as an administrator, or 403.
    pub fn admin(&self) -> Result<Admin, ApiError> {
        if self.is_admin() {
            return Ok(Admin(self.clone()));
        }
        Err(ApiError::new(Code::Forbidden, "Only an administrator may do this."))
    }

    /// The person's account. `None` where it is no person with an account.
    pub fn user_id(&self) -> Option<&str> {
        self.person().map(Caller::user_id)
    }

    /// The session that asks. `None` where there is none.
    pub fn session_id(&self) -> Option<&str> {
        self.person().map(Caller::session_id)
    }

    /// The person with a session, where it is one.
    pub fn person(&self) -> Option<&Caller> {
        match self {
            Actor::Person(caller) => Some(caller),
            Actor::Shell { .. } => None,
        }
    }
}

impl From<Caller> for Actor {
    fn from(caller: Caller) -> Self {
        Self::Person(caller)
    }
}

/// As the log names it.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Person(caller) => f.write_str(caller.username()),
            Actor::Shell { uid } => write!(f, "uid {uid}"),
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
}

/// Proof that an actor is an administrator.
#[derive(Clone, Debug)]
pub struct Admin(Actor);

impl Deref for Admin {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0
    }
}

impl fmt::Display for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
