//! Password hashing: argon2id on blocking threads, a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;

use crate::error::{ApiError, Code};

/// Shortest allowed password, in bytes.
pub const MIN_PASSWORD: usize = 10;
/// Longest allowed password, in bytes; longer ones are never hashed.
pub const MAX_PASSWORD: usize = 1024;

/// How many hashes run at the same time; each uses 19 MiB and a core.
const AT_ONCE: usize = 2;
/// How many callers may wait before others are refused.
const QUEUE: usize = 32;
/// Additional places in the queue for known devices.
const QUEUE_OF_KNOWN: usize = 8;

/// A hash with the current parameters that matches no password, so that unknown names take as long as known ones.
const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Y3RybC1hbHQtcGxheS0tLQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// 422 on `field` if a new password is too short or too long.
pub fn check_password(field: &str, password: &str) -> Result<(), ApiError> {
    match password.len() {
        ..MIN_PASSWORD => Err(ApiError::field(field, format!("must have at least {MIN_PASSWORD} bytes"))),
        MIN_PASSWORD..=MAX_PASSWORD => Ok(()),
        _ => Err(too_long(field)),
    }
}

pub(super) fn too_long(field: &str) -> ApiError {
    ApiError::field(field, format!("must have at most {MAX_PASSWORD} bytes"))
}

pub(super) struct Hasher {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Permission to run one hash.
pub(super) struct Turn(OwnedSemaphorePermit);

impl Hasher {
    pub(super) fn new() -> Self {
        Self { running: Arc::new(Semaphore::new(AT_ONCE)), waiting: AtomicUsize::new(0) }
    }

    /// Waits for a turn; 503 if too many are waiting. `known` callers may use the additional places.
    pub(super) async fn turn(&self, known: bool) -> Result<Turn, ApiError> {
        let _place = Slot::take(&self.waiting, if known { QUEUE + QUEUE_OF_KNOWN } else { QUEUE })?;
        let permit = Arc::clone(&self.running).acquire_owned().await;
        permit.map(Turn).map_err(|closed| ApiError::internal("waiting for the password hasher", &closed))
    }

    /// The PHC string of a new password, in the form of [`composed`].
    pub(super) async fn hash(&self, password: String) -> Result<String, ApiError> {
        let turn = self.turn(true).await?;
        let hashed = blocking(turn, move || {
            let salt = Salt::generate();
            let hash = derive(&composed(&password), &salt, ours()?)?;
            Ok(format!("$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}${salt}${hash}"))
        });
        hashed.await?.map_err(|cause: HashError| cause.answer("hashing a password"))
    }

    /// Whether the password matches. Without a stored hash the answer is no, after the same amount of work.
    pub(super) async fn verify(
        &self,
        turn: Turn,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, ApiError> {
        let known = hash.is_some();
        let verified = blocking(turn, move || {
            let kept = PasswordHash::new(hash.as_deref().unwrap_or(DUMMY))?;
            let (Some(salt), Some(right)) = (&kept.salt, &kept.hash) else { return Ok(false) };
            for form in forms(&password) {
                // `Output` compares in constant time.
                if derive(&form, salt, Params::try_from(&kept)?)? == *right {
                    return Ok(true);
                }
            }
            Ok(false)
        });
        let fits: Result<bool, HashError> = verified.await?;
        Ok(fits.map_err(|cause| cause.answer("reading a password hash"))? && known)
    }
}

/// Normalizes a password (NFC) before hashing: some keyboards send "é" as one character, some as two.
fn composed(password: &str) -> String {
    password.nfc().collect()
}

/// The forms to compare a password in: normalized, and as typed on different keyboards, because earlier versions hashed
/// passwords as typed. Just one form if there is nothing to normalize.
fn forms(password: &str) -> Vec<String> {
    let mut forms = vec![composed(password)];
    for other in [password.to_owned(), password.nfd().collect()] {
        if !forms.contains(&other) {
            forms.push(other);
        }
    }
    forms
}

/// Argon2's memory cost, in KiB.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const LENGTH: usize = 32;
/// Memory allocated for it, in KiB. glibc keeps freed blocks of up to 32 MiB in each of its arenas (measured: 230 MiB
/// after a flood of sign-ins). A larger block is returned to the system when freed, and pages that are never touched
/// cost nothing.
const ALLOCATED: usize = 33 * 1024;

#[derive(Debug, thiserror::Error)]
enum HashError {
    #[error("argon2: {0}")]
    Argon2(#[from] argon2::Error),
    #[error("the form of a hash: {0}")]
    Form(#[from] argon2::password_hash::phc::Error),
    #[error("the parameters of a hash: {0}")]
    Parameters(#[from] argon2::password_hash::Error),
    #[error("no memory for a hash: {0}")]
    Memory(#[from] std::collections::TryReserveError),
}

impl HashError {
    fn answer(&self, doing: &str) -> ApiError {
        if let Self::Memory(cause) = self {
            tracing::error!(%cause, "there is no memory for checking a password");
            let sentence = "The panel has too little memory for checking a password. Try again in a moment.";
            return ApiError::new(Code::Busy, sentence).retry_after(5);
        }
        ApiError::internal(doing, self)
    }
}

fn ours() -> Result<Params, HashError> {
    // Set explicitly, so that a new default of the library changes nothing here.
    Ok(Params::new(MEMORY, PASSES, LANES, Some(LENGTH))?)
}

fn derive(password: &str, salt: &Salt, params: Params) -> Result<Output, HashError> {
    let blocks = params.block_count();
    let mut memory = Vec::new();
    // Under a memory limit a failed allocation would otherwise abort the process.
    memory.try_reserve_exact(ALLOCATED.max(blocks)).or_else(|_| memory.try_reserve_exact(blocks))?;
    memory.resize(blocks, Block::default());
    let mut out = [0; LENGTH];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        password.as_bytes(),
        salt,
        &mut out,
        &mut memory,
    )?;
    Ok(Output::new(&out)?)
}

/// Runs `work` on a blocking thread. The work itself holds the turn, so that it is not released early if the caller
/// disconnects.
async fn blocking<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(move || {
        let result = work();
        drop(turn.0);
        result
    })
    .await
    .map_err(|cause| ApiError::internal("hashing on a blocking thread", &cause))
}

/// A place in the queue, released when the wait ends or is given up.
struct Slot<'a>(&'a AtomicUsize);

impl<'a> Slot<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Result<Self, ApiError> {
        if waiting.fetch_add(1, Ordering::Relaxed) >= most + AT_ONCE {
            waiting.fetch_sub(1, Ordering::Relaxed);
            let sentence = "Too many people are signing in at this moment. Try again in a second.";
            return Err(ApiError::new(Code::Busy, sentence).retry_after(1));
        }
        Ok(Self(waiting))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let hasher = Hasher::new();
        let hash = hasher.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify = async |password: &str, hash: Option<String>| {
            let turn = hasher.turn(false).await.unwrap();
            hasher.verify(turn, password.into(), hash).await.unwrap()
        };
        assert!(verify("correct horse", Some(hash.clone())).await);
        assert!(!verify("correct house", Some(hash)).await);
        assert!(!verify("correct horse", None).await);
    }

    #[tokio::test]
    async fn one_password_in_all_its_forms() {
        let hasher = Hasher::new();
        let (one, two) = ("caf\u{e9} au lait", "cafe\u{301} au lait");
        let verify = async |password: &str, hash: &str| {
            let turn = hasher.turn(false).await.unwrap();
            hasher.verify(turn, password.into(), Some(hash.into())).await.unwrap()
        };
        for typed in [one, two] {
            let hash = hasher.hash(typed.into()).await.unwrap();
            assert!(verify(one, &hash).await && verify(two, &hash).await);
            assert!(!verify("cafe au lait", &hash).await);
        }
        // Hashed as in versions that did not normalize passwords.
        let salt = Salt::generate();
        let old = derive(two, &salt, ours().unwrap()).unwrap();
        let old = format!("$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}${salt}${old}");
        assert!(verify(one, &old).await && verify(two, &old).await);
        assert_eq!(forms("plain").len(), 1);
    }

    #[tokio::test]
    async fn a_full_queue_sends_away() {
        let hasher = Hasher::new();
        let held = [hasher.turn(false).await.unwrap(), hasher.turn(false).await.unwrap()];
        let mut waiting = Vec::new();
        let mut refused = 0;
        for _ in 0..QUEUE + AT_ONCE + 5 {
            let mut turn = Box::pin(hasher.turn(false));
            match futures_util::poll!(&mut turn) {
                std::task::Poll::Ready(Err(error)) => {
                    assert_eq!(error.code(), Code::Busy);
                    refused += 1;
                }
                _ => waiting.push(turn),
            }
        }
        assert_eq!(refused, 5);
        let mut known = Box::pin(hasher.turn(true));
        assert!(futures_util::poll!(&mut known).is_pending(), "who was here before still waits");
        waiting.push(known);
        drop(held);
        for turn in waiting {
            drop(turn.await.unwrap());
        }
        assert!(hasher.turn(false).await.is_ok());
    }

    #[test]
    fn passwords_have_bounds() {
        assert!(check_password("password", "short").is_err());
        assert!(check_password("password", &"x".repeat(1025)).is_err());
        assert!(check_password("password", &"x".repeat(1024)).is_ok());
        assert!(check_password("password", "ten bytes!").is_ok());
    }
}
