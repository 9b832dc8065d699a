//! Accounts and sign-ins.

mod routes;
mod views;

use storage::sessions::Session;
use storage::users::{self, User};
use storage::{ReadTx, Store, WriteTx, sessions};

pub use routes::{client_origin, routes, signed_in};
pub use views::{Me, SessionInfo, SignInAnswer, UserView};

use crate::auth::{Actor, Admin, Auth, Caller, Origin, Role, SignedIn, check_password};
use crate::error::{ApiError, Code};
use crate::revision::{self, Expected};
use crate::system::{clock, ids};

/// Longest username, in characters.
const MAX_NAME: usize = 32;

/// All operations on accounts. Cheap to clone.
#[derive(Clone)]
pub struct Users {
    store: Store,
    auth: Auth,
}

/// A new account.
pub struct NewUser {
    /// 1 to 32 characters of `[A-Za-z0-9._-]`.
    pub username: String,
    /// 10 to 1,024 bytes.
    pub password: String,
    /// Role of the account.
    pub role: Role,
}

/// A change of an account. `None` keeps a value.
#[derive(Default)]
pub struct UserChange {
    /// New username: 1 to 32 characters of `[A-Za-z0-9._-]`.
    pub username: Option<String>,
    /// New password: 10 to 1,024 bytes. Ends the account's sessions.
    pub password: Option<String>,
    /// New role.
    pub role: Option<Role>,
}

impl Users {
    /// Creates the handle.
    pub fn new(store: Store, auth: Auth) -> Self {
        Self { store, auth }
    }

    /// All accounts.
    pub async fn list(&self, _admin: &Admin) -> Result<Vec<User>, ApiError> {
        self.store.read(users::list).await.map_err(ApiError::from)
    }

    /// Creates an account.
    pub async fn create(&self, admin: &Admin, new: NewUser) -> Result<User, ApiError> {
        let user = self.prepare(new).await?;
        let record = user.clone();
        self.store.write(move |tx: &WriteTx| users::insert(tx, &record)).await?;
        tracing::info!(user = user.id, name = user.username, by = %admin, "account created");
        Ok(user)
    }

    /// Checks the input and returns the record of a new account, without writing it.
    pub async fn prepare(&self, new: NewUser) -> Result<User, ApiError> {
        check_username(&new.username)?;
        check_password("password", &new.password)?;
        Ok(User {
            id: ids::short(),
            username: new.username,
            password_hash: self.auth.hash_password(new.password).await?,
            role: new.role,
            created_at: clock::now(),
            last_seen: None,
        })
    }

    /// Changes an account. A new password ends its sessions, except for the caller's own.
    /// 412 if its revision is not the expected one.
    pub async fn update(
        &self,
        admin: &Admin,
        id: &str,
        change: UserChange,
        expected: Expected,
    ) -> Result<User, ApiError> {
        if let Some(username) = &change.username {
            check_username(username)?;
        }
        if let Some(password) = &change.password {
            check_password("password", password)?;
        }
        // Checked before the password is hashed, which is expensive.
        self.get(id)?;
        let hash = match change.password {
            Some(password) => Some(self.auth.hash_password(password).await?),
            None => None,
        };
        let (id, keep) = (id.to_owned(), admin.session_id().map(str::to_owned));
        let new_password = hash.is_some();
        let user = self
            .store
            .write(move |tx: &WriteTx| -> Result<User, ApiError> {
                let mut user = users::get(tx, &id)?.ok_or_else(|| ApiError::not_found("user"))?;
                expected.check(Some(&revision(&user)))?;
                user.username = change.username.unwrap_or(user.username);
                user.role = change.role.unwrap_or(user.role);
                user.password_hash = hash.unwrap_or(user.password_hash);
                users::update(tx, &user)?;
                if new_password {
                    sessions::delete_by_user(tx, &user.id, keep.as_deref())?;
                }
                Ok(user)
            })
            .await?;
        tracing::info!(user = user.id, name = user.username, new_password, by = %admin, "account changed");
        if new_password {
            self.auth.sessions_deleted(&user.id, admin.session_id());
        } else {
            self.auth.changed(&user.id);
        }
        Ok(user)
    }

    /// Deletes an account with its sessions and grants.
    pub async fn delete(&self, admin: &Admin, id: &str) -> Result<(), ApiError> {
        let owned = id.to_owned();
        self.store.write(move |tx: &WriteTx| users::delete(tx, &owned)).await?;
        tracing::info!(user = id, by = %admin, "account deleted");
        self.auth.sessions_deleted(id, None);
        Ok(())
    }

    /// Checks the password and opens a session.
    pub async fn sign_in(
        &self,
        username: &str,
        password: String,
        origin: &Origin,
    ) -> Result<SignedIn, ApiError> {
        self.auth.sign_in(username, password, origin).await
    }

    /// Ends the caller's session.
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), ApiError> {
        self.auth.end_session(caller.user_id(), caller.session_id()).await.map(drop)
    }

    /// Changes the caller's own password and ends the other sessions.
    pub async fn change_password(
        &self,
        caller: &Caller,
        current: String,
        new: String,
        origin: &Origin,
    ) -> Result<(), ApiError> {
        check_password("new", &new)?;
        let user = self.auth.confirm(caller, current, origin).await?;
        let hash = self.auth.hash_password(new).await?;
        let (id, keep, was) = (user.id.clone(), caller.session_id().to_owned(), user.password_hash);
        self.store
            .write(move |tx: &WriteTx| -> Result<(), ApiError> {
                let mut user = users::get(tx, &id)?.ok_or_else(|| ApiError::not_found("user"))?;
                if user.password_hash != was {
                    return Err(ApiError::new(
                        Code::Conflict,
                        "The password was changed by somebody else just now.",
                    ));
                }
                user.password_hash = hash;
                users::update(tx, &user)?;
                sessions::delete_by_user(tx, &id, Some(&keep))?;
                Ok(())
            })
            .await?;
        self.auth.sessions_deleted(caller.user_id(), Some(caller.session_id()));
        Ok(())
    }

    /// Sets a password from the machine's command line and ends all sessions of the account.
    pub async fn reset_password(
        &self,
        actor: &Actor,
        username: &str,
        password: String,
    ) -> Result<(), ApiError> {
        check_password("password", &password)?;
        let user = self.store.read_now(|tx: &ReadTx| users::by_name(tx, username))?;
        let id = user.ok_or_else(|| ApiError::not_found("user"))?.id;
        let hash = self.auth.hash_password(password).await?;
        let owned = id.clone();
        self.store
            .write(move |tx: &WriteTx| -> Result<(), ApiError> {
                let mut user = users::get(tx, &owned)?.ok_or_else(|| ApiError::not_found("user"))?;
                user.password_hash = hash;
                users::update(tx, &user)?;
                sessions::delete_by_user(tx, &owned, None)?;
                Ok(())
            })
            .await?;
        self.auth.sessions_deleted(&id, None);
        tracing::info!(user = id, name = username, by = %actor, "password set");
        Ok(())
    }

    /// The caller's sessions, most recently used first.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<Session>, ApiError> {
        let id = caller.user_id().to_owned();
        let now = clock::now();
        let mut sessions = self.store.read(move |tx: &ReadTx| sessions::list_by_user(tx, &id)).await?;
        sessions.extend(self.auth.unwritten_sessions(caller.user_id()));
        sessions.retain(|session| session.expires_at > now);
        for session in &mut sessions {
            session.last_used = self.auth.last_used(session);
        }
        sessions.sort_by_key(|session| std::cmp::Reverse(session.last_used));
        Ok(sessions)
    }

    /// Ends one of the caller's sessions.
    pub async fn end_session(&self, caller: &Caller, session_id: &str) -> Result<(), ApiError> {
        if self.auth.end_session(caller.user_id(), session_id).await? {
            return Ok(());
        }
        Err(ApiError::not_found("session"))
    }

    fn get(&self, id: &str) -> Result<User, ApiError> {
        self.store.read_now(|tx: &ReadTx| users::get(tx, id))?.ok_or_else(|| ApiError::not_found("user"))
    }
}

/// Revision of an account's name and role. Does not depend on the password.
fn revision(user: &User) -> String {
    revision::of(&[&user.username, if user.role == Role::Admin { "admin" } else { "user" }])
}

/// Checks a username. 422 if it is not allowed.
pub fn check_username(username: &str) -> Result<(), ApiError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=MAX_NAME).contains(&username.len()) && username.chars().all(fine) {
        return Ok(());
    }
    let problem = format!("must be 1 to {MAX_NAME} letters, digits, dots, dashes or underscores");
    Err(ApiError::field("username", problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["a", "Ann.b_c-9", &"x".repeat(32)] {
            assert!(check_username(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "ä", "a\n", "<b>", &"x".repeat(33)] {
            assert_eq!(check_username(bad).unwrap_err().code(), Code::Invalid, "{bad}");
        }
    }
}
