//! Sessions: creation, lookup, use and end.
//!
//! They are in the store. Some data is held in memory beside it: when each session was last used (written about once a
//! minute), and, while the disk is full, sessions that could not be written or deleted yet, so that signing in and out
//! still works.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use storage::sessions::{self, Session};
use storage::users::{self, User};
use storage::{Millis, ReadTx, WriteTx};

use super::known::Stored;
use super::{Auth, Caller, Credentials, Halves, Origin, caller_of, halves, sign_in_again, unauthenticated};
use crate::error::{ApiError, Chain, Code};
use crate::system::shutdown::Tasks;
use crate::system::{clock, ids};

/// How many days a session lasts.
pub const SESSION_DAYS: i64 = 30;
const DAY: Millis = 24 * 60 * 60 * 1000;
/// How long an unused session lasts, in milliseconds.
const UNUSED: Millis = 7 * DAY;
/// How often last-used times are written.
const WRITE_EVERY: Duration = Duration::from_secs(60);
/// Ended sessions are removed once every this many writes.
const PURGE_EVERY: u64 = 60;
/// Most sessions of one account. The ones unused for longest are removed.
const MOST: usize = 200;
/// Most sessions looked up for one socket that has not sent its key yet.
const LOOKED_UP: usize = 32;

/// A session to be inserted, with its credentials, which are not stored.
pub struct NewSession {
    /// The record to insert.
    pub record: Session,
    /// The token (JWT), for programs.
    pub token: String,
    /// Cookie and session key, for browsers.
    pub halves: Halves,
}

/// The caller of a socket. Browsers cannot send headers when opening a socket, so the session key comes in the first
/// message.
#[derive(Clone)]
pub enum SocketCaller {
    /// A user with a live session.
    Known(Caller),
    /// A browser whose page has not sent its key yet.
    Unproven(Unproven),
}

/// A browser's cookies, which are not sufficient by themselves.
#[derive(Clone)]
pub struct Unproven(Vec<String>);

impl Auth {
    /// The caller, or 401. Looks up the session, so that ending it takes effect at once.
    pub fn authenticate(&self, credentials: &Credentials) -> Result<Caller, ApiError> {
        match credentials {
            Credentials::None => Err(unauthenticated()),
            Credentials::Bearer(token) => self.by_token(token),
            Credentials::Cookie { values, key } => {
                self.by_halves(values, key.as_deref().ok_or_else(sign_in_again)?)
            }
        }
    }

    /// Like [`Self::authenticate`], for a socket that may send its session key later.
    pub fn authenticate_socket(&self, credentials: &Credentials) -> Result<SocketCaller, ApiError> {
        let Credentials::Cookie { values, key: None } = credentials else {
            return self.authenticate(credentials).map(SocketCaller::Known);
        };
        let now = clock::now();
        let mut ids: Vec<_> = values.iter().filter_map(|value| halves::id_of(value)).collect();
        ids.dedup();
        // If others have set very many cookies, the right one may not be among those looked up; the key decides later.
        let mut some_live = ids.len() > LOOKED_UP;
        for id in ids.iter().take(LOOKED_UP) {
            some_live = some_live || self.live(id, now)?.is_some();
        }
        if !some_live {
            return Err(sign_in_again());
        }
        let cookies = values.iter().filter(|value| halves::id_of(value).is_some()).cloned().collect();
        Ok(SocketCaller::Unproven(Unproven(cookies)))
    }

    /// The caller, once the session key has arrived; or 401.
    pub fn prove(&self, cookies: &Unproven, key: &str) -> Result<Caller, ApiError> {
        self.by_halves(&cookies.0, key)
    }

    fn by_halves(&self, cookies: &[String], key: &str) -> Result<Caller, ApiError> {
        let now = clock::now();
        let id = halves::id_of(key).ok_or_else(sign_in_again)?;
        let stored = self.live(id, now)?.ok_or_else(sign_in_again)?;
        if !halves::fit(&stored.session, cookies, key) {
            return Err(sign_in_again());
        }
        self.touch(&stored.session, now);
        Ok(caller_of(&stored))
    }

    fn by_token(&self, token: &str) -> Result<Caller, ApiError> {
        let now = clock::now();
        let named = self.0.tokens.read(token, now).ok_or_else(unauthenticated)?;
        let stored = self.live(&named.session_id, now)?.ok_or_else(unauthenticated)?;
        let session = &stored.session;
        // If the clock was set back, valid tokens have an `iat` in the future. Then only the session's own is accepted.
        if session.user_id != named.user_id || !named.issued_in_time(now, session.created_at) {
            return Err(unauthenticated());
        }
        self.touch(session, now);
        Ok(caller_of(&stored))
    }

    /// The caller with current permissions; `None` once the session has ended. Kept unchanged while the store cannot be
    /// read.
    pub(super) fn refresh(&self, caller: &Caller) -> Option<Caller> {
        let now = clock::now();
        match self.live(&caller.session_id, now) {
            Ok(Some(stored)) => {
                self.touch(&stored.session, now);
                Some(caller_of(&stored))
            }
            Ok(None) => None,
            Err(_) => Some(caller.clone()),
        }
    }

    /// A session that has not ended, including changes that are not in the store yet.
    fn live(&self, session_id: &str, now: Millis) -> Result<Option<Arc<Stored>>, ApiError> {
        let (unwritten, used) = {
            let held = self.0.sessions.lock();
            if held.undeleted.contains(session_id) {
                return Ok(None);
            }
            (held.unwritten.get(session_id).cloned(), held.used.get(session_id).map(|(_, at)| *at))
        };
        let store = &self.0.store;
        let found = match unwritten {
            Some(session) => store.read_now(|tx| with_user(tx, session))?.map(Arc::new),
            None => self.0.known.sessions.get_or_read(store, session_id, |tx| {
                match sessions::get(tx, session_id)? {
                    Some(session) => with_user(tx, session),
                    None => Ok(None),
                }
            })?,
        };
        Ok(found.filter(|stored| {
            let session = &stored.session;
            let last_used = session.last_used.max(used.unwrap_or(session.last_used));
            now < session.expires_at && now - last_used < UNUSED
        }))
    }

    fn touch(&self, session: &Session, now: Millis) {
        let mut held = self.0.sessions.lock();
        match held.used.get_mut(&session.id) {
            Some((_, at)) => *at = now.max(*at),
            None => {
                held.used.insert(session.id.clone(), (session.user_id.clone(), now));
            }
        }
    }

    /// When a session was last used, including uses not written yet.
    pub fn last_used(&self, session: &Session) -> Millis {
        let held = self.0.sessions.lock();
        held.used.get(&session.id).map_or(session.last_used, |(_, at)| session.last_used.max(*at))
    }

    /// A new session of a user; the caller inserts it.
    pub fn new_session(&self, user_id: &str, origin: &Origin) -> Result<NewSession, ApiError> {
        let now = clock::now();
        let id = ids::long();
        let halves = Halves::make(&id);
        let record = Session {
            id,
            user_id: user_id.to_owned(),
            created_at: now,
            last_used: now,
            expires_at: now + SESSION_DAYS * DAY,
            address: origin.address.to_string(),
            user_agent: origin.user_agent.clone(),
            cookie_hash: Some(halves::hash(&halves.cookie).to_vec()),
            key_hash: Some(halves::hash(&halves.key).to_vec()),
        };
        let token = self
            .0
            .tokens
            .sign(user_id, &record.id, now, record.expires_at)
            .map_err(|cause| ApiError::internal("signing a session token", &cause))?;
        Ok(NewSession { record, token, halves })
    }

    pub(super) async fn open_session(&self, user: &User, origin: &Origin) -> Result<NewSession, ApiError> {
        let session = self.new_session(&user.id, origin)?;
        let record = session.record.clone();
        let hash = user.password_hash.clone();
        let written = self
            .0
            .store
            .write(move |tx: &WriteTx| -> Result<(), Refused> {
                // The password may have changed while it was being checked.
                if users::get(tx, &record.user_id)?.is_none_or(|user| user.password_hash != hash) {
                    return Err(Refused::Stale);
                }
                let mut others = sessions::list_by_user(tx, &record.user_id)?;
                others.sort_by_key(|session| session.last_used);
                for old in others.iter().take((others.len() + 1).saturating_sub(MOST)) {
                    sessions::delete(tx, &old.id)?;
                }
                Ok(sessions::insert(tx, &record)?)
            })
            .await;
        match written {
            Ok(()) => {}
            Err(Refused::Store(storage::Error::DiskFull | storage::Error::ReadOnly { .. })) => {
                let record = session.record.clone();
                self.0.sessions.lock().unwritten.insert(record.id.clone(), record);
            }
            Err(Refused::Stale) => {
                return Err(ApiError::new(Code::BadCredentials, "The name or the password is wrong."));
            }
            Err(Refused::Store(cause)) => return Err(cause.into()),
        }
        Ok(session)
    }

    /// Ends one session of a user and closes its sockets. `false` if the user has no such session.
    pub async fn end_session(&self, user_id: &str, session_id: &str) -> Result<bool, ApiError> {
        let unwritten = {
            let mut held = self.0.sessions.lock();
            let mine = held.unwritten.get(session_id).is_some_and(|session| session.user_id == user_id);
            if mine {
                held.unwritten.remove(session_id);
            }
            held.used.remove(session_id);
            mine
        };
        let (user, session) = (user_id.to_owned(), session_id.to_owned());
        let stored = self.0.store.read_now(|tx| sessions::get(tx, session_id))?;
        let stored = stored.is_some_and(|session| session.user_id == user_id);
        if stored {
            let written = self.0.store.write(move |tx: &WriteTx| sessions::delete(tx, &session)).await;
            match written {
                Ok(_) => {}
                Err(storage::Error::DiskFull | storage::Error::ReadOnly { .. }) => {
                    self.0.sessions.lock().undeleted.insert(session_id.to_owned());
                }
                Err(cause) => return Err(cause.into()),
            }
        }
        self.changed(&user);
        Ok(stored || unwritten)
    }

    /// Drops in-memory data of a user whose sessions were deleted in the store, and notifies their sockets.
    pub fn sessions_deleted(&self, user_id: &str, except: Option<&str>) {
        let mut held = self.0.sessions.lock();
        held.unwritten.retain(|id, session| session.user_id != user_id || except == Some(id.as_str()));
        drop(held);
        self.changed(user_id);
    }

    /// Sessions of a user that could not be written yet.
    pub fn unwritten_sessions(&self, user_id: &str) -> Vec<Session> {
        self.0
            .sessions
            .lock()
            .unwritten
            .values()
            .filter(|session| session.user_id == user_id)
            .cloned()
            .collect()
    }

    /// Starts the task that writes in-memory data about once a minute, and at the end.
    pub fn start(&self, tasks: &Tasks) {
        let (auth, token) = (self.clone(), tasks.token());
        drop(tasks.spawn("sessions", async move {
            for minute in 0_u64.. {
                let ended = tokio::time::timeout(WRITE_EVERY, token.cancelled()).await.is_ok();
                if let Err(cause) = auth.write_held(minute % PURGE_EVERY == 0).await {
                    tracing::debug!(cause = %Chain(&cause), "sessions are written later");
                }
                if ended {
                    return;
                }
            }
        }));
    }

    async fn write_held(&self, purge: bool) -> storage::Result<()> {
        let (used, unwritten, undeleted) = {
            let mut held = self.0.sessions.lock();
            (std::mem::take(&mut held.used), held.unwritten.clone(), held.undeleted.clone())
        };
        let now = clock::now();
        let touched: Vec<_> = used.iter().map(|(id, (_, at))| (id.clone(), *at)).collect();
        let mut seen: HashMap<String, Millis> = HashMap::new();
        for (user, at) in used.values() {
            let last = seen.entry(user.clone()).or_insert(*at);
            *last = (*last).max(*at);
        }
        let seen: Vec<_> = seen.into_iter().collect();
        if touched.is_empty() && unwritten.is_empty() && undeleted.is_empty() && !purge {
            return Ok(());
        }
        let (insert, delete) = (unwritten.clone(), undeleted.clone());
        let written = self
            .0
            .store
            .write(move |tx: &WriteTx| -> storage::Result<()> {
                for session in insert.values() {
                    match sessions::insert(tx, session) {
                        // Its user was deleted in the meantime, or an earlier attempt succeeded.
                        Ok(()) | Err(storage::Error::NotFound { .. } | storage::Error::Taken { .. }) => {}
                        Err(cause) => return Err(cause),
                    }
                }
                for session in &delete {
                    sessions::delete(tx, session)?;
                }
                sessions::touch_many(tx, &touched)?;
                users::set_last_seen_many(tx, &seen)?;
                if purge {
                    sessions::delete_expired(tx, now, now - UNUSED)?;
                }
                Ok(())
            })
            .await;
        let mut held = self.0.sessions.lock();
        match written {
            Ok(()) => {
                held.unwritten.retain(|id, _| !unwritten.contains_key(id));
                held.undeleted.retain(|id| !undeleted.contains(id));
                Ok(())
            }
            Err(cause) => {
                for (id, (user, at)) in used {
                    held.used.entry(id).or_insert((user, at));
                }
                Err(cause)
            }
        }
    }
}

fn with_user(tx: &ReadTx, session: Session) -> storage::Result<Option<Stored>> {
    Ok(users::get(tx, &session.user_id)?.map(|user| Stored { session, user }))
}

/// Why a session could not be created.
enum Refused {
    Stale,
    Store(storage::Error),
}

impl From<storage::Error> for Refused {
    fn from(cause: storage::Error) -> Self {
        Refused::Store(cause)
    }
}
