//! Sign-ins that have not ended.

use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::error::{Error, Result};
use crate::tables::{SESSIONS, SESSIONS_BY_USER, USERS};
use crate::tx::{ReadTx, WriteTx};

/// One sign-in of one account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Named in the token; worth nothing without its signature.
    pub id: String,
    /// Who signed in.
    pub user_id: String,
    /// When.
    pub created_at: Millis,
    /// When it was last used, to about a minute.
    pub last_used: Millis,
    /// When it ends by itself.
    pub expires_at: Millis,
    /// From which address.
    pub address: String,
    /// With which browser or program.
    pub user_agent: String,
}

/// Adds a session. [`Error::NotFound`] where its user is gone.
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

/// Notes when sessions were last used. Never moves a time back, and passes over ids that are gone.
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

/// Ends a session and tells whether it was there.
pub fn delete(tx: &WriteTx, id: &str) -> Result<bool> {
    let Some(session) = SESSIONS.get(tx, id)? else { return Ok(false) };
    SESSIONS_BY_USER.remove(tx, (session.user_id.as_str(), id))?;
    SESSIONS.remove(tx, id)
}

/// Ends all sessions of a user, but for one if so wished, and returns the ids of the ended ones.
pub fn delete_by_user(tx: &WriteTx, user_id: &str, except: Option<&str>) -> Result<Vec<String>> {
    let mut ids = SESSIONS_BY_USER.scan(tx, (user_id, ""), |key| key.0 == user_id)?;
    ids.retain(|id| Some(id.as_str()) != except);
    for id in &ids {
        delete(tx, id)?;
    }
    Ok(ids)
}

/// Deletes what has expired at `now` or was not used since `unused_since`, and returns the ids.
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
