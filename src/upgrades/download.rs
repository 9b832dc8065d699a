//! Downloads a program into the upgrade folder. An interrupted download is resumed as long as it makes progress.

use std::fs::File;
use std::io::{Read, Write};

use agent::upgrades::{Folder, MOST_BYTES, StageError};
use tokio_util::sync::CancellationToken;
use ureq::http::StatusCode;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE};

use super::fetch::{FetchError, failed};
use super::release::{Published, Source};

/// Attempts in a row with almost no progress before giving up.
const TRIES: u32 = 3;
const WORTH_IT: u64 = 64 * 1024;
/// Attempts in total: even a connection that breaks after each megabyte gets a program across.
const MOST_ATTEMPTS: u32 = 200;

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// Writing the file failed.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Fetching the release's list failed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// No more data arrives.
    #[error("{url} stopped coming after {got} of {total} bytes: try again")]
    BrokenOff {
        /// The address of the file.
        url: String,
        /// Bytes received.
        got: u64,
        /// Total size in bytes.
        total: u64,
    },
    /// Cancelled.
    #[error("the download was broken off")]
    Stopped,
}

/// Downloads the program, verifies its hash, and returns its size. Resumes an earlier attempt. Blocks.
///
/// # Errors
/// [`DownloadError`]; an unverified file is never left under the name of a verified one.
pub fn download(
    source: &Source,
    what: &Published,
    folder: &Folder,
    extra_room: u64,
    progress: &dyn Fn(u64, u64),
    stop: &CancellationToken,
) -> Result<u64, DownloadError> {
    folder.make(extra_room)?;
    let mut got = std::fs::metadata(folder.part()).map_or(0, |part| part.len());
    loop {
        let began_with = got;
        let size = fetch(source, what, folder, &mut got, extra_room, &Watch { progress, stop })?;
        if folder.hash_part()? == what.sha256 {
            return Ok(size);
        }
        folder.drop_part();
        if began_with == 0 {
            return Err(StageError::OtherBytes.into());
        }
        // The earlier attempt may have been for another version.
        got = 0;
    }
}

struct Watch<'w> {
    progress: &'w dyn Fn(u64, u64),
    stop: &'w CancellationToken,
}

fn fetch(
    source: &Source,
    what: &Published,
    folder: &Folder,
    got: &mut u64,
    extra_room: u64,
    watch: &Watch<'_>,
) -> Result<u64, DownloadError> {
    let (mut idle, mut attempts, mut total) = (0, 0, 0);
    loop {
        attempts += 1;
        let before = *got;
        let error = match attempt(source, what, folder, got, extra_room, &mut total, watch) {
            Ok(()) => return Ok(*got),
            Err(DownloadError::Fetch(error @ FetchError::Network { .. })) => error,
            Err(error) => return Err(error),
        };
        idle = if *got >= before + WORTH_IT { 0 } else { idle + 1 };
        if idle >= TRIES || attempts >= MOST_ATTEMPTS {
            tracing::debug!(%error, "the download is given up");
            if total == 0 {
                return Err(error.into());
            }
            return Err(DownloadError::BrokenOff { url: what.url.clone(), got: *got, total });
        }
    }
}

fn attempt(
    source: &Source,
    what: &Published,
    folder: &Folder,
    got: &mut u64,
    extra_room: u64,
    total: &mut u64,
    watch: &Watch<'_>,
) -> Result<(), DownloadError> {
    let answer = match source.fetcher.from(&what.url, *got) {
        // Everything is here already, or more; the hash will tell.
        Err(FetchError::Status { status: 416, .. }) if *got > 0 => return Ok(()),
        other => other?,
    };
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let length = header(CONTENT_LENGTH).and_then(|value| value.parse::<u64>().ok());
    let goes_on = answer.status() == StatusCode::PARTIAL_CONTENT;
    let continued = format!("bytes {got}-");
    if goes_on && !header(CONTENT_RANGE).is_some_and(|range| range.starts_with(&continued)) {
        return Err(FetchError::Status { url: what.url.clone(), status: 206 }.into());
    }
    if !goes_on {
        *got = 0;
    }
    let too_large = || DownloadError::Fetch(FetchError::TooLarge(what.url.clone()));
    *total = length.map_or(0, |length| *got + length);
    if *total > MOST_BYTES {
        return Err(too_large());
    }
    folder.make((*total).saturating_sub(*got).saturating_add(extra_room))?;
    let mut file = folder.open_part(goes_on)?;
    let mut body = answer.into_body().into_reader();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        if watch.stop.is_cancelled() {
            return Err(DownloadError::Stopped);
        }
        let read = body.read(&mut buffer).map_err(|error| failed(&what.url)(error.into()))?;
        if read == 0 {
            break;
        }
        write(&mut file, &buffer[..read], folder)?;
        *got += read as u64;
        if *got > MOST_BYTES {
            return Err(too_large());
        }
        (watch.progress)(*got, *total);
    }
    if *got < *total {
        let cut = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        return Err(failed(&what.url)(cut.into()).into());
    }
    Ok(())
}

fn write(file: &mut File, bytes: &[u8], folder: &Folder) -> Result<(), DownloadError> {
    let written = file.write_all(bytes).map_err(StageError::file("writing", folder.part()));
    if written.is_err() {
        // Free the space again if the disk is full.
        folder.drop_part();
    }
    Ok(written?)
}
