//! What an entry of an archive says of itself: its path, its mode, whose it is.

use std::io::{self, Read};

use rustix::fs::{Timespec, Timestamps, UTIME_OMIT};
use tar::{Entry, EntryType};

use super::error::ArchiveError;
use super::{DEPTH, PATH};

/// Who made the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Another agent's [`pack`](super::pack()): each folder comes before what is in it, and nothing comes that a server's folder
    /// does not hold. Whatever differs is refused.
    Transfer,
    /// A container engine. Names may begin with `./` or `/`, folders may be missing; what a server's folder does not hold is
    /// left out, and bits that let a program run as its owner are dropped.
    Engine,
}

/// Whose things are here.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owners {
    /// Owners are set; otherwise everything is the agent's own.
    pub(crate) settable: bool,
    /// The owner in the stream …
    pub(crate) there: Option<(u32, u32)>,
    /// … whose things become this one's.
    pub(crate) here: Option<(u32, u32)>,
    /// Everything becomes `here`'s, as far as the agent may give it away.
    pub(crate) all: bool,
}

impl Owners {
    /// Whose something becomes; `None` where it stays the agent's own.
    pub(super) fn of(&self, meta: Meta) -> Option<(u32, u32)> {
        let stays = (meta.uid, meta.gid);
        let owner = match self.here {
            Some(here) if self.all || self.there == Some(stays) => here,
            _ => stays,
        };
        self.settable.then_some(owner)
    }
}

/// Mode, owner and time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    /// Permissions, without the bits above them.
    pub(super) mode: u32,
    uid: u32,
    gid: u32,
    /// Of the last change, since the epoch.
    seconds: i64,
}

impl Meta {
    pub(super) fn read<R: Read>(
        entry: &Entry<'_, R>,
        kind: EntryType,
        form: Form,
    ) -> Result<Self, ArchiveError> {
        let head = entry.header();
        if form == Form::Engine {
            let id = |id: io::Result<u64>| id.ok().and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
            return Ok(Self {
                mode: head.mode().unwrap_or(0o644) & 0o777,
                uid: id(head.uid()),
                gid: id(head.gid()),
                seconds: i64::try_from(head.mtime().unwrap_or(0)).unwrap_or(0),
            });
        }
        let mode = head.mode().map_err(ArchiveError::Stream)?;
        if mode & 0o7000 != 0 && kind != EntryType::Symlink {
            return Err(ArchiveError::refused("a program would run as its owner"));
        }
        let id = |id: io::Result<u64>| {
            let id = id.map_err(ArchiveError::Stream)?;
            u32::try_from(id)
                .ok()
                .filter(|id| *id != u32::MAX)
                .ok_or_else(|| ArchiveError::refused("an owner is none"))
        };
        let seconds = i64::try_from(head.mtime().map_err(ArchiveError::Stream)?)
            .map_err(|_| ArchiveError::refused("a time is none"))?;
        Ok(Self { mode: mode & 0o777, uid: id(head.uid())?, gid: id(head.gid())?, seconds })
    }

    pub(super) fn times(self) -> Timestamps {
        let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        Timestamps { last_access: omitted, last_modification: Timespec { tv_sec: self.seconds, tv_nsec: 0 } }
    }
}

/// The parts of a path, none of which leads anywhere but down. Empty for the top, which only an engine names.
pub(super) fn parts(path: &[u8], form: Form) -> Result<Vec<&[u8]>, ArchiveError> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let refused = |why: &str| {
        let path = crate::fs::shown::shown(path);
        Err(ArchiveError::refused(format!("\"{path}\" {why}")))
    };
    let parts: Vec<&[u8]> = match form {
        Form::Transfer => path.split(|byte| *byte == b'/').collect(),
        Form::Engine => {
            let parts = path.split(|byte| *byte == b'/');
            parts.filter(|part| !matches!(part, [] | [b'.'])).collect()
        }
    };
    let good = |part: &&[u8]| {
        !part.is_empty() && part.len() <= 255 && !matches!(*part, b"." | b"..") && !part.contains(&0)
    };
    if path.len() > PATH || !parts.iter().all(good) {
        return refused("is no path below a server's folder");
    }
    if parts.len() > DEPTH + 1 {
        return refused("lies too deep");
    }
    Ok(parts)
}
