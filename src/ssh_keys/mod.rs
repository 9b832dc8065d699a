//! Public SSH keys of accounts, for SFTP logins without a password.

mod routes;

use russh::keys::{Algorithm, HashAlg, PublicKey};
use storage::ssh_keys::SshKey;
use storage::{Store, WriteTx};

pub use routes::routes;

use crate::auth::{Auth, Caller};
use crate::error::{ApiError, Code};
use crate::system::{clock, ids};

/// Keys of one account.
const MOST: usize = 50;
/// Bytes of a key as it is pasted.
const LONGEST: usize = 4096;
/// Characters of a name.
const NAME: usize = 64;

/// The keys of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct SshKeys {
    store: Store,
    auth: Auth,
}

impl SshKeys {
    /// Over the database.
    pub fn new(store: Store, auth: Auth) -> Self {
        Self { store, auth }
    }

    /// The caller's keys, the oldest first.
    pub(super) fn list(&self, caller: &Caller) -> Result<Vec<SshKey>, ApiError> {
        Ok(self.store.read_now(|tx| storage::ssh_keys::list_by_user(tx, caller.user_id()))?)
    }

    /// Adds a key of the caller's. Without a name it is called by its comment.
    pub(super) async fn add(
        &self,
        caller: &Caller,
        name: Option<String>,
        text: &str,
    ) -> Result<SshKey, ApiError> {
        let public = parse(text)?;
        let comment = public.comment().to_string();
        let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        let name: String = name
            .unwrap_or_else(|| comment.chars().filter(|letter| !letter.is_control()).take(NAME).collect());
        if name.chars().count() > NAME || name.contains(char::is_control) {
            let sentence = format!("has to have at most {NAME} characters, none of them control characters");
            return Err(ApiError::field("name", sentence));
        }
        let key = SshKey {
            id: ids::short(),
            name,
            algorithm: public.algorithm().to_string(),
            fingerprint: fingerprint(&public),
            created_at: clock::now(),
            last_used: None,
        };
        let (user, record) = (caller.user_id().to_owned(), key.clone());
        self.store
            .write(move |tx: &WriteTx| -> Result<(), ApiError> {
                if storage::ssh_keys::list_by_user(tx, &user)?.len() >= MOST {
                    let sentence = format!("An account has at most {MOST} SSH keys. Delete one first.");
                    return Err(ApiError::new(Code::Conflict, sentence));
                }
                storage::ssh_keys::insert(tx, &user, record).map_err(ApiError::from)
            })
            .await?;
        tracing::info!(
            user = caller.user_id(),
            key = key.fingerprint,
            by = caller.username(),
            "SSH key added"
        );
        Ok(key)
    }

    /// Deletes a key of the caller and closes SFTP connections that use it.
    pub(super) async fn remove(&self, caller: &Caller, id: &str) -> Result<(), ApiError> {
        let (user, owned) = (caller.user_id().to_owned(), id.to_owned());
        let there =
            self.store.write(move |tx: &WriteTx| storage::ssh_keys::delete(tx, &user, &owned)).await?;
        if !there {
            return Err(ApiError::not_found("SSH key"));
        }
        tracing::info!(user = caller.user_id(), key = id, by = caller.username(), "SSH key deleted");
        self.auth.changed(caller.user_id());
        Ok(())
    }
}

/// `SHA256:…`, as OpenSSH shows it.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// A key as it stands in a `.pub` file.
fn parse(text: &str) -> Result<PublicKey, ApiError> {
    let text = text.trim();
    if text.contains("PRIVATE KEY") || text.starts_with("PuTTY-User-Key-File") {
        let sentence = "is the private half, which never leaves your machine: paste the line of the file that ends in .pub";
        return Err(ApiError::field("key", sentence));
    }
    let bad =
        || ApiError::field("key", "has to be a public key on one line, such as ssh-ed25519 AAAA… you@laptop");
    if text.len() > LONGEST || text.lines().count() != 1 {
        return Err(bad());
    }
    if text.starts_with("ssh-rsa") || text.starts_with("ssh-dss") {
        let sentence = "is of a kind that is not taken here: make another one with ssh-keygen -t ed25519";
        return Err(ApiError::field("key", sentence));
    }
    let key = PublicKey::from_openssh(text).map_err(|_| bad())?;
    match key.algorithm() {
        Algorithm::Ed25519
        | Algorithm::Ecdsa { .. }
        | Algorithm::SkEd25519
        | Algorithm::SkEcdsaSha2NistP256 => Ok(key),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti user@example.com";

    #[test]
    fn a_public_key_is_taken_and_nothing_else() {
        let key = parse(&format!("  {KEY}\n")).unwrap();
        assert_eq!(key.comment().to_string(), "user@example.com");
        assert!(fingerprint(&key).starts_with("SHA256:"));
        for text in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== x",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "command=\"ls\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti",
            &format!("{KEY}\n{KEY}"),
            &"x".repeat(5000),
        ] {
            assert_eq!(parse(text).err().map(|error| error.code()), Some(Code::Invalid), "{text}");
        }
        let refused = parse("-----BEGIN OPENSSH PRIVATE KEY-----").unwrap_err();
        assert!(format!("{refused:?}").contains("private half"));
    }
}
