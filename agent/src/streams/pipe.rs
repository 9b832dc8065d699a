//! The two ends of a connection for bulk bytes.

use std::fmt::{self, Debug};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use protocol::Control;
use tokio::sync::mpsc;

/// The most bytes of one piece, and of one binary frame.
pub const FRAME_BYTES: usize = 256 * 1024;
/// Pieces that may wait within this process, in each direction.
const WAITING: usize = 4;

/// What goes through a pipe.
#[derive(Clone, Debug)]
pub enum Frame {
    /// At most [`FRAME_BYTES`] bytes.
    Bytes(Bytes),
    /// Something about them.
    Control(Control),
}

/// One end. Dropping it ends the connection.
#[derive(Debug)]
pub struct Pipe {
    /// To the other end.
    pub out: mpsc::Sender<Frame>,
    /// From the other end.
    pub inward: mpsc::Receiver<Frame>,
}

/// Two ends that belong to each other.
#[must_use]
pub fn pipe() -> (Pipe, Pipe) {
    let (to_right, right) = mpsc::channel(WAITING);
    let (to_left, left) = mpsc::channel(WAITING);
    (Pipe { out: to_right, inward: left }, Pipe { out: to_left, inward: right })
}

/// What opens a connection, once.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The end of the address: `/transfer/ID`.
    pub transfer_id: String,
    /// 256 bits in hex digits.
    pub token: String,
}

impl Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("transfer_id", &self.transfer_id).finish_non_exhaustive()
    }
}

/// Opens connections for bulk bytes to the panel.
pub trait StreamOpener: Debug + Send + Sync + 'static {
    /// Opens the one that the panel waits for; says for a person why it could not.
    fn open(&self, ticket: Ticket) -> BoxFuture<'static, Result<Pipe, String>>;
}
