//! What is known of a file, or to be set.

use bytes::{BufMut, BytesMut};

use crate::DecodeError;
use crate::io::Reader;

const SIZE: u32 = 1;
const OWNER: u32 = 2;
const PERMISSIONS: u32 = 4;
const TIMES: u32 = 8;
const EXTENDED: u32 = 0x8000_0000;
/// Extended attributes are read past, so many at most.
const MOST_EXTENDED: u32 = 64;

/// Attributes; what is absent is not known, or not to be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attrs {
    /// Bytes.
    pub size: Option<u64>,
    /// User and group.
    pub owner: Option<(u32, u32)>,
    /// Type and permission bits, as in `st_mode`.
    pub permissions: Option<u32>,
    /// Last access and last change, in seconds.
    pub times: Option<(u32, u32)>,
}

/// What something is, by its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A plain file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

impl Attrs {
    /// What it is; `None` where the other end did not say.
    #[must_use]
    pub fn kind(&self) -> Option<FileKind> {
        Some(match self.permissions? & 0o170_000 {
            0o100_000 => FileKind::File,
            0o040_000 => FileKind::Folder,
            0o120_000 => FileKind::Link,
            0 => return None,
            _ => FileKind::Other,
        })
    }

    pub(crate) fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        let flags = from.u32()?;
        let has = |bit: u32| flags & bit != 0;
        let size = if has(SIZE) { Some(from.u64()?) } else { None };
        let owner = if has(OWNER) { Some((from.u32()?, from.u32()?)) } else { None };
        let permissions = if has(PERMISSIONS) { Some(from.u32()?) } else { None };
        let times = if has(TIMES) { Some((from.u32()?, from.u32()?)) } else { None };
        if has(EXTENDED) {
            let count = from.u32()?;
            if count > MOST_EXTENDED {
                return Err(DecodeError::TooLong { id: None, what: "list of attributes" });
            }
            for _ in 0..2 * count {
                from.string("attribute", crate::MAX_PACKET)?;
            }
        }
        Ok(Self { size, owner, permissions, times })
    }

    pub(crate) fn encode(&self, to: &mut BytesMut) {
        let Self { size, owner, permissions, times } = self;
        let bit = |there: bool, bit: u32| if there { bit } else { 0 };
        to.put_u32(
            bit(size.is_some(), SIZE)
                | bit(owner.is_some(), OWNER)
                | bit(permissions.is_some(), PERMISSIONS)
                | bit(times.is_some(), TIMES),
        );
        if let Some(size) = size {
            to.put_u64(*size);
        }
        if let Some((user, group)) = owner {
            to.put_u32(*user);
            to.put_u32(*group);
        }
        if let Some(permissions) = permissions {
            to.put_u32(*permissions);
        }
        if let Some((accessed, changed)) = times {
            to.put_u32(*accessed);
            to.put_u32(*changed);
        }
    }
}
