//! What a server answers.

use bytes::{BufMut, Bytes, BytesMut};

use crate::io::{Reader, packet, put_string};
use crate::{Attrs, DecodeError, MAX_DATA, MAX_HANDLE, MAX_PACKET, MAX_PATH};

const VERSION: u8 = 2;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED_REPLY: u8 = 201;
/// Extensions that a server may announce.
const MOST_EXTENSIONS: usize = 256;
/// The least bytes of an entry of a list: two empty strings and no attributes.
const LEAST_ENTRY: usize = 12;

/// A packet of a server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromServer {
    /// The first one.
    Version {
        /// The version that is spoken from here on.
        version: u32,
        /// Extensions: name and data.
        extensions: Vec<(Bytes, Bytes)>,
    },
    /// All others.
    Reply {
        /// The number of the request.
        id: u32,
        /// The answer to it.
        reply: Reply,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reply {
    Status(Status),
    Handle(Bytes),
    Data(Bytes),
    Names(Vec<NameEntry>),
    Attrs(Attrs),
    /// To a request by name: what it holds, the request knows.
    Extended(Bytes),
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// For programs.
    pub code: StatusCode,
    /// For people.
    pub message: Bytes,
}

/// How it went, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum StatusCode {
    Ok,
    EndOfFile,
    NoSuchFile,
    PermissionDenied,
    Failure,
    BadMessage,
    NoConnection,
    ConnectionLost,
    Unsupported,
    /// Of a later version of the protocol.
    Other(u32),
}

/// An entry of a folder; of a path that was asked for, the only one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameEntry {
    /// Its name.
    pub name: Bytes,
    /// A line as `ls -l` has it.
    pub long: Bytes,
    /// What it is.
    pub attrs: Attrs,
}

/// The answer to `statvfs@openssh.com`, in the order of the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatVfs {
    /// Bytes of a block, and of the unit of what follows.
    pub block: u64,
    /// The unit of the three below.
    pub fragment: u64,
    /// Of the file system.
    pub blocks: u64,
    /// Free ones.
    pub free: u64,
    /// Free ones for everybody.
    pub available: u64,
    /// Files that it has room for: all, free ones, free ones for everybody.
    pub files: [u64; 3],
    /// Its number.
    pub id: u64,
    /// Flags: 1 read-only, 2 no setuid.
    pub flags: u64,
    /// Bytes of a name.
    pub name_max: u64,
}

/// The answer to `limits@openssh.com`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a packet.
    pub packet: u64,
    /// Bytes that are read at once.
    pub read: u64,
    /// Bytes that are written at once.
    pub write: u64,
    /// Files that are open at once.
    pub handles: u64,
}

impl StatusCode {
    /// As it is on the wire.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Ok => 0,
            Self::EndOfFile => 1,
            Self::NoSuchFile => 2,
            Self::PermissionDenied => 3,
            Self::Failure => 4,
            Self::BadMessage => 5,
            Self::NoConnection => 6,
            Self::ConnectionLost => 7,
            Self::Unsupported => 8,
            Self::Other(number) => number,
        }
    }
}

impl From<u32> for StatusCode {
    fn from(number: u32) -> Self {
        match number {
            0 => Self::Ok,
            1 => Self::EndOfFile,
            2 => Self::NoSuchFile,
            3 => Self::PermissionDenied,
            4 => Self::Failure,
            5 => Self::BadMessage,
            6 => Self::NoConnection,
            7 => Self::ConnectionLost,
            8 => Self::Unsupported,
            number => Self::Other(number),
        }
    }
}

impl Reply {
    /// A status with a sentence.
    #[must_use]
    pub fn status(code: StatusCode, message: impl Into<Bytes>) -> Self {
        Self::Status(Status { code, message: message.into() })
    }

    /// All went well.
    #[must_use]
    pub fn ok() -> Self {
        Self::status(StatusCode::Ok, &b"Success"[..])
    }

    fn decode(kind: u8, from: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match kind {
            STATUS => {
                let code = StatusCode::from(from.u32()?);
                // Some servers leave the message out.
                let message =
                    if from.is_empty() { Bytes::new() } else { from.string("message", MAX_PACKET)? };
                Self::Status(Status { code, message })
            }
            HANDLE => Self::Handle(from.string("handle", MAX_HANDLE)?),
            DATA => Self::Data(from.string("piece of data", MAX_DATA.max(MAX_PACKET))?),
            NAME => {
                let count = usize::try_from(from.u32()?).unwrap_or(usize::MAX);
                if count > from.0.len() / LEAST_ENTRY {
                    return Err(DecodeError::Short(None));
                }
                let mut entries = Vec::with_capacity(count);
                for _ in 0..count {
                    let name = from.string("name", MAX_PATH)?;
                    let long = from.string("line", MAX_PACKET)?;
                    entries.push(NameEntry { name, long, attrs: Attrs::decode(from)? });
                }
                Self::Names(entries)
            }
            ATTRS => Self::Attrs(Attrs::decode(from)?),
            EXTENDED_REPLY => Self::Extended(from.rest()),
            kind => return Err(DecodeError::Unknown { id: None, kind }),
        })
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Status(_) => STATUS,
            Self::Handle(_) => HANDLE,
            Self::Data(_) => DATA,
            Self::Names(_) => NAME,
            Self::Attrs(_) => ATTRS,
            Self::Extended(_) => EXTENDED_REPLY,
        }
    }

    fn encode(&self, to: &mut BytesMut) {
        match self {
            Self::Status(Status { code, message }) => {
                to.put_u32(code.number());
                put_string(to, message);
                // The language of the message.
                put_string(to, b"en");
            }
            Self::Handle(bytes) | Self::Data(bytes) => put_string(to, bytes),
            Self::Names(entries) => {
                to.put_u32(u32::try_from(entries.len()).unwrap_or(u32::MAX));
                for NameEntry { name, long, attrs } in entries {
                    put_string(to, name);
                    put_string(to, long);
                    attrs.encode(to);
                }
            }
            Self::Attrs(attrs) => attrs.encode(to),
            Self::Extended(bytes) => to.put_slice(bytes),
        }
    }
}

impl FromServer {
    /// Reads a packet.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub fn decode(body: Bytes) -> Result<Self, DecodeError> {
        let mut from = Reader(body);
        let kind = from.u8()?;
        let id = from.u32()?;
        if kind == VERSION {
            let mut extensions = Vec::new();
            while !from.is_empty() {
                if extensions.len() >= MOST_EXTENSIONS {
                    return Err(DecodeError::TooLong { id: None, what: "list of extensions" });
                }
                let name = from.string("name", MAX_PATH)?;
                extensions.push((name, from.string("extension", MAX_PATH)?));
            }
            return Ok(Self::Version { version: id, extensions });
        }
        let reply = Reply::decode(kind, &mut from).map_err(|error| error.with_id(id))?;
        Ok(Self::Reply { id, reply })
    }

    /// Writes the packet, with its length before it.
    pub fn encode(&self, to: &mut BytesMut) {
        packet(to, |to| match self {
            Self::Version { version, extensions } => {
                to.put_u8(VERSION);
                to.put_u32(*version);
                for (name, data) in extensions {
                    put_string(to, name);
                    put_string(to, data);
                }
            }
            Self::Reply { id, reply } => {
                to.put_u8(reply.kind());
                to.put_u32(*id);
                reply.encode(to);
            }
        });
    }

    /// Writes a [`Reply::Data`] whose bytes `read` appends to the buffer, so that they are not copied. What is appended
    /// past `most` is cut off.
    ///
    /// # Errors
    ///
    /// Those of `read`; nothing is written then.
    pub fn encode_data<E>(
        id: u32,
        most: usize,
        to: &mut BytesMut,
        read: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<usize, E> {
        let start = to.len();
        to.put_u32(0);
        to.put_u8(DATA);
        to.put_u32(id);
        to.put_u32(0);
        let data = to.len();
        if let Err(error) = read(to) {
            to.truncate(start);
            return Err(error);
        }
        to.truncate(data.saturating_add(most));
        let count = to.len().saturating_sub(data);
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
        to[start..start + 4].copy_from_slice(&length(count + 9));
        to[data - 4..data].copy_from_slice(&length(count));
        Ok(count)
    }
}

impl StatVfs {
    /// As an answer.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let Self { block, fragment, blocks, free, available, files, id, flags, name_max } = self;
        let mut to = BytesMut::with_capacity(88);
        for number in [block, fragment, blocks, free, available] {
            to.put_u64(*number);
        }
        for number in files {
            to.put_u64(*number);
        }
        for number in [id, flags, name_max] {
            to.put_u64(*number);
        }
        to.freeze()
    }

    /// From an answer.
    ///
    /// # Errors
    ///
    /// Where it is too short.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut from = Reader(bytes);
        Ok(Self {
            block: from.u64()?,
            fragment: from.u64()?,
            blocks: from.u64()?,
            free: from.u64()?,
            available: from.u64()?,
            files: [from.u64()?, from.u64()?, from.u64()?],
            id: from.u64()?,
            flags: from.u64()?,
            name_max: from.u64()?,
        })
    }
}

impl Limits {
    /// As an answer.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut to = BytesMut::with_capacity(32);
        for number in [self.packet, self.read, self.write, self.handles] {
            to.put_u64(number);
        }
        to.freeze()
    }

    /// From an answer.
    ///
    /// # Errors
    ///
    /// Where it is too short.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut from = Reader(bytes);
        Ok(Self { packet: from.u64()?, read: from.u64()?, write: from.u64()?, handles: from.u64()? })
    }
}
