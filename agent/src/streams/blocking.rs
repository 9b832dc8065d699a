//! Blocking access to a pipe, for threads that read and write files.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes};
use protocol::{Control, Summary};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{
    self,
    error::{TryRecvError, TrySendError},
};
use tokio_util::sync::CancellationToken;

use super::buffers::{Buffer, Buffers};
use super::pipe::{FRAME_BYTES, Frame};

fn cancelled() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the transfer was called off")
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection ended before everything was there")
}

/// Formats bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

/// Sends frames from a blocking thread.
pub(crate) struct FrameSender<'p> {
    out: &'p mpsc::Sender<Frame>,
    cancel: &'p CancellationToken,
    runtime: Handle,
}

impl<'p> FrameSender<'p> {
    /// Must be called inside the runtime.
    pub(crate) fn new(out: &'p mpsc::Sender<Frame>, cancel: &'p CancellationToken) -> Self {
        Self { out, cancel, runtime: Handle::current() }
    }

    /// Sends a frame; blocks while the queue is full.
    pub(crate) fn send(&mut self, frame: Frame) -> io::Result<()> {
        // Usually there is room, and the runtime is not needed.
        let frame = match self.out.try_send(frame) {
            Ok(()) if self.cancel.is_cancelled() => return Err(cancelled()),
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(gone()),
            Err(TrySendError::Full(frame)) => frame,
        };
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(cancelled()),
                sent = self.out.send(frame) => sent.map_err(|_closed| gone()),
            }
        })
    }
}

/// A writer into a pipe that hashes the data.
pub(crate) struct Outgoing<'p> {
    sender: FrameSender<'p>,
    buffers: Buffers,
    buffer: Buffer,
    filled: usize,
    hash: Option<Sha256>,
}

impl<'p> Outgoing<'p> {
    /// Must be called inside the runtime.
    pub(crate) fn new(out: &'p mpsc::Sender<Frame>, cancel: &'p CancellationToken) -> Self {
        Self { hash: Some(Sha256::new()), ..Self::unhashed(out, cancel) }
    }

    /// Like [`Self::new`], without hashing.
    pub(crate) fn unhashed(out: &'p mpsc::Sender<Frame>, cancel: &'p CancellationToken) -> Self {
        let buffers = Buffers::default();
        let buffer = buffers.take();
        Self { sender: FrameSender::new(out, cancel), buffers, buffer, filled: 0, hash: None }
    }

    /// Flushes the buffer and returns the hash of everything written; empty if not hashed.
    pub(crate) fn finish(mut self) -> io::Result<String> {
        self.flush()?;
        Ok(self.hash.map_or_else(String::new, |hash| hex(&hash.finalize())))
    }
}

impl Write for Outgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = &mut self.buffer.all()[self.filled..];
        let taken = bytes.len().min(room.len());
        room[..taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        if self.filled == FRAME_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.filled == 0 {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.buffer, self.buffers.take());
        let full = full.freeze(std::mem::take(&mut self.filled));
        if let Some(hash) = &mut self.hash {
            hash.update(&full);
        }
        self.sender.send(Frame::Bytes(full))
    }
}

/// Receives frames on a blocking thread until the other end reports the end.
pub(crate) struct FrameReceiver<'p> {
    inward: &'p mut mpsc::Receiver<Frame>,
    cancel: &'p CancellationToken,
    runtime: Handle,
    told: Option<Summary>,
}

impl<'p> FrameReceiver<'p> {
    /// Must be called inside the runtime.
    pub(crate) fn new(inward: &'p mut mpsc::Receiver<Frame>, cancel: &'p CancellationToken) -> Self {
        Self { inward, cancel, runtime: Handle::current(), told: None }
    }

    /// The next bytes; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.told.is_some() {
            return Ok(None);
        }
        let ready = match self.inward.try_recv() {
            Ok(frame) => Some(frame),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => return Err(gone()),
        };
        let frame = match ready {
            Some(_) if self.cancel.is_cancelled() => return Err(cancelled()),
            Some(frame) => frame,
            None => self.runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = self.cancel.cancelled() => Err(cancelled()),
                    next = self.inward.recv() => next.ok_or_else(gone),
                }
            })?,
        };
        match frame {
            Frame::Bytes(bytes) => Ok(Some(bytes)),
            Frame::Control(Control::Done(summary)) => {
                self.told = Some(summary);
                Ok(None)
            }
            Frame::Control(Control::Failed(report)) => Err(io::Error::other(report.message)),
        }
    }
}

/// A reader from a pipe, until the other end reports the end; hashes the data.
pub(crate) struct Incoming<'p> {
    receiver: FrameReceiver<'p>,
    now: Bytes,
    hash: Sha256,
}

impl<'p> Incoming<'p> {
    /// Must be called inside the runtime.
    pub(crate) fn new(inward: &'p mut mpsc::Receiver<Frame>, cancel: &'p CancellationToken) -> Self {
        Self { receiver: FrameReceiver::new(inward, cancel), now: Bytes::new(), hash: Sha256::new() }
    }

    /// The hash of everything read, and the other end's summary.
    pub(crate) fn finish(self) -> (String, Option<Summary>) {
        (hex(&self.hash.finalize()), self.receiver.told)
    }
}

impl Read for Incoming<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            let Some(bytes) = self.receiver.next()? else { return Ok(0) };
            self.hash.update(&bytes);
            self.now = bytes;
        }
        let taken = into.len().min(self.now.len());
        self.now.copy_to_slice(&mut into[..taken]);
        Ok(taken)
    }
}
