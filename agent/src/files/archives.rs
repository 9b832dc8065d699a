//! Archives of a server's files: made in its folder, sent to the panel, unpacked into its folder.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use protocol::ArchiveFormat;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, mkdirat};
use tokio_util::sync::CancellationToken;

use super::context::over_quota;
use super::job::{Job, Progress};
use super::store::{fresh_number, open_in, sync};
use crate::fs::archive::{self, Format, Limits, Outcome, Step, Watch};
use crate::fs::{FileError, NewFile, RelPath, Replace, RootDir, look, meaning, regular, remove_at};

/// Bytes that are written at once.
const WRITE: usize = 256 << 10;

fn format_of(format: ArchiveFormat) -> Format {
    match format {
        ArchiveFormat::Zip => Format::Zip,
        ArchiveFormat::Tar => Format::Tar,
        ArchiveFormat::TarGz => Format::TarGz,
        ArchiveFormat::TarZst => Format::TarZst,
    }
}

/// Tells a job's progress of an archive's.
fn telling<'p>(progress: &'p mut Progress, cancel: &CancellationToken) -> Watch<'p> {
    let mut before = (0, 0);
    let on_step = move |Step { entries, bytes, total, path }: Step<'_>| {
        if let Some(total) = total {
            progress.expect(total);
        }
        progress.add(entries.saturating_sub(before.0), bytes.saturating_sub(before.1), path);
        before = (entries.max(before.0), bytes.max(before.1));
    };
    Watch::new(cancel.clone(), Box::new(on_step))
}

/// What it came to in the end.
fn told(progress: &mut Progress, outcome: &Outcome) {
    progress.came_to(outcome.entries, outcome.bytes);
    for (path, why) in &outcome.skipped {
        progress.skip(path, why.clone());
    }
    progress.skip_unnamed(outcome.skipped_count - outcome.skipped.len() as u64);
}

/// The paths as an archive wants them. Each must be there.
pub(super) fn chosen(root: &RootDir, paths: &[String]) -> Result<Vec<Vec<u8>>, FileError> {
    if paths.is_empty() {
        return Err(FileError::BadPath("is missing"));
    }
    let mut all = Vec::with_capacity(paths.len());
    for path in paths {
        let path = RelPath::parse(path)?;
        if !path.is_root() {
            let (folder, name) = root.parent(&path)?;
            look(&folder, name)?;
        }
        all.push(path.as_bytes().to_vec());
    }
    Ok(all)
}

/// Makes an archive at a path where nothing is yet; gives its size.
pub(super) fn pack(
    job: &mut Job<'_>,
    paths: &[String],
    to: &str,
    format: Option<ArchiveFormat>,
) -> Result<u64, FileError> {
    let format = format.or_else(|| ArchiveFormat::of_name(to));
    let format = format.ok_or(FileError::BadPath("ends in no format in which archives are made"))?;
    let (to, paths) = (RelPath::parse(to)?, chosen(job.root, paths)?);
    let parts = job.store.parts()?;
    let mut new = NewFile::begin(job.root, &to, Some(&parts), Replace::Nothing)?;
    let itself = new.file().as_fd().try_clone_to_owned().map_err(FileError::io("make the archive"))?;
    let top = job.root.folder(&RelPath::of_bytes(b"/")?)?;
    let room = Room { to: new.file(), free: job.free, written: 0, over: false };
    let mut to = BufWriter::with_capacity(WRITE, room);
    let mut watch = telling(&mut job.progress, job.cancel);
    let made =
        archive::create(top.as_fd(), &paths, format_of(format), Some(itself.as_fd()), &mut to, &mut watch)
            .map(|(outcome, _)| outcome);
    let flushed = to.flush();
    let Room { written, over, .. } = to.get_ref();
    let (written, over) = (*written, *over);
    if over {
        return Err(over_quota(job.free.unwrap_or(0)));
    }
    let outcome = made?;
    flushed.map_err(FileError::io("write the archive"))?;
    drop((watch, to));
    told(&mut job.progress, &outcome);
    sync(new.commit(Replace::Nothing)?)?;
    Ok(written)
}

/// Takes no more bytes than are free.
struct Room<'f> {
    to: &'f mut std::fs::File,
    free: Option<u64>,
    written: u64,
    over: bool,
}

impl Write for Room<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.free.is_some_and(|free| free - self.written.min(free) < bytes.len() as u64) {
            self.over = true;
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let written = self.to.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Unpacks an archive into a folder, which is made where it is not there; gives how many bytes came.
pub(super) fn unpack(job: &mut Job<'_>, path: &str, to: &str) -> Result<u64, FileError> {
    let (path, to) = (RelPath::parse(path)?, RelPath::parse(to)?);
    let name = path.name().unwrap_or_default();
    let format = Format::of_name(name).ok_or_else(|| {
        let ending = String::from_utf8_lossy(name).into_owned();
        let ending = Path::new(&ending).extension().unwrap_or_default().to_string_lossy().into_owned();
        FileError::BadArchive(format!("archives of the kind \".{ending}\" cannot be read"))
    })?;
    let file = job.root.get(&path, OFlags::RDONLY)?;
    regular(&file)?;
    // Before anything is unpacked that would have no place.
    match job.root.folder(&to) {
        Ok(_) | Err(FileError::NotFound) => {}
        Err(error) => return Err(error),
    }
    let parts = job.store.parts()?;
    let staging = format!("extract-{}", fresh_number());
    mkdirat(&parts, &staging, Mode::RWXU).map_err(meaning("unpack it"))?;
    let done = unpack_by(job, file, format, open_in(&parts, &staging)?, &to);
    // What had no place, and all of it where it failed. The sweeper has what is left.
    let _ = remove_at(parts.as_fd(), staging.as_bytes(), &CancellationToken::new(), &mut |_| {});
    done
}

fn unpack_by(
    job: &mut Job<'_>,
    file: OwnedFd,
    format: Format,
    staging: OwnedFd,
    to: &RelPath,
) -> Result<u64, FileError> {
    let (room, _) = archive::room(&staging);
    let bytes = job.free.unwrap_or(u64::MAX).min(room.saturating_sub(archive::UNPACK_RESERVE));
    let limits = Limits::of(bytes, Some(job.root.owner()?));
    let watch = telling(&mut job.progress, job.cancel);
    let staged = archive::stage(file.into(), format, staging, limits, watch)?;
    let outcome = staged.settle(job.root.make(to)?)?;
    let bytes = outcome.bytes;
    told(&mut job.progress, &outcome);
    Ok(bytes)
}

/// An archive that is made while it is sent.
#[derive(Debug)]
pub(super) struct Sending {
    top: OwnedFd,
    paths: Vec<Vec<u8>>,
    format: Format,
}

impl Sending {
    /// Looks whether everything is there.
    pub(super) fn open(root: &RootDir, paths: &[String], format: ArchiveFormat) -> Result<Self, FileError> {
        let top = root.folder(&RelPath::of_bytes(b"/")?)?;
        Ok(Self { top, paths: chosen(root, paths)?, format: format_of(format) })
    }

    /// Makes it; gives its size.
    pub(super) fn write(&self, to: impl Write, cancel: &CancellationToken) -> io::Result<u64> {
        let (mut watch, to) = (Watch::silent(cancel.clone()), Counted { to, written: 0 });
        let made = archive::create(self.top.as_fd(), &self.paths, self.format, None, to, &mut watch);
        made.map(|(_, to)| to.written).map_err(io::Error::other)
    }
}

struct Counted<W> {
    to: W,
    written: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
