//! Accounts.

pub(crate) mod record;

use crate::Millis;
use crate::error::{Error, Result};
use crate::tables::{USERS, USERS_BY_NAME};
use crate::tx::{ReadTx, WriteTx};
use crate::{grants, sessions, ssh_keys};

pub use record::{Role, User};

const TAKEN: Error = Error::Taken { what: "the user name" };
const NOT_FOUND: Error = Error::NotFound { what: "user" };

/// Adds an account. [`Error::Taken`] if its id or name is in use.
pub fn insert(tx: &WriteTx, user: &User) -> Result<()> {
    if USERS.contains(tx, user.id.as_str())? {
        return Err(Error::Taken { what: "the user id" });
    }
    let name = key(&user.username);
    if USERS_BY_NAME.contains(tx, name.as_str())? {
        return Err(TAKEN);
    }
    USERS_BY_NAME.put(tx, name.as_str(), &user.id)?;
    USERS.put(tx, user.id.as_str(), user)
}

/// The account with this id.
pub fn get(tx: &ReadTx, id: &str) -> Result<Option<User>> {
    USERS.get(tx, id)
}

/// The account with this name, ignoring ASCII case.
pub fn by_name(tx: &ReadTx, username: &str) -> Result<Option<User>> {
    match USERS_BY_NAME.get(tx, key(username).as_str())? {
        Some(id) => USERS.get(tx, id.as_str()),
        None => Ok(None),
    }
}

/// All accounts, ordered by name.
pub fn list(tx: &ReadTx) -> Result<Vec<User>> {
    let mut users = USERS.all(tx)?;
    users.sort_by_cached_key(|user| key(&user.username));
    Ok(users)
}

/// Updates an account. [`Error::LastAdmin`] if no administrator would be left.
pub fn update(tx: &WriteTx, user: &User) -> Result<()> {
    let old = USERS.get(tx, user.id.as_str())?.ok_or(NOT_FOUND)?;
    if old.role == Role::Admin && user.role != Role::Admin && admins(tx)? <= 1 {
        return Err(Error::LastAdmin);
    }
    let (was, is) = (key(&old.username), key(&user.username));
    if was != is {
        if USERS_BY_NAME.contains(tx, is.as_str())? {
            return Err(TAKEN);
        }
        USERS_BY_NAME.remove(tx, was.as_str())?;
        USERS_BY_NAME.put(tx, is.as_str(), &user.id)?;
    }
    USERS.put(tx, user.id.as_str(), user)
}

/// Deletes an account, its sessions and its grants, and returns the ids of the sessions, so that their connections can
/// be closed. [`Error::LastAdmin`] if no administrator would be left.
pub fn delete(tx: &WriteTx, id: &str) -> Result<Vec<String>> {
    let user = USERS.get(tx, id)?.ok_or(NOT_FOUND)?;
    if user.role == Role::Admin && admins(tx)? <= 1 {
        return Err(Error::LastAdmin);
    }
    let ended = sessions::delete_by_user(tx, id, None)?;
    grants::delete_by_user(tx, id)?;
    ssh_keys::delete_by_user(tx, id)?;
    USERS_BY_NAME.remove(tx, key(&user.username).as_str())?;
    USERS.remove(tx, id)?;
    Ok(ended)
}

/// Number of accounts; 0 means that the panel is not set up yet.
pub fn count(tx: &ReadTx) -> Result<u64> {
    USERS.len(tx)
}

/// Number of administrators.
pub fn admins(tx: &ReadTx) -> Result<usize> {
    Ok(USERS.all(tx)?.iter().filter(|user| user.role == Role::Admin).count())
}

/// Records when accounts were last used; skips ids that no longer exist.
pub fn set_last_seen_many(tx: &WriteTx, seen: &[(String, Millis)]) -> Result<()> {
    for (id, at) in seen {
        if let Some(mut user) = USERS.get(tx, id.as_str())? {
            user.last_seen = Some(*at);
            USERS.put(tx, id.as_str(), &user)?;
        }
    }
    Ok(())
}

fn key(username: &str) -> String {
    username.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions;
    use crate::testing::{read, session, store, user, write};

    #[test]
    fn names_are_unique_without_regard_to_case() {
        let (_dir, store) = store();
        write(&store, |tx| insert(tx, &user("a", Role::Admin)));
        let same_name = User { username: "nAME-A".to_owned(), ..user("b", Role::User) };
        let error = store.write_blocking(move |tx| insert(tx, &same_name)).unwrap_err();
        assert!(matches!(error, Error::Taken { what: "the user name" }), "{error}");
        assert!(store.write_blocking(|tx| insert(tx, &user("a", Role::User))).is_err());
        assert_eq!(read(&store, |tx| by_name(tx, "NAME-a")).unwrap().id, "a");
        assert_eq!(read(&store, count), 1);
    }

    #[test]
    fn a_renamed_account_is_found_by_its_new_name_only() {
        let (_dir, store) = store();
        write(&store, |tx| insert(tx, &user("a", Role::Admin)));
        write(&store, |tx| insert(tx, &user("b", Role::User)));
        let renamed = User { username: "Zoe".to_owned(), ..user("b", Role::User) };
        let copy = renamed.clone();
        write(&store, move |tx| update(tx, &copy));
        assert_eq!(read(&store, |tx| by_name(tx, "zoe")), Some(renamed.clone()));
        assert_eq!(read(&store, |tx| by_name(tx, "name-b")), None);
        let taken = User { username: "name-A".to_owned(), ..renamed.clone() };
        assert!(store.write_blocking(move |tx| update(tx, &taken)).is_err());
        assert_eq!(read(&store, list), [user("a", Role::Admin), renamed]);
        assert_eq!(read(&store, crate::verify), Vec::<String>::new());
    }

    #[test]
    fn somebody_is_left_to_administer() {
        let (_dir, store) = store();
        write(&store, |tx| insert(tx, &user("a", Role::Admin)));
        write(&store, |tx| insert(tx, &user("b", Role::User)));
        let demote = |tx: &WriteTx| update(tx, &user("a", Role::User));
        assert!(matches!(store.write_blocking(demote), Err(Error::LastAdmin)));
        assert!(matches!(store.write_blocking(|tx| delete(tx, "a")), Err(Error::LastAdmin)));
        write(&store, |tx| update(tx, &user("b", Role::Admin)));
        write(&store, demote);
        assert!(matches!(store.write_blocking(|tx| delete(tx, "b")), Err(Error::LastAdmin)));
        assert!(matches!(store.write_blocking(|tx| delete(tx, "c")), Err(Error::NotFound { what: "user" })));
    }

    #[test]
    fn an_account_goes_with_its_sessions() {
        let (_dir, store) = store();
        write(&store, |tx| {
            insert(tx, &user("a", Role::Admin))?;
            insert(tx, &user("b", Role::User))?;
            sessions::insert(tx, &session("s1", "a"))?;
            sessions::insert(tx, &session("s2", "b"))?;
            sessions::insert(tx, &session("s3", "b"))
        });
        assert_eq!(write(&store, |tx| delete(tx, "b")), ["s2", "s3"]);
        assert_eq!(read(&store, |tx| sessions::get(tx, "s2")), None);
        assert!(read(&store, |tx| sessions::get(tx, "s1")).is_some());
        assert_eq!(read(&store, |tx| by_name(tx, "name-b")), None);
        assert_eq!(read(&store, crate::verify), Vec::<String>::new());
    }

    #[test]
    fn the_hash_is_not_shown() {
        assert!(!format!("{:?}", user("a", Role::Admin)).contains("argon2"));
    }
}
