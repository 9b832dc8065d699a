//! SFTP logins. There is no session: a login lasts for one connection, by password or SSH key, and is valid while the
//! account's password and role and the key stay the same.

use std::time::Duration;

use storage::users::{self, User};
use storage::{ReadTx, WriteTx, ssh_keys};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::{Auth, MAX_PASSWORD, Origin, SftpLogin, password};
use crate::error::ApiError;
use crate::system::clock;

/// Precision of a key's last use: a write for each connection would wear out an SD card.
const HOUR: i64 = 60 * 60 * 1000;
/// How often to check without a notification.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl SftpLogin {
    fn of(user: User, key_id: Option<String>) -> Self {
        let User { id, username, role, password_hash, .. } = user;
        Self { user_id: id, username, role, password_hash, key_id }
    }
}

impl Auth {
    /// Whether there is an account of this name.
    pub fn has_account(&self, username: &str) -> Result<bool, ApiError> {
        Ok(self.0.store.read_now(|tx: &ReadTx| users::by_name(tx, username))?.is_some())
    }

    /// Checks name and password for a connection by SFTP: counted, and slowed down, together with the page's sign-ins.
    pub async fn sftp_by_password(
        &self,
        username: &str,
        password: String,
        origin: &Origin,
    ) -> Result<SftpLogin, ApiError> {
        if password.len() > MAX_PASSWORD {
            return Err(password::too_long("password"));
        }
        let known = self.0.store.read_now(|tx: &ReadTx| users::by_name(tx, username))?;
        let user = self.verify(username, known, password, origin, None).await?;
        Ok(SftpLogin::of(user, None))
    }

    /// The login for an account and one of its keys. The caller must verify that the client owns the key.
    pub fn sftp_by_key(&self, username: &str, fingerprint: &str) -> Result<Option<SftpLogin>, ApiError> {
        let found = self.0.store.read_now(|tx: &ReadTx| -> storage::Result<_> {
            let Some(user) = users::by_name(tx, username)? else { return Ok(None) };
            let keys = ssh_keys::list_by_user(tx, &user.id)?;
            let key = keys.into_iter().find(|key| key.fingerprint == fingerprint);
            Ok(key.map(|key| SftpLogin::of(user, Some(key.id))))
        })?;
        Ok(found)
    }

    /// Notes that a key was used.
    pub async fn sftp_key_used(&self, login: &SftpLogin) -> Result<(), ApiError> {
        let Some(key) = login.key_id.clone() else { return Ok(()) };
        let (user, hour) = (login.user_id.clone(), clock::now() / HOUR * HOUR);
        let keys = self.0.store.read_now(|tx| ssh_keys::list_by_user(tx, &user))?;
        if keys.iter().any(|known| known.id == key && known.last_used >= Some(hour)) {
            return Ok(());
        }
        self.0.store.write(move |tx: &WriteTx| ssh_keys::touch(tx, &user, &key, hour)).await?;
        Ok(())
    }

    /// Whether the login is still valid. If the store cannot be read, it stays valid.
    pub fn is_current(&self, login: &SftpLogin) -> bool {
        let found = self.0.store.read_now(|tx: &ReadTx| -> storage::Result<bool> {
            let Some(user) = users::get(tx, &login.user_id)? else { return Ok(false) };
            let key = match &login.key_id {
                Some(id) => ssh_keys::list_by_user(tx, &user.id)?.iter().any(|key| key.id == *id),
                None => true,
            };
            Ok(key && user.role == login.role && user.password_hash == login.password_hash)
        });
        found.unwrap_or(true)
    }

    /// Notifies of changes to accounts and permissions.
    pub fn sftp_changes(&self) -> SftpChanges {
        SftpChanges(self.0.changes.subscribe())
    }
}

/// Notifies of changes to accounts and permissions.
pub struct SftpChanges(broadcast::Receiver<String>);

impl SftpChanges {
    /// Returns when what this account may do may have changed, and at least each second: servers go too. Safe to drop and
    /// call again.
    pub async fn next(&mut self, user_id: &str) {
        let told = async {
            loop {
                match self.0.recv().await {
                    Ok(changed) if changed != user_id => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let _ = timeout(LOOK_EVERY, told).await;
    }
}
