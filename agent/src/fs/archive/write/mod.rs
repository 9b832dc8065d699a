//! Archives that people make of files and folders that they choose. A game may be at work in them: what can't be read, or
//! changes meanwhile, is named, and ends nothing.

mod content;
mod entries;
mod tar;
mod zip;

use std::io::Write;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, readlinkat, statat,
};
use rustix::io::Errno;

use self::content::Content;
pub(crate) use self::entries::{Attributes, Entries};
use super::error::ArchiveError;
use super::format::Format;
use super::watch::{Outcome, Step, Watch};
use super::{DEPTH, PATH};
use crate::fs::new_file::is_unfinished;
use crate::fs::open::FOLDER;
use crate::fs::walk::{At, Bounds, Missed, Mounts, Next, Visitor, walk};

/// The kernel gives up where something moves on the way; then once more, so often.
const TRIES: usize = 8;
/// Not too far, so that it can be unpacked again.
const BOUNDS: Bounds = Bounds { depth: DEPTH, path: PATH, mounts: Mounts::Enter };
/// How hard `tar.gz` tries; a little more is a lot slower.
const GZIP: u32 = 4;
/// The same of `tar.zst`.
const ZSTD: i32 = 3;

/// Writes an archive of the entries that `go` gives.
pub(crate) fn write<W: Write, T>(
    format: Format,
    to: W,
    go: impl FnOnce(&mut dyn Entries) -> Result<T, ArchiveError>,
) -> Result<(T, W), ArchiveError> {
    let stream = ArchiveError::Stream;
    match format {
        Format::Zip => {
            let mut zip = zip::Writer::new(to);
            let done = go(&mut zip)?;
            Ok((done, zip.finish().map_err(stream)?))
        }
        Format::Tar => {
            let mut tar = tar::Writer::new(to);
            let done = go(&mut tar)?;
            Ok((done, tar.finish().map_err(stream)?))
        }
        Format::TarGz => {
            let packed = flate2::write::GzEncoder::new(to, flate2::Compression::new(GZIP));
            let mut tar = tar::Writer::new(packed);
            let done = go(&mut tar)?;
            Ok((done, tar.finish().and_then(flate2::write::GzEncoder::finish).map_err(stream)?))
        }
        Format::TarZst => {
            let packed = zstd::stream::write::Encoder::new(to, ZSTD).map_err(stream)?;
            let mut tar = tar::Writer::new(packed);
            let done = go(&mut tar)?;
            Ok((done, tar.finish().and_then(zstd::stream::write::Encoder::finish).map_err(stream)?))
        }
        Format::TarXz | Format::TarBz2 | Format::SevenZ => {
            Err(ArchiveError::refused("archives of this format can only be read"))
        }
    }
}

/// Writes an archive of what has these paths below a folder, which begin with no `/`; the empty one is all of it. Names in the
/// archive begin where the paths part. `itself` is the archive's own file, where it may lie among them. Blocks.
pub(crate) fn create<W: Write>(
    root: BorrowedFd<'_>,
    paths: &[Vec<u8>],
    format: Format,
    itself: Option<BorrowedFd<'_>>,
    to: W,
    watch: &mut Watch<'_>,
) -> Result<(Outcome, W), ArchiveError> {
    let itself = itself.and_then(|file| fstat(file).ok()).map(|stat| (stat.st_dev, stat.st_ino));
    write(format, to, |entries| all(root, paths, itself, entries, watch))
}

fn all(
    root: BorrowedFd<'_>,
    paths: &[Vec<u8>],
    itself: Option<(u64, u64)>,
    entries: &mut dyn Entries,
    watch: &mut Watch<'_>,
) -> Result<Outcome, ArchiveError> {
    let mut paths: Vec<&[u8]> = paths.iter().map(|path| trimmed(path)).collect();
    paths.sort_unstable();
    // What lies in another of them comes with it.
    paths.dedup_by(|path, before| is_within(path, before));
    let above = common(&paths);
    let mut writing = Writing { entries, watch, done: Outcome::default(), itself, prefix: Vec::new() };
    for path in paths {
        let name = &path[above.min(path.len())..];
        let (parent, last) = path
            .iter()
            .rposition(|byte| *byte == b'/')
            .map_or((&b"."[..], path), |at| (&path[..at], &path[at + 1..]));
        let last = if last.is_empty() { b"." } else { last };
        match below(root, parent) {
            Ok(parent) => writing.one(parent.as_fd(), last, name)?,
            Err(errno) => writing.skip(path, errno),
        }
    }
    Ok(writing.done)
}

fn trimmed(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    if path == b"." { b"" } else { path }
}

/// Whether a path is a folder, or lies in it.
pub(crate) fn is_within(path: &[u8], folder: &[u8]) -> bool {
    path == folder
        || folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"))
}

/// Bytes of the path of the folder that holds all of them, with the `/` behind it.
pub(crate) fn common(paths: &[&[u8]]) -> usize {
    let folder = |path: &[u8]| path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let Some((first, rest)) = paths.split_first() else { return 0 };
    let mut above = folder(first);
    for path in rest {
        let same = first[..above].iter().zip(*path).take_while(|(a, b)| a == b).count();
        above = first[..same].iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    }
    above
}

/// A folder by its path below another, from which no link leads out.
fn below(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..TRIES {
        match openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            done => return done,
        }
    }
    Err(Errno::AGAIN)
}

struct Writing<'w, 's> {
    entries: &'w mut dyn Entries,
    watch: &'w mut Watch<'s>,
    done: Outcome,
    itself: Option<(u64, u64)>,
    /// What comes before the paths of the walk that is under way, with a `/` behind it.
    prefix: Vec<u8>,
}

impl Writing<'_, '_> {
    fn skip(&mut self, path: &[u8], errno: Errno) {
        self.done.skip(path, std::io::Error::from(errno).to_string());
    }

    /// A file or a folder that somebody chose.
    fn one(&mut self, parent: BorrowedFd<'_>, last: &[u8], name: &[u8]) -> Result<(), ArchiveError> {
        let stat = match statat(parent, last, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(errno) => {
                self.skip(name, errno);
                return Ok(());
            }
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return self.entry(parent, last, name, &stat);
        }
        let folder = match openat(parent, last, FOLDER, Mode::empty()) {
            Ok(folder) => folder,
            Err(errno) => {
                self.skip(name, errno);
                return Ok(());
            }
        };
        self.prefix.clear();
        if !name.is_empty() {
            self.folder(name, &stat)?;
            self.prefix.extend_from_slice(name);
            self.prefix.push(b'/');
        }
        let stop = self.watch.token().clone();
        walk(folder, BOUNDS, &stop, self)
    }

    fn named(&self, path: &[u8]) -> Vec<u8> {
        [&self.prefix, path].concat()
    }

    fn folder(&mut self, name: &[u8], stat: &Stat) -> Result<(), ArchiveError> {
        self.step(name)?;
        self.entries.folder(name, &stat.into()).map_err(ArchiveError::Stream)?;
        self.done.entries += 1;
        Ok(())
    }

    fn step(&mut self, path: &[u8]) -> Result<(), ArchiveError> {
        self.watch.step(Step { entries: self.done.entries, bytes: self.done.bytes, total: None, path })
    }

    /// Anything but a folder.
    fn entry(
        &mut self,
        parent: BorrowedFd<'_>,
        last: &[u8],
        name: &[u8],
        stat: &Stat,
    ) -> Result<(), ArchiveError> {
        if self.itself == Some((stat.st_dev, stat.st_ino)) || is_unfinished(last) {
            return Ok(());
        }
        self.step(name)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => match readlinkat(parent, last, Vec::new()) {
                Ok(target) => {
                    self.entries
                        .symlink(name, &stat.into(), target.as_bytes())
                        .map_err(ArchiveError::Stream)?;
                    self.done.entries += 1;
                }
                Err(errno) => self.skip(name, errno),
            },
            FileType::RegularFile => self.file(parent, last, name)?,
            FileType::Fifo => self.done.skip(name, "it is a pipe"),
            FileType::Socket => self.done.skip(name, "it is a socket"),
            _ => self.done.skip(name, "it is a device"),
        }
        Ok(())
    }

    fn file(&mut self, parent: BorrowedFd<'_>, last: &[u8], name: &[u8]) -> Result<(), ArchiveError> {
        // A pipe that took the file's place must not hang us.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(parent, last, flags, Mode::empty()).and_then(|file| Ok((fstat(&file)?, file)));
        let (stat, file) = match opened {
            Ok(opened) => opened,
            Err(errno) => {
                self.skip(name, errno);
                return Ok(());
            }
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            self.done.skip(name, "it changed meanwhile");
            return Ok(());
        }
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        let before = Step { entries: self.done.entries, bytes: self.done.bytes, total: None, path: name };
        let mut content = Content::new(file, bytes, self.watch, before);
        let written = self.entries.file(name, &(&stat).into(), bytes, &mut content);
        let (read, problem, cancelled) = content.end();
        if cancelled {
            return Err(ArchiveError::Cancelled);
        }
        written.map_err(ArchiveError::Stream)?;
        self.done.entries += 1;
        self.done.bytes += read;
        if let Some(problem) = problem {
            self.done.skip(name, problem);
        }
        Ok(())
    }
}

impl Visitor for Writing<'_, '_> {
    type Error = ArchiveError;

    fn enter(&mut self, at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<bool, ArchiveError> {
        let name = self.named(at.path);
        self.folder(&name, at.stat).map(|()| true)
    }

    fn leave(&mut self, _at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<Next, ArchiveError> {
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> Result<(), ArchiveError> {
        let name = self.named(at.path);
        self.entry(at.parent, at.name, &name, at.stat)
    }

    fn too_deep(&mut self, at: &At<'_>) -> Result<(), ArchiveError> {
        let name = self.named(at.path);
        self.done.skip(&name, "it lies too deep");
        Ok(())
    }

    fn missed(&mut self, path: &[u8], why: Missed) -> Result<(), ArchiveError> {
        let name = self.named(path);
        match why {
            Missed::Refused(errno) => self.skip(&name, errno),
            Missed::Changed => self.done.skip(&name, "it changed meanwhile"),
            Missed::Mounted => self.done.skip(&name, "another file system is mounted there"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_where_the_paths_part() {
        for (paths, above) in [
            (&[&b"world"[..]][..], 0),
            (&[b"a/world"], 2),
            (&[b"a/b/one", b"a/b/two"], 4),
            (&[b"a/b/one", b"a/c"], 2),
            (&[b"a/bc", b"a/bd"], 2),
            (&[b"ab/x", b"ac/x"], 0),
            (&[b""], 0),
            (&[], 0),
        ] {
            assert_eq!(common(paths), above, "{paths:?}");
        }
    }

    #[test]
    fn what_lies_in_another_comes_once() {
        assert!(is_within(b"a/b", b"a") && is_within(b"a", b"a") && is_within(b"x", b""));
        assert!(!is_within(b"ab", b"a") && !is_within(b"a", b"a/b"));
    }
}
