//! Signing in with name and password.
//!
//! Guessing is slowed down per address and per account, without locking out others: known devices are exempt, and a few
//! attempts of other callers are checked anyway ([`super::reserve`]).

use storage::ReadTx;
use storage::users::{self, User};

use super::devices::NewDevice;
use super::throttle::{Slot, Source};
use super::{Auth, Caller, MAX_PASSWORD, NewSession, Origin, password};
use crate::error::{ApiError, Code};
use crate::system::clock;

/// Result of a sign-in.
pub struct SignedIn {
    /// The session and its credentials.
    pub session: NewSession,
    /// The user who signed in.
    pub user: User,
    /// Makes this browser a known device; `None` if it already is one.
    pub device: Option<NewDevice>,
}

/// One sign-in attempt.
struct Attempt {
    place: Slot,
    account: String,
    /// The budget key of the exempt device or session; `None` for a stranger.
    trusted: Option<String>,
    /// The error for a wrong password if the attempt is checked out of the reserve.
    over: Option<ApiError>,
}

impl Auth {
    /// Checks name and password and creates a session.
    pub async fn sign_in(
        &self,
        username: &str,
        password: String,
        origin: &Origin,
    ) -> Result<SignedIn, ApiError> {
        if password.len() > MAX_PASSWORD {
            return Err(password::too_long("password"));
        }
        let known = self.0.store.read_now(|tx: &ReadTx| users::by_name(tx, username))?;
        let device =
            known.as_ref().and_then(|user| self.0.devices.known(&origin.device, &user.id, clock::now()));
        let trusted = device.clone().map(|id| format!("device {id}"));
        let user = self.verify(username, known, password, origin, trusted).await?;
        let session = self.open_session(&user, origin).await?;
        let device = if device.is_none() { self.new_device(&user) } else { None };
        Ok(SignedIn { session, user, device })
    }

    /// The account of a signed-in user, if this is its password. Wrong ones are counted.
    pub async fn confirm(
        &self,
        caller: &Caller,
        password: String,
        origin: &Origin,
    ) -> Result<User, ApiError> {
        if password.len() > MAX_PASSWORD {
            return Err(password::too_long("current"));
        }
        let known = self.0.store.read_now(|tx: &ReadTx| users::get(tx, caller.user_id()))?;
        let trusted = Some(format!("session {}", caller.session_id()));
        self.verify(caller.username(), known, password, origin, trusted).await
    }

    /// The halves that make a browser a known device of this account.
    pub fn new_device(&self, user: &User) -> Option<NewDevice> {
        self.0.devices.make(&user.id, clock::now())
    }

    pub(super) async fn verify(
        &self,
        username: &str,
        user: Option<User>,
        password: String,
        origin: &Origin,
        trusted: Option<String>,
    ) -> Result<User, ApiError> {
        let mut attempt = Attempt {
            place: Slot::of(origin.address),
            account: username.chars().take(64).map(|c| c.to_ascii_lowercase()).collect(),
            trusted: trusted.filter(|name| self.0.devices.may_be_wrong(name)),
            over: None,
        };
        self.admit(&mut attempt)?;
        let turn = self.0.passwords.turn(attempt.trusted.is_some()).await?;
        // Other attempts may have failed while this one waited for its turn.
        self.admit(&mut attempt)?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let right = self.0.passwords.verify(turn, password, hash).await?;
        match user {
            Some(user) if right => {
                match &attempt.trusted {
                    Some(name) => self.0.devices.right(name),
                    None => self.0.throttle.right(&attempt.account),
                }
                Ok(user)
            }
            _ => Err(self.wrong(attempt)),
        }
    }

    /// 429 if this address or account had too many wrong attempts and the reserve is used up.
    fn admit(&self, attempt: &mut Attempt) -> Result<(), ApiError> {
        if attempt.trusted.is_some() || attempt.over.is_some() {
            return Ok(());
        }
        let throttle = &self.0.throttle;
        let (place, account) = (attempt.place, &attempt.account);
        let limits = [
            (throttle.addresses.check(place), Source::Slot(place)),
            (throttle.check_account(account), Source::Account(account.clone())),
        ];
        for (within, source) in limits {
            let Err(error) = within else { continue };
            if !self.0.reserve.take(source) {
                return Err(error);
            }
            attempt.over.get_or_insert(error);
        }
        Ok(())
    }

    /// Counts a wrong attempt. One from the reserve gets the same answer as if it had not been checked.
    fn wrong(&self, attempt: Attempt) -> ApiError {
        let wrong = ApiError::new(Code::BadCredentials, "The name or the password is wrong.");
        if let Some(name) = &attempt.trusted {
            self.0.devices.wrong(name);
            return wrong;
        }
        self.0.throttle.wrong_account(&attempt.account);
        match (self.0.throttle.addresses.wrong(attempt.place), attempt.over) {
            (_, Some(over)) => over,
            (Err(over), None) => over,
            (Ok(()), None) => wrong,
        }
    }

    /// The hash to store for a new password. Its length must have been checked.
    pub async fn hash_password(&self, password: String) -> Result<String, ApiError> {
        self.0.passwords.hash(password).await
    }
}
