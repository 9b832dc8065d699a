//! Tar streams of any origin.

use std::cell::Cell;
use std::io::{self, Read};

use tar::{Archive, EntryType};

use super::super::error::ArchiveError;
use super::super::staging::{About, Staging};
use super::bounds::broken;

/// Bytes that may come before an entry: its headers, long names and what else is told of it.
const HEADERS: u64 = 1 << 20;
/// Bytes that are read behind the last entry, so that a packed stream's checksum is looked at.
const TRAILER: u64 = 4 << 20;

/// Bounds what the library keeps in memory of headers, which may claim any length.
struct Bounded<'c, R> {
    from: R,
    left: &'c Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left.get()).unwrap_or(usize::MAX).min(to.len());
        if most == 0 && !to.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an entry's header is too long"));
        }
        let read = self.from.read(&mut to[..most])?;
        self.left.set(self.left.get().saturating_sub(read as u64));
        Ok(read)
    }
}

pub(super) fn read(from: impl Read, staging: &mut Staging<'_>) -> Result<(), ArchiveError> {
    let left = Cell::new(HEADERS);
    let mut archive = Archive::new(Bounded { from, left: &left });
    let mut any = false;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        any = true;
        // Its content is counted elsewhere.
        left.set(u64::MAX);
        let head = entry.header();
        let about = About {
            mode: head.mode().ok().map(|mode| mode & 0o7777),
            modified: head.mtime().ok().and_then(|seconds| i64::try_from(seconds).ok()),
        };
        let (kind, size) = (head.entry_type(), entry.size());
        let name = entry.path_bytes().into_owned();
        let link = entry.link_name_bytes().map(|link| link.into_owned()).unwrap_or_default();
        match kind {
            EntryType::Directory => staging.folder(&name, about)?,
            EntryType::Symlink => staging.symlink(&name, &link)?,
            EntryType::Link => staging.second_name(&name, &link)?,
            // Old programs end the names of folders so, and have no type for them.
            EntryType::Regular if name.ends_with(b"/") => staging.folder(&name, about)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let (read, _) = staging.file(&name, about, &mut entry)?;
                if read != size {
                    return Err(ArchiveError::broken("it is cut off"));
                }
            }
            EntryType::XGlobalHeader => {}
            EntryType::Char | EntryType::Block => staging.skip(&name, "it is a device")?,
            EntryType::Fifo => staging.skip(&name, "it is a pipe")?,
            _ => staging.skip(&name, "it is neither file, folder nor link")?,
        }
        // Content of what has none.
        let mut rest = vec![0; 16 << 10];
        loop {
            match entry.read(&mut rest).map_err(broken)? {
                0 => break,
                read => staging.waste(&name, read as u64)?,
            }
        }
        left.set(HEADERS);
    }
    if !any {
        return Err(ArchiveError::broken("there is nothing in it, or it is no tar archive"));
    }
    left.set(TRAILER);
    let mut from = archive.into_inner();
    match io::copy(&mut (&mut from).take(TRAILER - 1), &mut io::sink()) {
        Ok(_) => Ok(()),
        Err(error) => Err(broken(error)),
    }
}
