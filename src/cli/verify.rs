//! `verify-program`: whether a file is the program of a newer release. The guard, which is root, asks the program that runs
//! now before it puts another one in its place, since the folder in which that lies belongs to the service.
//!
//! The key is the built-in one or `CTRL_ALT_PLAY_KEY` of the service's own settings, which only root writes. The file
//! `config.toml` in the data folder does not count here: it belongs to the service too.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use agent::upgrades::release::{MOST_SIGNATURE, MOST_SUMS, ReleaseKey, SignedText};
use agent::upgrades::{hash, newer};

use super::VerifyArgs;
use crate::config::UpgradeSettings;
use crate::status::VERSION;

/// Fails with a reason where the program is not to be believed.
///
/// # Errors
/// Why, for a person.
pub fn verify(asked: &VerifyArgs) -> Result<(), String> {
    let set = std::env::var("CTRL_ALT_PLAY_KEY").ok().filter(|key| !key.trim().is_empty());
    let key = set.or(UpgradeSettings::default().key).ok_or("this program knows no key of releases")?;
    let key = ReleaseKey::parse(&key).map_err(|error| error.to_string())?;
    let signed = SignedText {
        sums: text(&asked.sums, MOST_SUMS)?,
        signature: text(&asked.signature, MOST_SIGNATURE)?,
    };
    let list = signed.verify(&key).map_err(|error| error.to_string())?;
    let offered = newer(VERSION, &asked.version).map_err(|error| error.to_string())?;
    if list.version != offered {
        return Err(format!("the signed list is of version {}, not {offered}", list.version));
    }
    let failed = |error: std::io::Error| format!("{}: {error}", asked.program.display());
    let mut program = open(&asked.program).map_err(failed)?;
    list.check_own_program(&hash(&mut program).map_err(failed)?).map_err(|error| error.to_string())
}

/// All of a small file, which the service may have made: no link, nothing that blocks, nothing long.
fn text(path: &Path, most: u64) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    let mut text = String::new();
    file.take(most + 1).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

fn open(path: &Path) -> std::io::Result<File> {
    use rustix::fs::OFlags;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    File::options().read(true).custom_flags(flags).open(path)
}
