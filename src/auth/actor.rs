//! Who performs an action. Every permit holds an actor, and the log names it.

use std::fmt;
use std::ops::Deref;

use storage::users::Role;

use crate::error::{ApiError, Code};

/// Who performs an action. For a new kind of actor, add a variant: the methods below decide what it may do, and
/// `Display` gives its name in the log.
#[derive(Clone, Debug)]
pub enum Actor {
    /// A user with a session.
    Person(Caller),
    /// A user who is connected over SFTP.
    Sftp(SftpLogin),
    /// Somebody with the public link of a server, without an account.
    Visitor,
    /// A user with a shell on the panel's machine, over the control socket: root or the panel's own user.
    Shell {
        /// User id of the calling process.
        uid: u32,
    },
}

impl Actor {
    /// Whether everything is allowed. Only for deciding what to show; an action requires an [`Admin`].
    pub fn is_admin(&self) -> bool {
        match self {
            Actor::Person(caller) => caller.is_admin(),
            Actor::Sftp(login) => login.is_admin(),
            Actor::Visitor => false,
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

    /// The user's account id; `None` for an actor without an account.
    pub fn user_id(&self) -> Option<&str> {
        match self {
            Actor::Person(caller) => Some(caller.user_id()),
            Actor::Sftp(login) => Some(login.user_id()),
            Actor::Visitor | Actor::Shell { .. } => None,
        }
    }

    /// The calling session's id; `None` without one.
    pub fn session_id(&self) -> Option<&str> {
        self.person().map(Caller::session_id)
    }

    /// The user, if this actor has a session.
    pub fn person(&self) -> Option<&Caller> {
        match self {
            Actor::Person(caller) => Some(caller),
            Actor::Sftp(_) | Actor::Visitor | Actor::Shell { .. } => None,
        }
    }
}

impl From<Caller> for Actor {
    fn from(caller: Caller) -> Self {
        Self::Person(caller)
    }
}

/// The actor's name in the log.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Person(caller) => f.write_str(caller.username()),
            Actor::Sftp(login) => write!(f, "{} by SFTP", login.username()),
            Actor::Visitor => f.write_str("somebody with its public link"),
            Actor::Shell { uid } => write!(f, "uid {uid}"),
        }
    }
}

/// A user with a live session.
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

    /// The session's id.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// Whether everything is allowed. Only for deciding what to show; an action requires an [`Admin`].
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

/// Somebody who reaches files by SFTP.
#[derive(Clone)]
pub struct SftpLogin {
    pub(super) user_id: String,
    pub(super) username: String,
    pub(super) role: Role,
    /// Of the password as it was when he came.
    pub(super) password_hash: String,
    /// The key that he showed; none where it was the password.
    pub(super) key_id: Option<String>,
}

impl fmt::Debug for SftpLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SftpLogin").field("username", &self.username).finish_non_exhaustive()
    }
}

impl SftpLogin {
    /// The account's id.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The account's name.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Whether everything is allowed.
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
