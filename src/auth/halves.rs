//! A browser proves its session with two halves. Browsers send cookies to every port of a host, so a game's web page
//! receives the cookie too. The other half, the session key, is in the storage of the panel's own origin, and the page
//! sends it in a header.
//!
//! Both have the form `ID.SECRET`. The key names the session, so cookies of the same name set by others do no harm.

use sha2::{Digest, Sha256};
use storage::sessions::Session;

use crate::system::ids;

/// Longest half that is checked, in bytes.
const MAX_BYTES: usize = 128;
/// Length of a secret in characters; over 200 bits.
const SECRET_LENGTH: usize = 43;

/// Both halves of a new session.
#[derive(Clone)]
pub struct Halves {
    /// The cookie's value.
    pub cookie: String,
    /// The session key for the page's storage.
    pub key: String,
}

impl Halves {
    /// Creates the halves for a session. Only their hashes are stored.
    pub(super) fn make(id: &str) -> Self {
        let half = || format!("{id}.{}", ids::random(SECRET_LENGTH));
        Self { cookie: half(), key: half() }
    }
}

/// The session id in a half; `None` if the half is malformed.
pub(super) fn id_of(half: &str) -> Option<&str> {
    let (id, secret) = half.split_once('.')?;
    let fine = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (half.len() <= MAX_BYTES && fine(id) && fine(secret)).then_some(id)
}

/// The stored hash of a secret.
pub(super) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Constant-time comparison.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// Whether the key and one of the cookies belong to this session.
pub(super) fn fit(session: &Session, cookies: &[String], key: &str) -> bool {
    let (Some(cookie_hash), Some(key_hash)) = (&session.cookie_hash, &session.key_hash) else { return false };
    let key_fits = same(&hash(key), key_hash);
    // Compares all of them, so that the timing does not reveal which one matches.
    let cookie_fits = cookies
        .iter()
        .filter(|cookie| id_of(cookie) == Some(session.id.as_str()))
        .fold(false, |found, cookie| same(&hash(cookie), cookie_hash) | found);
    key_fits & cookie_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_has_one_form() {
        let halves = Halves::make("abc");
        assert_ne!(halves.cookie, halves.key);
        assert_eq!(id_of(&halves.cookie), Some("abc"));
        assert_eq!(id_of(&halves.key), Some("abc"));
        let long = format!("a.{}", "b".repeat(MAX_BYTES));
        for other in ["", ".", "a.", ".b", "a", "a.b.c", "a.b-c", "a.b c", "ä.b", long.as_str()] {
            assert_eq!(id_of(other), None, "{other}");
        }
    }

    #[test]
    fn only_equal_bytes_are_the_same() {
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab") && !same(b"", b"a"));
    }
}
