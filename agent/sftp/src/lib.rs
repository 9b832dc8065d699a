//! The packets of SFTP, version 3 as OpenSSH speaks it (draft-ietf-secsh-filexfer-02 and OpenSSH's `PROTOCOL`), for both
//! ends. Pure: bytes in, values out, and back. Whatever comes from the other end is bounded: a packet by [`MAX_PACKET`], a
//! path by [`MAX_PATH`], a handle by [`MAX_HANDLE`]. Paths are bytes, never checked to be text.
//!
//! - [`next_packet`] cuts a packet out of a buffer of received bytes.
//! - [`FromClient`] is what a client sends, [`FromServer`] what a server sends: each with `decode` and `encode`.

mod attrs;
mod error;
mod frame;
mod io;
mod reply;
mod request;

#[cfg(test)]
mod tests;

pub use attrs::{Attrs, FileKind};
pub use error::DecodeError;
pub use frame::next_packet;
pub use reply::{FromServer, Limits, NameEntry, Reply, StatVfs, Status, StatusCode};
pub use request::{Extended, FromClient, OpenFlags, Request};

/// The version that is spoken.
pub const VERSION: u32 = 3;
/// Bytes of a packet, without the four that say its length. With them it is 256 KiB.
pub const MAX_PACKET: usize = 256 * 1024 - 4;
/// Bytes that one packet reads or writes.
pub const MAX_DATA: usize = 255 * 1024;
/// Bytes of a path.
pub const MAX_PATH: usize = 4096;
/// Bytes of a handle, as the protocol says.
pub const MAX_HANDLE: usize = 256;

/// Extensions by their names on the wire.
pub mod extension {
    /// Renames, and replaces what has the new name.
    pub const POSIX_RENAME: &str = "posix-rename@openssh.com";
    /// How large a file system is.
    pub const STATVFS: &str = "statvfs@openssh.com";
    /// The same by a handle.
    pub const FSTATVFS: &str = "fstatvfs@openssh.com";
    /// Brings a file to the disk.
    pub const FSYNC: &str = "fsync@openssh.com";
    /// Sets attributes, and follows no link.
    pub const LSETSTAT: &str = "lsetstat@openssh.com";
    /// How large packets may be.
    pub const LIMITS: &str = "limits@openssh.com";
}
