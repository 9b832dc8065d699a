//! Streams: connections for bulk bytes, such as a world being transferred. They are separate from the link, so that no
//! heartbeat, status or console line is delayed, and use only their own flow control.
//!
//! A [`Pipe`] is one end of such a connection: over a separate WebSocket from another machine ([`forward`]), or two
//! queues within this process for the local agent. Nothing here depends on what is sent.

mod blocking;
mod buffers;
mod pipe;
mod socket;
mod websocket;
#[cfg(test)]
mod websocket_tests;

pub use buffers::{Buffer, Buffers};
pub use pipe::{FRAME_BYTES, Frame, Pipe, StreamOpener, Ticket, pipe};
pub use socket::forward;

pub(crate) use blocking::{FrameReceiver, FrameSender, Incoming, Outgoing, hex};
