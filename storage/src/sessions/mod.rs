//! Active sessions.

pub(crate) mod record;

use crate::Millis;
use crate::error::{Error, Result};
use crate::tables::{SESSIONS, SESSIONS_BY_USER, USERS};
use crate::tx::{ReadTx, WriteTx};

pub use record::Session;

/// Adds a session. [`Error::NotFound`] if its user does not exist.
pub fn insert(tx: &WriteTx, session: &Session) -> Result<()> {
    if !USERS.contains(tx, session.user_id.as_str())? {
        return Err(Error::NotFound { what: "user" });
    }
    if SESSIONS.contains(tx, session.id.as_str())? {
        return Err(Error::Taken { what: "the session id" });
    }
    SESSIONS_BY_USER.put(tx, (session.user_id.as_str(), session.id.as_str()), &session.id)?;
    SESSIONS.put(tx, session.id.as_str(), session)
}

/// The session with this id, expired or not.
pub fn get(tx: &ReadTx, id: &str) -> Result<Option<Session>> {
    SESSIONS.get(tx, id)
}

/// All sessions of a user.
pub fn list_by_user(tx: &ReadTx, user_id: &str) -> Result<Vec<Session>> {
    let ids = SESSIONS_BY_USER.scan(tx, (user_id, ""), |key| key.0 == user_id)?;
    let mut sessions = Vec::with_capacity(ids.len());
    for id in ids {
        sessions.extend(SESSIONS.get(tx, id.as_str())?);
    }
    Ok(sessions)
}

/// Records when sessions were last used. Never moves a time back; skips ids that no longer exist.
pub fn touch_many(tx: &WriteTx, used: &[(String, Millis)]) -> Result<()> {
    for (id, at) in used {
        if let Some(mut session) = SESSIONS.get(tx, id.as_str())?
            && session.last_used < *at
        {
            session.last_used = *at;
            SESSIONS.put(tx, id.as_str(), &session)?;
        }
    }
    Ok(())
}

/// Deletes a session; returns whether it existed.
pub fn delete(tx: &WriteTx, id: &str) -> Result<bool> {
    let Some(session) = SESSIONS.get(tx, id)? else { return Ok(false) };
    SESSIONS_BY_USER.remove(tx, (session.user_id.as_str(), id))?;
    SESSIONS.remove(tx, id)
}

/// Deletes all sessions of a user, except `except`, and returns their ids.
pub fn delete_by_user(tx: &WriteTx, user_id: &str, except: Option<&str>) -> Result<Vec<String>> {
    let mut ids = SESSIONS_BY_USER.scan(tx, (user_id, ""), |key| key.0 == user_id)?;
    ids.retain(|id| Some(id.as_str()) != except);
    for id in &ids {
        delete(tx, id)?;
    }
    Ok(ids)
}

/// Deletes sessions that have expired at `now` or were not used since `unused_since`, and returns their ids.
pub fn delete_expired(tx: &WriteTx, now: Millis, unused_since: Millis) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for session in SESSIONS.all(tx)? {
        if session.expires_at <= now || session.last_used < unused_since {
            delete(tx, &session.id)?;
            ids.push(session.id);
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{read, session, store, user, write};
    use crate::users::{self, Role};

    fn three() -> (tempfile::TempDir, crate::Store) {
        let (dir, store) = store();
        write(&store, |tx| {
            users::insert(tx, &user("a", Role::Admin))?;
            users::insert(tx, &user("ab", Role::User))?;
            insert(tx, &session("s1", "a"))?;
            insert(tx, &session("s2", "a"))?;
            insert(tx, &session("s3", "ab"))
        });
        (dir, store)
    }

    fn ids(sessions: Vec<Session>) -> Vec<String> {
        sessions.into_iter().map(|session| session.id).collect()
    }

    #[test]
    fn a_session_needs_its_user() {
        let (_dir, store) = store();
        let error = store.write_blocking(|tx| insert(tx, &session("s", "nobody"))).unwrap_err();
        assert!(matches!(error, Error::NotFound { what: "user" }), "{error}");
    }

    #[test]
    fn each_user_has_their_own() {
        let (_dir, store) = three();
        assert_eq!(ids(read(&store, |tx| list_by_user(tx, "a"))), ["s1", "s2"]);
        assert_eq!(ids(read(&store, |tx| list_by_user(tx, "ab"))), ["s3"]);
        assert_eq!(write(&store, |tx| delete_by_user(tx, "a", Some("s1"))), ["s2"]);
        assert_eq!(ids(read(&store, |tx| list_by_user(tx, "a"))), ["s1"]);
        assert!(write(&store, |tx| delete(tx, "s1")));
        assert!(!write(&store, |tx| delete(tx, "s1")));
        assert_eq!(read(&store, crate::verify), Vec::<String>::new());
    }

    #[test]
    fn use_is_noted_and_never_moved_back() {
        let (_dir, store) = three();
        let used = vec![("s1".to_owned(), 50), ("gone".to_owned(), 60), ("s2".to_owned(), 0)];
        write(&store, move |tx| touch_many(tx, &used));
        assert_eq!(read(&store, |tx| get(tx, "s1")).unwrap().last_used, 50);
        assert_eq!(read(&store, |tx| get(tx, "s2")).unwrap().last_used, 1);
        assert_eq!(read(&store, |tx| get(tx, "gone")), None);
    }

    #[test]
    fn old_and_unused_ones_end() {
        let (_dir, store) = three();
        write(&store, |tx| touch_many(tx, &[("s1".to_owned(), 500)]));
        assert_eq!(write(&store, |tx| delete_expired(tx, 999, 1)), Vec::<String>::new());
        assert_eq!(write(&store, |tx| delete_expired(tx, 999, 400)), ["s2", "s3"]);
        assert_eq!(write(&store, |tx| delete_expired(tx, 1_000, 400)), ["s1"]);
    }
}
