//! ZIP archives, with ZIP64. A reader of our own ([`crate::zip`] reads the directory): it keeps sixteen bytes of each entry,
//! checks for overlapping entries before anything is unpacked, and trusts no size.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use flate2::Crc;

use super::super::PATH;
use super::super::error::ArchiveError;
use super::super::staging::{About, Staging};
use super::bounds::{MEMORY, READ, WINDOW_LOG, broken};
use crate::zip::{LOCAL_BYTES, List, Listed, Section};

/// The bits of a Unix mode that say what something is.
const KIND: u32 = 0o170_000;

pub(super) fn read(file: &File, staging: &mut Staging<'_>) -> Result<(), ArchiveError> {
    let list = List::find(file)?;
    staging.announce(list.entries, 0)?;
    check(file, &list, staging)?;
    let mut entries = list.entries(file);
    while let Some(entry) = entries.next_entry()? {
        one(file, &entry, staging)?;
    }
    Ok(())
}

/// Looks through the list before anything is unpacked: how much it claims, and whether its entries lie within each other, by
/// which a small archive becomes as large as one likes.
fn check(file: &File, list: &List, staging: &mut Staging<'_>) -> Result<(), ArchiveError> {
    let (mut places, mut bytes) = (Vec::new(), 0_u64);
    let mut entries = list.entries(file);
    while let Some(entry) = entries.next_entry()? {
        let end = entry.at.saturating_add(LOCAL_BYTES).saturating_add(entry.packed);
        places.push((entry.at, end));
        bytes = bytes.saturating_add(entry.size);
        staging.announce(places.len() as u64, bytes)?;
    }
    places.sort_unstable();
    if places.windows(2).any(|pair| pair[1].0 < pair[0].1) {
        return Err(ArchiveError::broken("its entries lie within each other"));
    }
    Ok(())
}

fn one(file: &File, entry: &Listed, staging: &mut Staging<'_>) -> Result<(), ArchiveError> {
    let name = &entry.name[..];
    let about = About { mode: entry.unix_mode.map(|mode| mode & 0o7777), modified: entry.modified };
    let kind = entry.unix_mode.map_or(0, |mode| mode & KIND);
    if name.ends_with(b"/") || kind == 0o040_000 {
        return staging.folder(name, about);
    }
    if entry.encrypted {
        return staging.skip(name, "it is encrypted");
    }
    if !matches!(kind, 0 | 0o100_000 | 0o120_000) {
        return staging.skip(name, "it is neither file, folder nor link");
    }
    let at = entry.content_at(file)?;
    let packed = BufReader::with_capacity(READ.min(size(entry.packed)), Section::new(file, at, entry.packed));
    let mut packed = packed.take(entry.packed);
    match entry.method {
        0 => content(entry, about, &mut packed, staging),
        8 => content(entry, about, &mut flate2::bufread::DeflateDecoder::new(packed), staging),
        12 => content(entry, about, &mut bzip2::bufread::BzDecoder::new(packed), staging),
        93 => content(entry, about, &mut zstd_of(packed)?, staging),
        95 => {
            let most = u32::try_from(MEMORY >> 10).unwrap_or(u32::MAX);
            content(entry, about, &mut lzma_rust2::XzReader::new_mem_limit(packed, false, most), staging)
        }
        9 => staging.skip(name, "it is packed by Deflate64, which cannot be read here"),
        _ => staging.skip(name, "it is packed in a way that cannot be read here"),
    }
}

/// Bytes that are worth a buffer.
fn size(packed: u64) -> usize {
    usize::try_from(packed).unwrap_or(usize::MAX).max(512)
}

fn zstd_of<R: BufRead>(packed: R) -> Result<zstd::stream::read::Decoder<'static, R>, ArchiveError> {
    let mut of = zstd::stream::read::Decoder::with_buffer(packed).map_err(broken)?;
    of.window_log_max(WINDOW_LOG).map_err(broken)?;
    Ok(of)
}

/// Counts and sums up what is read.
struct Summed<'r> {
    from: &'r mut dyn Read,
    crc: Crc,
    bytes: u64,
}

impl Read for Summed<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(to)?;
        self.crc.update(&to[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

fn content(
    entry: &Listed,
    about: About,
    from: &mut dyn Read,
    staging: &mut Staging<'_>,
) -> Result<(), ArchiveError> {
    let name = &entry.name[..];
    let mut summed = Summed { from, crc: Crc::new(), bytes: 0 };
    if entry.unix_mode.is_some_and(|mode| mode & KIND == 0o120_000) {
        let mut target = Vec::new();
        (&mut summed).take(PATH as u64).read_to_end(&mut target).map_err(broken)?;
        return staging.symlink(name, &target);
    }
    staging.file(name, about, &mut summed)?;
    if (summed.crc.sum(), summed.bytes) != (entry.crc, entry.size) {
        let name = crate::fs::shown::shown(name);
        return Err(ArchiveError::Broken(format!("{name} is damaged")));
    }
    Ok(())
}
