//! The key file for opening a repository with a password, as `restic` does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use super::key::MasterKey;
use super::lock::host_name;
use super::message::{Failure, FailureCode};
use super::seal::{name_of, seal};
use super::store::{Kind, Store};

/// scrypt parameters: 32 MiB, like restic's own. The password is long and random.
const LOG_N: u8 = 15;
const R: u32 = 8;
const P: u32 = 1;

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
