//! What a client asks.

use bytes::{BufMut, Bytes, BytesMut};

use crate::io::{Reader, packet, put_string};
use crate::{Attrs, DecodeError, MAX_DATA, MAX_HANDLE, MAX_PATH, extension};

/// Bytes of the name of an extension.
const MAX_NAME: usize = 256;

const INIT: u8 = 1;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const LSTAT: u8 = 7;
const FSTAT: u8 = 8;
const SETSTAT: u8 = 9;
const FSETSTAT: u8 = 10;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const REMOVE: u8 = 13;
const MKDIR: u8 = 14;
const RMDIR: u8 = 15;
const REALPATH: u8 = 16;
const STAT: u8 = 17;
const RENAME: u8 = 18;
const READLINK: u8 = 19;
const SYMLINK: u8 = 20;
const EXTENDED: u8 = 200;

/// How a file is to be opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenFlags(pub u32);

impl OpenFlags {
    /// For reading.
    pub const READ: Self = Self(1);
    /// For writing.
    pub const WRITE: Self = Self(2);
    /// All writes go to the end.
    pub const APPEND: Self = Self(4);
    /// Made where it is not there.
    pub const CREATE: Self = Self(8);
    /// Emptied.
    pub const TRUNCATE: Self = Self(16);
    /// Together with `CREATE`: only where it is not there.
    pub const EXCLUSIVE: Self = Self(32);

    /// Whether it has all of the other's.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A packet of a client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromClient {
    /// The first one.
    Init {
        /// The highest version that it speaks.
        version: u32,
    },
    /// All others.
    Request {
        /// Its number, which comes back with the answer.
        id: u32,
        /// What is asked.
        request: Request,
    },
}

/// What is asked. Paths and handles are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Request {
    Open {
        path: Bytes,
        flags: OpenFlags,
        attrs: Attrs,
    },
    Close {
        handle: Bytes,
    },
    Read {
        handle: Bytes,
        offset: u64,
        length: u32,
    },
    Write {
        handle: Bytes,
        offset: u64,
        data: Bytes,
    },
    Lstat {
        path: Bytes,
    },
    Fstat {
        handle: Bytes,
    },
    SetStat {
        path: Bytes,
        attrs: Attrs,
    },
    FsetStat {
        handle: Bytes,
        attrs: Attrs,
    },
    OpenDir {
        path: Bytes,
    },
    ReadDir {
        handle: Bytes,
    },
    Remove {
        path: Bytes,
    },
    MakeDir {
        path: Bytes,
        attrs: Attrs,
    },
    RemoveDir {
        path: Bytes,
    },
    RealPath {
        path: Bytes,
    },
    Stat {
        path: Bytes,
    },
    Rename {
        from: Bytes,
        to: Bytes,
    },
    ReadLink {
        path: Bytes,
    },
    /// In OpenSSH's order, which is not that of the draft: what the link says comes first.
    SymLink {
        target: Bytes,
        link: Bytes,
    },
    Extended(Extended),
}

/// Requests by name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Extended {
    PosixRename {
        from: Bytes,
        to: Bytes,
    },
    StatVfs {
        path: Bytes,
    },
    FstatVfs {
        handle: Bytes,
    },
    Fsync {
        handle: Bytes,
    },
    LsetStat {
        path: Bytes,
        attrs: Attrs,
    },
    Limits,
    /// One that is not known here.
    Other {
        name: Bytes,
    },
}

impl FromClient {
    /// Reads a packet.
    ///
    /// # Errors
    ///
    /// Where it is none. [`DecodeError::id`] is there where it can be answered.
    pub fn decode(body: Bytes) -> Result<Self, DecodeError> {
        let mut from = Reader(body);
        let kind = from.u8()?;
        let id = from.u32()?;
        if kind == INIT {
            return Ok(Self::Init { version: id });
        }
        let request = Request::decode(kind, &mut from).map_err(|error| error.with_id(id))?;
        Ok(Self::Request { id, request })
    }

    /// Writes the packet, with its length before it.
    pub fn encode(&self, to: &mut BytesMut) {
        packet(to, |to| match self {
            Self::Init { version } => {
                to.put_u8(INIT);
                to.put_u32(*version);
            }
            Self::Request { id, request } => {
                to.put_u8(request.kind());
                to.put_u32(*id);
                request.encode(to);
            }
        });
    }
}

fn path(from: &mut Reader) -> Result<Bytes, DecodeError> {
    from.string("path", MAX_PATH)
}

fn handle(from: &mut Reader) -> Result<Bytes, DecodeError> {
    from.string("handle", MAX_HANDLE)
}

impl Request {
    fn decode(kind: u8, from: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match kind {
            OPEN => {
                Self::Open { path: path(from)?, flags: OpenFlags(from.u32()?), attrs: Attrs::decode(from)? }
            }
            CLOSE => Self::Close { handle: handle(from)? },
            READ => Self::Read { handle: handle(from)?, offset: from.u64()?, length: from.u32()? },
            WRITE => Self::Write {
                handle: handle(from)?,
                offset: from.u64()?,
                data: from.string("piece of data", MAX_DATA)?,
            },
            LSTAT => Self::Lstat { path: path(from)? },
            FSTAT => Self::Fstat { handle: handle(from)? },
            SETSTAT => Self::SetStat { path: path(from)?, attrs: Attrs::decode(from)? },
            FSETSTAT => Self::FsetStat { handle: handle(from)?, attrs: Attrs::decode(from)? },
            OPENDIR => Self::OpenDir { path: path(from)? },
            READDIR => Self::ReadDir { handle: handle(from)? },
            REMOVE => Self::Remove { path: path(from)? },
            MKDIR => Self::MakeDir { path: path(from)?, attrs: Attrs::decode(from)? },
            RMDIR => Self::RemoveDir { path: path(from)? },
            REALPATH => Self::RealPath { path: path(from)? },
            STAT => Self::Stat { path: path(from)? },
            RENAME => Self::Rename { from: path(from)?, to: path(from)? },
            READLINK => Self::ReadLink { path: path(from)? },
            SYMLINK => Self::SymLink { target: path(from)?, link: path(from)? },
            EXTENDED => Self::Extended(Extended::decode(from)?),
            kind => return Err(DecodeError::Unknown { id: None, kind }),
        })
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Open { .. } => OPEN,
            Self::Close { .. } => CLOSE,
            Self::Read { .. } => READ,
            Self::Write { .. } => WRITE,
            Self::Lstat { .. } => LSTAT,
            Self::Fstat { .. } => FSTAT,
            Self::SetStat { .. } => SETSTAT,
            Self::FsetStat { .. } => FSETSTAT,
            Self::OpenDir { .. } => OPENDIR,
            Self::ReadDir { .. } => READDIR,
            Self::Remove { .. } => REMOVE,
            Self::MakeDir { .. } => MKDIR,
            Self::RemoveDir { .. } => RMDIR,
            Self::RealPath { .. } => REALPATH,
            Self::Stat { .. } => STAT,
            Self::Rename { .. } => RENAME,
            Self::ReadLink { .. } => READLINK,
            Self::SymLink { .. } => SYMLINK,
            Self::Extended(_) => EXTENDED,
        }
    }

    fn encode(&self, to: &mut BytesMut) {
        match self {
            Self::Open { path, flags, attrs } => {
                put_string(to, path);
                to.put_u32(flags.0);
                attrs.encode(to);
            }
            Self::Read { handle, offset, length } => {
                put_string(to, handle);
                to.put_u64(*offset);
                to.put_u32(*length);
            }
            Self::Write { handle, offset, data } => {
                put_string(to, handle);
                to.put_u64(*offset);
                put_string(to, data);
            }
            Self::SetStat { path, attrs } | Self::MakeDir { path, attrs } => {
                put_string(to, path);
                attrs.encode(to);
            }
            Self::FsetStat { handle, attrs } => {
                put_string(to, handle);
                attrs.encode(to);
            }
            Self::Close { handle: one }
            | Self::Fstat { handle: one }
            | Self::ReadDir { handle: one }
            | Self::Lstat { path: one }
            | Self::OpenDir { path: one }
            | Self::Remove { path: one }
            | Self::RemoveDir { path: one }
            | Self::RealPath { path: one }
            | Self::Stat { path: one }
            | Self::ReadLink { path: one } => put_string(to, one),
            Self::Rename { from: one, to: other } | Self::SymLink { target: one, link: other } => {
                put_string(to, one);
                put_string(to, other);
            }
            Self::Extended(extended) => extended.encode(to),
        }
    }
}

impl Extended {
    fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        let name = from.string("name", MAX_NAME)?;
        Ok(match std::str::from_utf8(&name) {
            Ok(extension::POSIX_RENAME) => Self::PosixRename { from: path(from)?, to: path(from)? },
            Ok(extension::STATVFS) => Self::StatVfs { path: path(from)? },
            Ok(extension::FSTATVFS) => Self::FstatVfs { handle: handle(from)? },
            Ok(extension::FSYNC) => Self::Fsync { handle: handle(from)? },
            Ok(extension::LSETSTAT) => Self::LsetStat { path: path(from)?, attrs: Attrs::decode(from)? },
            Ok(extension::LIMITS) => Self::Limits,
            _ => Self::Other { name },
        })
    }

    fn encode(&self, to: &mut BytesMut) {
        let mut named = |name: &str| put_string(to, name.as_bytes());
        match self {
            Self::PosixRename { from, to: target } => {
                named(extension::POSIX_RENAME);
                put_string(to, from);
                put_string(to, target);
            }
            Self::StatVfs { path } => {
                named(extension::STATVFS);
                put_string(to, path);
            }
            Self::FstatVfs { handle } => {
                named(extension::FSTATVFS);
                put_string(to, handle);
            }
            Self::Fsync { handle } => {
                named(extension::FSYNC);
                put_string(to, handle);
            }
            Self::LsetStat { path, attrs } => {
                named(extension::LSETSTAT);
                put_string(to, path);
                attrs.encode(to);
            }
            Self::Limits => named(extension::LIMITS),
            Self::Other { name } => put_string(to, name),
        }
    }
}
