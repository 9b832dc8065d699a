//! The two ends of a stream.

use std::fmt::{self, Debug};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use protocol::Control;
use tokio::sync::mpsc;

/// Maximum bytes of one piece, and of one binary frame.
pub const FRAME_BYTES: usize = 256 * 1024;
/// Maximum number of frames queued within this process, per direction.
const WAITING: usize = 4;

/// A frame in a pipe.
#[derive(Clone, Debug)]
pub enum Frame {
    /// At most [`FRAME_BYTES`] bytes.
    Bytes(Bytes),
    /// A control message.
    Control(Control),
}

/// One end of a stream. Dropping it ends the connection.
#[derive(Debug)]
pub struct Pipe {
    /// To the other end.
    pub out: mpsc::Sender<Frame>,
    /// From the other end.
    pub inward: mpsc::Receiver<Frame>,
}

/// A pair of connected ends.
#[must_use]
pub fn pipe() -> (Pipe, Pipe) {
    let (to_right, right) = mpsc::channel(WAITING);
    let (to_left, left) = mpsc::channel(WAITING);
    (Pipe { out: to_right, inward: left }, Pipe { out: to_left, inward: right })
}

/// A single-use ticket for opening a stream.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Last part of the path `/transfer/ID`.
    pub transfer_id: String,
    /// The secret token: 256 bits in hex digits.
    pub token: String,
}

impl Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("transfer_id", &self.transfer_id).finish_non_exhaustive()
    }
}

/// Opens streams to the panel.
pub trait StreamOpener: Debug + Send + Sync + 'static {
    /// Opens the stream that the panel waits for; the error is a message for users.
    fn open(&self, ticket: Ticket) -> BoxFuture<'static, Result<Pipe, String>>;
}
