//! Known devices: browsers that have signed in to an account before. They are exempt from the limits that strangers
//! cause by guessing passwords, and have a small budget of wrong attempts of their own, so that a stolen device is
//! worth little.
//!
//! Nothing is stored for a device. It is an id signed together with the account, in two halves: a cookie, which a
//! game's page on another port receives too, and a key in the storage of the panel's origin.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use storage::Millis;
use tokio::time::Instant;

use super::halves;
use crate::net::rate_limit::make_room;
use crate::system::ids;

/// How many days a device stays known after its sign-in.
pub const DEVICE_DAYS: i64 = 365;
/// Wrong attempts of a device before it is treated as a stranger.
const BUDGET: u32 = 10;
/// How long a wrong attempt counts.
const MEMORY: Duration = Duration::from_secs(60 * 60);

/// What a sign-in sends to prove that this browser has signed in before.
#[derive(Clone, Default)]
pub struct DeviceProof {
    /// All cookies of that name.
    pub cookies: Vec<String>,
    /// The key from the page's storage.
    pub key: Option<String>,
}

impl fmt::Debug for DeviceProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceProof(…)")
    }
}

/// The two halves for a device that was not known before.
#[derive(Clone)]
pub struct NewDevice {
    /// The cookie's value: `ID.SECONDS.SIGNATURE`.
    pub cookie: String,
    /// The key for the page's storage: `ID.SIGNATURE`.
    pub key: String,
}

pub(super) struct Devices {
    key: EncodingKey,
    wrong: Mutex<HashMap<String, (u32, Instant)>>,
}

impl Devices {
    pub(super) fn new(secret: &[u8]) -> Self {
        // Derived from the key that signs tokens, so that the two cannot be mixed up.
        let derived = crypto::sign(b"known devices", &EncodingKey::from_secret(secret), Algorithm::HS256);
        let key = EncodingKey::from_secret(derived.unwrap_or_default().as_bytes());
        Self { key, wrong: Mutex::default() }
    }

    /// Both halves for a new device of this account; `None` if signing fails.
    pub(super) fn make(&self, user_id: &str, now: Millis) -> Option<NewDevice> {
        let (id, issued) = (ids::long(), now / 1000);
        let cookie = self.sign(&format!("cookie\n{id}\n{issued}\n{user_id}"))?;
        let key = self.sign(&format!("key\n{id}\n{user_id}"))?;
        Some(NewDevice { cookie: format!("{id}.{issued}.{cookie}"), key: format!("{id}.{key}") })
    }

    /// The device's id if both halves are present and belong to this account.
    pub(super) fn known(&self, proof: &DeviceProof, user_id: &str, now: Millis) -> Option<String> {
        let (id, signature) = proof.key.as_deref()?.split_once('.')?;
        let right = self.sign(&format!("key\n{id}\n{user_id}"))?;
        if id.len() != ids::LONG || !equal(signature, &right) {
            return None;
        }
        let now = now / 1000;
        proof.cookies.iter().find_map(|cookie| {
            let mut parts = cookie.strip_prefix(id)?.strip_prefix('.')?.splitn(2, '.');
            let issued: i64 = parts.next()?.parse().ok()?;
            let in_time = now.checked_sub(issued)? < DEVICE_DAYS * 24 * 60 * 60;
            let right = self.sign(&format!("cookie\n{id}\n{issued}\n{user_id}"))?;
            (in_time && equal(parts.next()?, &right)).then(|| id.to_owned())
        })
    }

    /// Whether the device's budget of wrong attempts is not used up.
    pub(super) fn may_be_wrong(&self, id: &str) -> bool {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.get(id).is_none_or(|(count, last)| *count < BUDGET || last.elapsed() >= MEMORY)
    }

    pub(super) fn wrong(&self, id: &str) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut wrong, |(_, last)| Some(*last), Instant::now(), MEMORY);
        let entry = wrong.entry(id.to_owned()).or_insert((0, Instant::now()));
        if entry.1.elapsed() >= MEMORY {
            entry.0 = 0;
        }
        *entry = (entry.0.saturating_add(1), Instant::now());
    }

    pub(super) fn right(&self, id: &str) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    fn sign(&self, message: &str) -> Option<String> {
        crypto::sign(message.as_bytes(), &self.key, Algorithm::HS256).ok()
    }
}

fn equal(a: &str, b: &str) -> bool {
    halves::same(&halves::hash(a), &halves::hash(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_800_000_000_000;
    const DAY: Millis = 24 * 60 * 60 * 1000;

    fn proof(cookies: &[&str], key: &str) -> DeviceProof {
        DeviceProof { cookies: cookies.iter().map(ToString::to_string).collect(), key: Some(key.to_owned()) }
    }

    #[test]
    fn a_device_is_known_by_both_halves_to_its_own_account_and_for_a_year() {
        let devices = Devices::new(b"a secret of some length, for tests");
        let made = devices.make("mira", NOW).unwrap();
        let other = devices.make("mira", NOW).unwrap();
        let whole = proof(&["x", "", &other.cookie, &made.cookie, "y.z.w"], &made.key);
        assert!(devices.known(&whole, "mira", NOW + DAY).is_some());
        assert!(devices.known(&whole, "jo", NOW + DAY).is_none(), "another account");
        assert!(devices.known(&whole, "mira", NOW + 365 * DAY).is_none(), "too old");
        let cookie_only = DeviceProof { key: None, ..whole.clone() };
        assert!(devices.known(&cookie_only, "mira", NOW).is_none());
        assert!(devices.known(&proof(&[], &made.key), "mira", NOW).is_none());
        assert!(devices.known(&proof(&[&other.cookie], &made.key), "mira", NOW).is_none());
        assert!(devices.known(&proof(&[&made.cookie], &other.key), "mira", NOW).is_none());
        let newer = made.cookie.replacen(&(NOW / 1000).to_string(), &(NOW / 1000 + 9).to_string(), 1);
        assert!(devices.known(&proof(&[&newer], &made.key), "mira", NOW).is_none(), "a date of one's own");
        let stranger = Devices::new(b"another secret of some length");
        assert!(stranger.known(&whole, "mira", NOW).is_none());
    }

    #[test]
    fn it_may_be_wrong_a_few_times() {
        let devices = Devices::new(b"a secret of some length, for tests");
        for _ in 0..BUDGET {
            assert!(devices.may_be_wrong("a"));
            devices.wrong("a");
        }
        assert!(!devices.may_be_wrong("a") && devices.may_be_wrong("b"));
        devices.right("a");
        assert!(devices.may_be_wrong("a"));
    }
}
