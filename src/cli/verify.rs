//! `verify-program`: checks whether a file is the program of a newer release. The guard runs as root and asks the
//! current program before it installs a staged one, because the staging folder is writable by the service's user.
//!
//! The key is the built-in one, or `CTRL_ALT_PLAY_KEY` from the service's settings, which only root can write.
//! `config.toml` in the data folder is not used, because the service's user can write it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use agent::upgrades::release::{MOST_SIGNATURE, MOST_SUMS, ReleaseKey, SignedText};
use agent::upgrades::{hash, newer};

use super::VerifyArgs;
use crate::config::UpgradeSettings;
use crate::status::VERSION;

/// Verifies the program.
///
/// # Errors
/// The reason, for the user, if the program must not be installed.
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

/// Reads a small file that may have been created by the service's user: not a link, not blocking, limited in size.
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
