//! The key file for opening a repository with a password, as `restic` does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::key::MasterKey;
use super::lock::host_name;
use super::message::{Failure, FailureCode};
use super::seal::{name_of, open, seal};
use super::store::{Kind, Store};

/// scrypt parameters: 32 MiB, like restic's own. The password is long and random.
const LOG_N: u8 = 15;
const R: u32 = 8;
const P: u32 = 1;
/// Key files that are tried with a password, and the memory that one may take.
const KEYS: usize = 50;
const MEMORY: u64 = 256 << 20;
/// Bytes of what a key file holds.
const LONGEST: u32 = 16_384;

/// Writes the key file for opening the repository with a password. rustic's own would need 128 MiB of memory.
pub(super) fn write_key_file(key: &MasterKey, store: &dyn Store, password: &str) -> Result<(), Failure> {
    let content = key_file(key, password);
    let content =
        content.ok_or_else(|| Failure::new(FailureCode::Failed, "The key file could not be created."))?;
    store.write(Kind::Key, &name_of(&content), std::slice::from_ref(&content))
}

fn key_file(key: &MasterKey, password: &str) -> Option<Bytes> {
    let salt: [u8; 64] = rand::random();
    let params = scrypt::Params::new(LOG_N, R, P).ok()?;
    let mut derived = [0; 64];
    scrypt::scrypt(password.as_bytes(), &salt, &params, &mut derived).ok()?;
    let data = seal(&serde_json::to_vec(key).ok()?, &derived)?;
    let file = KeyFile {
        created: Timestamp::now(),
        username: "ctrl-alt-play",
        hostname: host_name(),
        kdf: "scrypt",
        n: 1 << LOG_N,
        r: R,
        p: P,
        salt: STANDARD.encode(salt),
        data: STANDARD.encode(data),
    };
    Some(serde_json::to_vec(&file).ok()?.into())
}

/// The key that a password opens; `None` if it opens none of the key files.
pub(super) fn open_by_password(store: &dyn Store, password: &str) -> Result<Option<MasterKey>, Failure> {
    for (id, _) in store.list(Kind::Key)?.into_iter().take(KEYS) {
        let content = store.read(Kind::Key, &id, None)?;
        if let Some(key) = opened(&content, password) {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn opened(content: &[u8], password: &str) -> Option<MasterKey> {
    let file: Opening = serde_json::from_slice(content).ok()?;
    let memory = 128_u64.checked_mul(file.n)?.checked_mul(file.r.into())?;
    if file.kdf != "scrypt" || !file.n.is_power_of_two() || memory > MEMORY || file.p > 16 {
        return None;
    }
    let log_n = u8::try_from(file.n.ilog2()).ok()?;
    let params = scrypt::Params::new(log_n, file.r, file.p).ok()?;
    let (salt, data) = (STANDARD.decode(file.salt).ok()?, STANDARD.decode(file.data).ok()?);
    let mut derived = [0; 64];
    scrypt::scrypt(password.as_bytes(), &salt, &params, &mut derived).ok()?;
    let key: MasterKey = serde_json::from_slice(&open(&data, &derived, LONGEST)?).ok()?;
    key.bytes().map(|_| key)
}

/// What is needed of a key file, ours or restic's.
#[derive(Deserialize)]
struct Opening {
    kdf: String,
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
    salt: String,
    data: String,
}

#[derive(Serialize)]
struct KeyFile {
    created: Timestamp,
    username: &'static str,
    hostname: String,
    kdf: &'static str,
    #[serde(rename = "N")]
    n: u32,
    r: u32,
    p: u32,
    salt: String,
    data: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_password_opens_a_key_file() {
        let bytes: [u8; 64] = std::array::from_fn(|n| u8::try_from(n).unwrap());
        let key = MasterKey::from_bytes(&bytes);
        let file = key_file(&key, "right").unwrap();
        assert_eq!(opened(&file, "right"), Some(key));
        assert_eq!(opened(&file, "wrong"), None);
        assert_eq!(opened(b"{}", "right"), None);
        let mut greedy: serde_json::Value = serde_json::from_slice(&file).unwrap();
        greedy["N"] = (1_u64 << 40).into();
        assert_eq!(opened(greedy.to_string().as_bytes(), "right"), None, "no more memory than is bounded");
    }
}
