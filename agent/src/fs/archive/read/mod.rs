//! Archives of all formats that can be read, into a folder.

mod seven;
mod tar;
mod zip;
mod zip_list;

use std::fs::File;
use std::io::BufReader;

use rustix::fd::OwnedFd;

use super::error::ArchiveError;
use super::format::Format;
use super::settle::settle;
use super::staging::{Limits, Staging};
use super::watch::{Outcome, Watch};

/// Memory that unpacking may take for what a format looks back at: as much as `xz -9`, `7z -mx=9` and `zstd --ultra` want, and half
/// as much again.
const MEMORY: u64 = 130 << 20;
/// The same as a power of two, for `zstd`.
const WINDOW_LOG: u32 = 27;
/// Bytes that are read of an archive at once.
const READ: usize = 128 << 10;

/// Where an archive goes.
#[derive(Debug)]
pub(crate) struct Target {
    /// An empty folder that only we see, on the same file system.
    pub(crate) staging: OwnedFd,
    /// The folder in which everything is then.
    pub(crate) folder: OwnedFd,
    /// What may be taken.
    pub(crate) limits: Limits,
}

/// Unpacks an archive. Nothing changes in the target's folder unless all of the archive could be read; then files there are
/// replaced one by one. What is left in the staging folder afterwards is the caller's to remove. Blocks.
pub(crate) fn extract(
    archive: File,
    format: Format,
    target: Target,
    watch: Watch,
) -> Result<Outcome, ArchiveError> {
    let Target { staging, folder, limits } = target;
    let staging = Staging::new(staging, limits, watch)?;
    let staging = fill(archive, format, staging)?;
    // A name may not be on the disk before what it names.
    rustix::fs::syncfs(staging.top()).map_err(ArchiveError::file("writing to the disk", b"."))?;
    let (staged, mut outcome) = staging.into_parts();
    let synced = folder.try_clone().map_err(|error| ArchiveError::io("opening", b".", error))?;
    settle(staged, folder, &mut outcome)?;
    rustix::fs::syncfs(&synced).map_err(ArchiveError::file("writing to the disk", b"."))?;
    Ok(outcome)
}

/// Reads an archive into the staging folder.
pub(super) fn fill(archive: File, format: Format, mut staging: Staging) -> Result<Staging, ArchiveError> {
    match format {
        Format::Zip => zip::read(&archive, &mut staging)?,
        Format::SevenZ => seven::read(archive, &mut staging)?,
        Format::Tar => tar::read(BufReader::with_capacity(READ, archive), &mut staging)?,
        Format::TarGz => {
            let packed = BufReader::with_capacity(READ, archive);
            tar::read(flate2::bufread::MultiGzDecoder::new(packed), &mut staging)?;
        }
        Format::TarZst => {
            let mut packed =
                zstd::stream::read::Decoder::with_buffer(BufReader::with_capacity(READ, archive))
                    .map_err(broken)?;
            packed.window_log_max(WINDOW_LOG).map_err(broken)?;
            tar::read(packed, &mut staging)?;
        }
        Format::TarXz => {
            let packed = BufReader::with_capacity(READ, archive);
            let most = u32::try_from(MEMORY >> 10).unwrap_or(u32::MAX);
            tar::read(lzma_rust2::XzReader::new_mem_limit(packed, true, most), &mut staging)?;
        }
        Format::TarBz2 => {
            let packed = BufReader::with_capacity(READ, archive);
            tar::read(bzip2::bufread::MultiBzDecoder::new(packed), &mut staging)?;
        }
    }
    Ok(staging)
}

fn broken(error: impl std::fmt::Display) -> ArchiveError {
    ArchiveError::Broken(error.to_string())
}
