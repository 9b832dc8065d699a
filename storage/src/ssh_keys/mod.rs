//! Public SSH keys of accounts. They are few, and read together for one account, so those of each are one value among the
//! settings: a program that does not know them leaves it alone.

pub(crate) mod record;

use crate::Millis;
use crate::error::{Error, Result};
use crate::settings;
use crate::tables;
use crate::tx::{ReadTx, WriteTx};

pub use record::SshKey;

fn name(user_id: &str) -> String {
    format!("ssh_keys/{user_id}")
}

/// The keys of an account, the oldest first.
pub fn list_by_user(tx: &ReadTx, user_id: &str) -> Result<Vec<SshKey>> {
    Ok(settings::get(tx, &name(user_id))?.unwrap_or_default())
}

/// Adds a key. [`Error::NotFound`] where its account is gone, [`Error::Taken`] where that has the key already.
pub fn insert(tx: &WriteTx, user_id: &str, key: SshKey) -> Result<()> {
    if !tables::USERS.contains(tx, user_id)? {
        return Err(Error::NotFound { what: "user" });
    }
    let mut all = list_by_user(tx, user_id)?;
    if all.iter().any(|known| known.fingerprint == key.fingerprint) {
        return Err(Error::Taken { what: "the SSH key" });
    }
    all.push(key);
    settings::put(tx, &name(user_id), &all)
}

/// Deletes a key and tells whether it was there.
pub fn delete(tx: &WriteTx, user_id: &str, id: &str) -> Result<bool> {
    let mut all = list_by_user(tx, user_id)?;
    let before = all.len();
    all.retain(|key| key.id != id);
    if all.len() == before {
        return Ok(false);
    }
    settings::put(tx, &name(user_id), &all)?;
    Ok(true)
}

/// Deletes all keys of an account.
pub(crate) fn delete_by_user(tx: &WriteTx, user_id: &str) -> Result<()> {
    settings::delete(tx, &name(user_id)).map(drop)
}

/// Notes when a key was used; one that is gone is passed over.
pub fn touch(tx: &WriteTx, user_id: &str, id: &str, at: Millis) -> Result<()> {
    let mut all = list_by_user(tx, user_id)?;
    let Some(key) = all.iter_mut().find(|key| key.id == id) else { return Ok(()) };
    key.last_used = key.last_used.max(Some(at));
    settings::put(tx, &name(user_id), &all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{read, store, user, write};
    use crate::users;
    use crate::users::Role;

    fn key(id: &str, fingerprint: &str) -> SshKey {
        SshKey {
            id: id.into(),
            name: "laptop".into(),
            algorithm: "ssh-ed25519".into(),
            fingerprint: fingerprint.into(),
            created_at: 1,
            last_used: None,
        }
    }

    #[test]
    fn keys_go_with_their_account() {
        let (_dir, store) = store();
        write(&store, |tx| {
            users::insert(tx, &user("a", Role::Admin))?;
            users::insert(tx, &user("b", Role::User))?;
            insert(tx, "b", key("1", "SHA256:x"))?;
            insert(tx, "b", key("2", "SHA256:y"))?;
            insert(tx, "a", key("3", "SHA256:x"))
        });
        let again = store.write_blocking(|tx| insert(tx, "b", key("4", "SHA256:x")));
        assert!(matches!(again, Err(Error::Taken { .. })));
        assert!(store.write_blocking(|tx| insert(tx, "nobody", key("4", "SHA256:z"))).is_err());
        write(&store, |tx| touch(tx, "b", "2", 50));
        write(&store, |tx| touch(tx, "b", "2", 40));
        write(&store, |tx| touch(tx, "b", "gone", 40));
        assert_eq!(read(&store, |tx| list_by_user(tx, "b"))[1].last_used, Some(50));
        assert!(write(&store, |tx| delete(tx, "b", "1")));
        assert!(!write(&store, |tx| delete(tx, "b", "1")));
        write(&store, |tx| users::delete(tx, "b"));
        assert_eq!(read(&store, |tx| list_by_user(tx, "b")), []);
        assert_eq!(read(&store, |tx| list_by_user(tx, "a")).len(), 1);
    }
}
