//! 7z archives.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufReader, Read};

use sevenz_rust2::{ArchiveEntry, ArchiveReader, Password};

use super::super::PATH;
use super::super::error::ArchiveError;
use super::super::staging::{About, Staging};
use super::bounds::{MEMORY, READ, broken};

/// Bytes that the library keeps of its list of files, and of each dictionary.
const MEMORY_KB: usize = (MEMORY >> 10) as usize;
/// A flag of the Windows attributes: the upper half is a Unix mode.
const UNIX: u32 = 0x8000;
const KIND: u32 = 0o170_000;

pub(super) fn read(archive: File, staging: &mut Staging<'_>) -> Result<(), ArchiveError> {
    let from = BufReader::with_capacity(READ, archive);
    let opened = ArchiveReader::new_with_memory_limit(from, Password::empty(), MEMORY_KB).map_err(meaning)?;
    let mut reader = opened;
    // Threads of its own would each have a dictionary.
    reader.set_thread_count(1);
    let files = &reader.archive().files;
    let bytes = files.iter().fold(0_u64, |all, file| all.saturating_add(file.size));
    staging.announce(files.len() as u64, bytes)?;
    let failed = RefCell::new(None);
    let read = reader.for_each_entries(|entry, content| match one(entry, content, staging) {
        Ok(()) => Ok(true),
        Err(error) => {
            *failed.borrow_mut() = Some(error);
            Ok(false)
        }
    });
    match failed.into_inner() {
        Some(error) => Err(error),
        None => read.map(drop).map_err(meaning),
    }
}

fn one(entry: &ArchiveEntry, content: &mut dyn Read, staging: &mut Staging<'_>) -> Result<(), ArchiveError> {
    let name = entry.name().as_bytes();
    let attributes = entry.windows_attributes();
    let unix = (entry.has_windows_attributes && attributes & UNIX != 0).then_some(attributes >> 16);
    let modified = entry.has_last_modified_date.then(|| seconds(entry.last_modified_date().into()));
    let about = About { mode: unix.map(|mode| mode & 0o7777), modified };
    let kind = unix.map_or(0, |mode| mode & KIND);
    if entry.is_anti_item() {
        return staging.skip(name, "it says that something is to be removed");
    }
    if entry.is_directory() {
        return staging.folder(name, about);
    }
    if kind == 0o120_000 {
        let mut target = Vec::new();
        content.take(PATH as u64).read_to_end(&mut target).map_err(broken)?;
        return staging.symlink(name, &target);
    }
    if !matches!(kind, 0 | 0o100_000) {
        staging.skip(name, "it is neither file, folder nor link")?;
        return rest(name, content, staging);
    }
    let (read, _) = staging.file(name, about, content)?;
    if read != entry.size() {
        return Err(ArchiveError::broken("it is cut off"));
    }
    Ok(())
}

/// What comes next lies behind it.
fn rest(name: &[u8], content: &mut dyn Read, staging: &mut Staging<'_>) -> Result<(), ArchiveError> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match content.read(&mut buffer).map_err(broken)? {
            0 => return Ok(()),
            read => staging.waste(name, read as u64)?,
        }
    }
}

/// From tenths of microseconds since 1601.
fn seconds(ticks: u64) -> i64 {
    i64::try_from(ticks / 10_000_000).unwrap_or(0) - 11_644_473_600
}

fn meaning(error: sevenz_rust2::Error) -> ArchiveError {
    use sevenz_rust2::Error;
    match error {
        Error::PasswordRequired | Error::MaybeBadPassword(_) => ArchiveError::broken("it is encrypted"),
        Error::MaxMemLimited { .. } => {
            ArchiveError::TooLarge("to read it takes more memory than there may be".to_owned())
        }
        other => ArchiveError::Broken(other.to_string()),
    }
}
