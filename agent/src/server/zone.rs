//! A game's time zone. An image without zone files takes `TZ=Europe/Berlin` for UTC, so the one file it needs is
//! mounted into it. It is copied into the agent's own folder, which the engine can reach wherever the agent itself
//! runs.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::runtime::MountedFile;

/// Folder of zone files, on this machine and in containers.
const ZONES: &str = "/usr/share/zoneinfo";
/// The zone file of this machine.
const OWN: &str = "/etc/localtime";
/// Maximum size of a zone file in bytes; real ones have a few kilobytes.
const MOST_BYTES: u64 = 64 * 1024;

/// The zone file for `name`, copied below `dir`. `None` for UTC, which needs no file, and for unknown zones. `own` is
/// the machine's zone, which is read from [`OWN`] if the machine has no file by that name.
pub(super) fn of(dir: &Path, name: &str, own: &str) -> Option<MountedFile> {
    let name = name.strip_prefix(':').unwrap_or(name);
    if !is_name(name) || matches!(name, "UTC" | "GMT") {
        return None;
    }
    let text = read(&Path::new(ZONES).join(name)).or_else(|| read(Path::new(OWN)).filter(|_| name == own))?;
    let file = dir.join("zoneinfo").join(name);
    match keep(&file, &text) {
        Ok(()) => Some(MountedFile { file, place: format!("{ZONES}/{name}") }),
        Err(error) => {
            tracing::debug!(%error, zone = name, "a zone file could not be kept for games");
            None
        }
    }
}

/// Whether this looks like `Europe/Berlin` and is safe as part of two paths.
fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-'))
    };
    name.len() < 64 && name.split('/').count() <= 3 && name.split('/').all(part)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let file = fs::File::open(path).ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))?;
    file.take(MOST_BYTES + 1).read_to_end(&mut text).ok()?;
    (text.starts_with(b"TZif") && text.len() as u64 <= MOST_BYTES).then_some(text)
}

/// Writes a small file for containers to read, unless it already has this content.
pub(super) fn keep(file: &Path, text: &[u8]) -> io::Result<()> {
    if fs::read(file).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    let dir = file.parent().unwrap_or(file);
    DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
    // Two servers may start at once: each writes its own temporary file, and the last rename wins.
    let temporary: PathBuf = dir.join(format!(".{:016x}.tmp", rand::random::<u64>()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&temporary)
        .and_then(|mut to| to.write_all(text))
        .and_then(|()| fs::rename(&temporary, file));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_zone_is_kept_for_all_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let zone = of(dir.path(), ":Europe/Berlin", "UTC").unwrap();
        assert_eq!(zone.place, "/usr/share/zoneinfo/Europe/Berlin");
        assert_eq!(fs::read(&zone.file).unwrap(), fs::read(&zone.place).unwrap());
        assert_eq!(fs::metadata(&zone.file).unwrap().permissions().mode() & 0o777, 0o644);
        fs::write(&zone.file, "of an older year").unwrap();
        assert_eq!(of(dir.path(), "Europe/Berlin", "UTC"), Some(zone.clone()));
        assert!(fs::read(&zone.file).unwrap().starts_with(b"TZif"));
        let beside = fs::read_dir(zone.file.parent().unwrap()).unwrap().count();
        assert_eq!(beside, 1);
    }

    #[test]
    fn no_name_leads_out_and_what_is_no_zone_is_none() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "",
            "UTC",
            ":",
            "/etc/passwd",
            "../../../etc/passwd",
            "Europe/../../../../etc/passwd",
            "Europe",
            "Europe/",
            "Europe//Berlin",
            "Nowhere/Land",
            "zone.tab",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "a b",
            "A/B/C/D",
        ] {
            assert_eq!(of(dir.path(), name, "Europe/Berlin"), None, "{name:?}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
