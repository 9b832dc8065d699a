//! Where an archive is unpacked first: a folder of ours that no game sees, beside the servers' folders. Nothing is put in its
//! place before all of the archive was read and found whole, so an archive that is cut off, too large or a bomb leaves
//! everything as it was.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, chownat, fchmod, fchown,
    futimens, linkat, mkdirat, openat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::error::ArchiveError;
use super::names::{self, BadName};
use super::pack::room;
use super::watch::{Outcome, Step, Watch};
use crate::fs::open::FOLDER;

/// What the disk keeps for its own.
pub(crate) const UNPACK_RESERVE: u64 = 512 << 20;
/// Entries of an archive that is unpacked.
const MOST_ENTRIES: u64 = 200_000;
/// Names that the file system keeps for others.
const SPARE_NAMES: u64 = 4096;
/// Bytes, or entries in thousands, between two looks at how much room there is.
const LOOK_EVERY: u64 = 16 << 20;
/// What an entry counts for in that.
const ENTRY_COUNTS: u64 = 16 << 10;
/// Bytes that are read and written at once.
const CHUNK: usize = 128 << 10;

/// What may be taken of an archive, and whose it becomes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of all files together.
    pub(crate) bytes: u64,
    /// Files, folders and links.
    pub(crate) entries: u64,
    /// Bytes that stay free on the disk.
    pub(crate) reserve: u64,
    /// Whose everything becomes; `None` where it stays the agent's own.
    pub(crate) owner: Option<(u32, u32)>,
}

impl Limits {
    /// The usual limits, with room for so many bytes.
    pub(crate) fn of(bytes: u64, owner: Option<(u32, u32)>) -> Self {
        Self { bytes, entries: MOST_ENTRIES, reserve: UNPACK_RESERVE, owner }
    }
}

/// What an archive says of an entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About {
    /// Permissions, and the bits above them; `None` where the archive has none.
    pub(super) mode: Option<u32>,
    /// Seconds since the epoch.
    pub(super) modified: Option<i64>,
}

/// A file that is being unpacked.
pub(super) struct OpenFile {
    file: File,
    about: About,
}

pub(super) struct Staging<'w> {
    top: OwnedFd,
    /// The folders from the top to here, without the top.
    way: Vec<(Vec<u8>, OwnedFd)>,
    limits: Limits,
    watch: Watch<'w>,
    done: Outcome,
    /// Bytes that an archive claims to hold.
    pub(super) total: Option<u64>,
    /// Files that came, by which a second name may be given.
    came: HashSet<u64>,
    /// What was taken at the last look at the room.
    looked: u64,
    /// Bytes that were read of entries that are left out.
    wasted: u64,
    buffer: Vec<u8>,
}

impl<'w> Staging<'w> {
    pub(super) fn new(top: OwnedFd, limits: Limits, watch: Watch<'w>) -> Result<Self, ArchiveError> {
        let staging = Self {
            top,
            way: Vec::new(),
            limits,
            watch,
            done: Outcome::default(),
            total: None,
            came: HashSet::new(),
            looked: 0,
            wasted: 0,
            buffer: vec![0; CHUNK],
        };
        staging.look_at_room()?;
        Ok(staging)
    }

    pub(super) fn into_parts(self) -> (OwnedFd, Outcome) {
        (self.top, self.done)
    }

    pub(super) fn top(&self) -> BorrowedFd<'_> {
        self.top.as_fd()
    }

    /// Refuses an archive that says itself that it is too large, before anything is unpacked.
    pub(super) fn announce(&mut self, entries: u64, bytes: u64) -> Result<(), ArchiveError> {
        if entries > self.limits.entries {
            return Err(self.too_many());
        }
        if bytes > self.limits.bytes {
            return Err(self.too_large());
        }
        self.total = Some(bytes);
        Ok(())
    }

    fn too_many(&self) -> ArchiveError {
        ArchiveError::TooLarge(format!("it has more than {} entries", self.limits.entries))
    }

    fn too_large(&self) -> ArchiveError {
        ArchiveError::TooLarge(format!(
            "its files have more than the {} MiB that there is room for",
            self.limits.bytes >> 20
        ))
    }

    /// Counts an entry, whatever becomes of it.
    fn count(&mut self, name: &[u8]) -> Result<(), ArchiveError> {
        self.one_more()?;
        self.done.entries += 1;
        self.step(name)
    }

    fn one_more(&mut self) -> Result<(), ArchiveError> {
        if self.done.entries + self.done.skipped_count >= self.limits.entries {
            return Err(self.too_many());
        }
        self.looks(ENTRY_COUNTS)
    }

    fn step(&mut self, path: &[u8]) -> Result<(), ArchiveError> {
        let (entries, bytes) = (self.done.entries, self.done.bytes);
        self.watch.step(Step { entries, bytes, total: self.total, path })
    }

    fn looks(&mut self, more: u64) -> Result<(), ArchiveError> {
        self.looked += more;
        if self.looked >= LOOK_EVERY {
            self.looked = 0;
            self.look_at_room()?;
        }
        Ok(())
    }

    fn look_at_room(&self) -> Result<(), ArchiveError> {
        let (bytes, names) = room(&self.top);
        if bytes < self.limits.reserve || names < SPARE_NAMES { Err(ArchiveError::NoRoom) } else { Ok(()) }
    }

    /// Names an entry that is left out.
    pub(super) fn skip(&mut self, name: &[u8], why: impl Into<String>) -> Result<(), ArchiveError> {
        self.one_more()?;
        self.done.skip(name, why);
        self.step(name)
    }

    /// Goes to the folder in which an entry is; gives its own name there, which is none for the top. `None` where the entry
    /// was left out.
    fn go_to<'n>(&mut self, name: &'n [u8]) -> Result<Option<Option<&'n [u8]>>, ArchiveError> {
        let parts = match names::parts(name) {
            Ok(parts) => parts,
            Err(BadName::Unsafe(why)) => return self.skip(name, why).map(|()| None),
            Err(BadName::Beyond(why)) => return Err(ArchiveError::TooLarge(why.to_owned())),
        };
        let Some((last, above)) = parts.split_last() else { return Ok(Some(None)) };
        let same = self.way.iter().zip(above).take_while(|((folder, _), name)| folder == *name).count();
        self.way.truncate(same);
        for part in &above[same..] {
            if !self.enter(part, name)? {
                return Ok(None);
            }
        }
        Ok(Some(Some(last)))
    }

    /// Enters a folder, which is made where it is not there. False where it was left out.
    fn enter(&mut self, part: &[u8], name: &[u8]) -> Result<bool, ArchiveError> {
        let made = match mkdirat(self.here(), part, Mode::from_raw_mode(0o755)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(ArchiveError::file("making", name)(errno)),
        };
        let handle = match openat(self.here(), part, FOLDER, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::NOTDIR | Errno::LOOP) => {
                self.skip(name, "something else in the archive has the name of its folder")?;
                return Ok(false);
            }
            Err(errno) => return Err(ArchiveError::file("opening", name)(errno)),
        };
        if made {
            // Each of them takes a name on the disk, as entries do.
            self.looks(ENTRY_COUNTS)?;
            self.give(&handle, name)?;
        }
        self.way.push((part.to_vec(), handle));
        Ok(true)
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.way.last().map_or(self.top.as_fd(), |(_, handle)| handle.as_fd())
    }

    fn give(&self, handle: impl AsFd, name: &[u8]) -> Result<(), ArchiveError> {
        let Some((uid, gid)) = self.limits.owner else { return Ok(()) };
        match fchown(handle, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))) {
            Ok(()) | Err(Errno::PERM) => Ok(()),
            Err(errno) => Err(ArchiveError::file("giving away", name)(errno)),
        }
    }

    pub(super) fn folder(&mut self, name: &[u8], about: About) -> Result<(), ArchiveError> {
        let Some(Some(last)) = self.go_to(name)? else { return Ok(()) };
        self.count(name)?;
        if self.enter(last, name)?
            && let Some(mode) = about.mode
        {
            let mode = Mode::from_raw_mode(mode & 0o777 | 0o700);
            fchmod(self.here(), mode).map_err(ArchiveError::file("changing the mode of", name))?;
        }
        Ok(())
    }

    /// Begins a file; `None` where it was left out. One that came before under this name is replaced.
    pub(super) fn begin(&mut self, name: &[u8], about: About) -> Result<Option<OpenFile>, ArchiveError> {
        if about.mode.is_some_and(|mode| mode & 0o6000 != 0) {
            return self.skip(name, "it would run as its owner (setuid)").map(|()| None);
        }
        let Some(Some(last)) = self.go_to(name)? else { return Ok(None) };
        if !self.make_way(last, name)? {
            return Ok(None);
        }
        self.count(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(self.here(), last, flags, Mode::RUSR | Mode::WUSR)
            .map_err(ArchiveError::file("making", name))?;
        Ok(Some(OpenFile { file: File::from(file), about }))
    }

    /// Removes what came before under this name. False where that was a folder: then this entry is left out.
    fn make_way(&mut self, last: &[u8], name: &[u8]) -> Result<bool, ArchiveError> {
        match unlinkat(self.here(), last, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::ISDIR) => self.skip(name, "a folder in the archive has the same name").map(|()| false),
            Err(errno) => Err(ArchiveError::file("replacing", name)(errno)),
        }
    }

    pub(super) fn write(&mut self, to: &mut OpenFile, name: &[u8], bytes: &[u8]) -> Result<(), ArchiveError> {
        let piece = bytes.len() as u64;
        if self.limits.bytes.saturating_sub(self.done.bytes) < piece {
            return Err(self.too_large());
        }
        to.file.write_all(bytes).map_err(|error| ArchiveError::io("writing", name, error))?;
        self.done.bytes += piece;
        self.looks(piece)?;
        self.step(name)
    }

    pub(super) fn finish(&mut self, done: &OpenFile, name: &[u8]) -> Result<(), ArchiveError> {
        let OpenFile { file, about } = done;
        self.give(file, name)?;
        let mode = about.mode.map_or(0o644, |mode| mode & 0o777 | 0o600);
        fchmod(file, Mode::from_raw_mode(mode)).map_err(ArchiveError::file("changing the mode of", name))?;
        if let Some(seconds) = about.modified {
            let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
            let modified = Timespec { tv_sec: seconds, tv_nsec: 0 };
            // A time that the file system does not know is no reason to give up.
            let _ = futimens(file, &Timestamps { last_access: omitted, last_modification: modified });
        }
        let stat = rustix::fs::fstat(file).map_err(ArchiveError::file("looking at", name))?;
        self.came.insert(stat.st_ino);
        Ok(())
    }

    /// The whole of a file; gives how many bytes it had and whether it was taken.
    pub(super) fn file(
        &mut self,
        name: &[u8],
        about: About,
        from: &mut dyn Read,
    ) -> Result<(u64, bool), ArchiveError> {
        let mut open = self.begin(name, about)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut all = 0;
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ArchiveError::Broken(error.to_string())),
            };
            all += read as u64;
            match &mut open {
                Some(file) => self.write(file, name, &buffer[..read])?,
                None => self.waste(name, read as u64)?,
            }
        }
        self.buffer = buffer;
        if let Some(open) = &open {
            self.finish(open, name)?;
        }
        Ok((all, open.is_some()))
    }

    /// Counts what is read of an entry that is left out: it takes time, if no room.
    pub(super) fn waste(&mut self, name: &[u8], bytes: u64) -> Result<(), ArchiveError> {
        self.wasted += bytes;
        if self.wasted > self.limits.bytes {
            return Err(self.too_large());
        }
        self.step(name)
    }

    pub(super) fn symlink(&mut self, name: &[u8], target: &[u8]) -> Result<(), ArchiveError> {
        let Some(Some(last)) = self.go_to(name)? else { return Ok(()) };
        if !names::stays_inside(target, self.way.len()) {
            return self.skip(name, "its link leads out of the folder");
        }
        if !self.make_way(last, name)? {
            return Ok(());
        }
        self.count(name)?;
        let here = self.here();
        symlinkat(target, here, last).map_err(ArchiveError::file("making the link", name))?;
        if let Some((uid, gid)) = self.limits.owner {
            let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            match chownat(here, last, uid, gid, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(()) | Err(Errno::PERM) => {}
                Err(errno) => return Err(ArchiveError::file("giving away", name)(errno)),
            }
        }
        Ok(())
    }

    /// A second name of a file that came before.
    pub(super) fn second_name(&mut self, name: &[u8], first: &[u8]) -> Result<(), ArchiveError> {
        const ELSEWHERE: &str = "its link leads to no file of the archive";
        let Ok(parts) = names::parts(first) else { return self.skip(name, ELSEWHERE) };
        let Some((target, above)) = parts.split_last() else { return self.skip(name, ELSEWHERE) };
        let mut at: Option<OwnedFd> = None;
        for part in above {
            let from = at.as_ref().map_or(self.top.as_fd(), AsFd::as_fd);
            match openat(from, *part, FOLDER, Mode::empty()) {
                Ok(folder) => at = Some(folder),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return self.skip(name, ELSEWHERE),
                Err(errno) => return Err(ArchiveError::file("opening", first)(errno)),
            }
        }
        let from = match at {
            Some(from) => from,
            None => self.top.try_clone().map_err(|error| ArchiveError::io("opening", first, error))?,
        };
        let Some(Some(last)) = self.go_to(name)? else { return Ok(()) };
        let found = statat(&from, *target, AtFlags::SYMLINK_NOFOLLOW);
        let is_ours = found.as_ref().is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && self.came.contains(&stat.st_ino)
        });
        if !is_ours || parts == names::parts(name).unwrap_or_default() {
            return self.skip(name, ELSEWHERE);
        }
        if !self.make_way(last, name)? {
            return Ok(());
        }
        self.count(name)?;
        linkat(&from, *target, self.here(), last, AtFlags::empty())
            .map_err(ArchiveError::file("making the second name", name))
    }
}
