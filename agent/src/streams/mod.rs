//! Bulk bytes: a world on its way to another machine. They have a connection of their own, so that no heartbeat, status
//! or console line ever stands behind them; its own flow control is all the brake there is.
//!
//! A [`Pipe`] is one end of such a connection, whatever carries it: a WebSocket of its own from another machine
//! ([`forward`]), two queues within this process for the local agent. Nothing here knows what is sent.

mod blocking;
mod pipe;
mod socket;

pub use pipe::{FRAME_BYTES, Frame, Pipe, StreamOpener, Ticket, pipe};
pub use socket::forward;

pub(crate) use blocking::{FrameReceiver, FrameSender, Incoming, Outgoing, hex};
