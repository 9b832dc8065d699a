//! Archives of all formats that can be read, into a folder.

mod bounds;
mod seven;
mod tar;
mod zip;

use std::fs::File;
use std::io::BufReader;

use rustix::fd::OwnedFd;

use self::bounds::{MEMORY, READ, WINDOW_LOG, broken};
use super::error::ArchiveError;
use super::format::Format;
use super::settle::settle;
use super::staging::{Limits, Staging};
use super::watch::{Outcome, Watch};

/// An archive that was unpacked, and has not its place yet.
#[derive(Debug)]
pub(crate) struct Staged {
    top: OwnedFd,
    outcome: Outcome,
}

/// Unpacks an archive into an empty folder that only we see. Blocks.
pub(crate) fn stage(
    archive: File,
    format: Format,
    to: OwnedFd,
    limits: Limits,
    watch: Watch<'_>,
) -> Result<Staged, ArchiveError> {
    let mut staging = Staging::new(to, limits, watch)?;
    fill(archive, format, &mut staging)?;
    // A name may not be on the disk before what it names.
    rustix::fs::syncfs(staging.top()).map_err(ArchiveError::file("writing to the disk", b"."))?;
    let (top, outcome) = staging.into_parts();
    Ok(Staged { top, outcome })
}

impl Staged {
    /// Puts everything into a folder on the same file system, where files are replaced one by one. What can't have its place there
    /// is named, and left for the caller to remove. Blocks.
    pub(crate) fn settle(self, folder: OwnedFd) -> Result<Outcome, ArchiveError> {
        let Self { top, mut outcome } = self;
        let synced = folder.try_clone().map_err(|error| ArchiveError::io("opening", b".", error))?;
        settle(top, folder, &mut outcome)?;
        rustix::fs::syncfs(&synced).map_err(ArchiveError::file("writing to the disk", b"."))?;
        Ok(outcome)
    }
}

fn fill(archive: File, format: Format, staging: &mut Staging<'_>) -> Result<(), ArchiveError> {
    match format {
        Format::Zip => zip::read(&archive, staging)?,
        Format::SevenZ => seven::read(archive, staging)?,
        Format::Tar => tar::read(BufReader::with_capacity(READ, archive), staging)?,
        Format::TarGz => {
            let packed = BufReader::with_capacity(READ, archive);
            tar::read(flate2::bufread::MultiGzDecoder::new(packed), staging)?;
        }
        Format::TarZst => {
            let mut packed =
                zstd::stream::read::Decoder::with_buffer(BufReader::with_capacity(READ, archive))
                    .map_err(broken)?;
            packed.window_log_max(WINDOW_LOG).map_err(broken)?;
            tar::read(packed, staging)?;
        }
        Format::TarXz => {
            let packed = BufReader::with_capacity(READ, archive);
            let most = u32::try_from(MEMORY >> 10).unwrap_or(u32::MAX);
            tar::read(lzma_rust2::XzReader::new_mem_limit(packed, true, most), staging)?;
        }
        Format::TarBz2 => {
            let packed = BufReader::with_capacity(READ, archive);
            tar::read(bzip2::bufread::MultiBzDecoder::new(packed), staging)?;
        }
    }
    Ok(())
}
