//! A pipe as seen from a blocking thread: reading and writing with files is done there.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use protocol::{Control, Summary};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::pipe::{FRAME_BYTES, Frame};

fn cancelled() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the transfer was called off")
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection ended before everything was there")
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

/// Writes into a pipe, and hashes what goes by.
pub(crate) struct Outgoing<'p> {
    out: &'p mpsc::Sender<Frame>,
    cancel: &'p CancellationToken,
    runtime: Handle,
    buffer: BytesMut,
    hash: Sha256,
}

impl<'p> Outgoing<'p> {
    /// To be made within the runtime.
    pub(crate) fn new(out: &'p mpsc::Sender<Frame>, cancel: &'p CancellationToken) -> Self {
        let buffer = BytesMut::with_capacity(FRAME_BYTES);
        Self { out, cancel, runtime: Handle::current(), buffer, hash: Sha256::new() }
    }

    fn send(&mut self, piece: Frame) -> io::Result<()> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(cancelled()),
                sent = self.out.send(piece) => sent.map_err(|_closed| gone()),
            }
        })
    }

    /// The hash of all that was written; sends what is still here.
    pub(crate) fn finish(mut self) -> io::Result<String> {
        self.flush()?;
        Ok(hex(&self.hash.finalize()))
    }
}

impl Write for Outgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(FRAME_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == FRAME_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.hash.update(&self.buffer);
        let full = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(FRAME_BYTES));
        self.send(Frame::Bytes(full.freeze()))
    }
}

/// Reads from a pipe until the other end says that this was all, and hashes what comes.
pub(crate) struct Incoming<'p> {
    inward: &'p mut mpsc::Receiver<Frame>,
    cancel: &'p CancellationToken,
    runtime: Handle,
    now: Bytes,
    hash: Sha256,
    told: Option<Summary>,
}

impl<'p> Incoming<'p> {
    /// To be made within the runtime.
    pub(crate) fn new(inward: &'p mut mpsc::Receiver<Frame>, cancel: &'p CancellationToken) -> Self {
        let runtime = Handle::current();
        Self { inward, cancel, runtime, now: Bytes::new(), hash: Sha256::new(), told: None }
    }

    /// The hash of all that was read, and what the other end said at its end.
    pub(crate) fn finish(self) -> (String, Option<Summary>) {
        (hex(&self.hash.finalize()), self.told)
    }
}

impl Read for Incoming<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            if self.told.is_some() {
                return Ok(0);
            }
            let next = self.runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = self.cancel.cancelled() => Err(cancelled()),
                    next = self.inward.recv() => next.ok_or_else(gone),
                }
            })?;
            match next {
                Frame::Bytes(bytes) => {
                    self.hash.update(&bytes);
                    self.now = bytes;
                }
                Frame::Control(Control::Done(summary)) => self.told = Some(summary),
                Frame::Control(Control::Failed(report)) => return Err(io::Error::other(report.message)),
            }
        }
        let taken = into.len().min(self.now.len());
        self.now.copy_to_slice(&mut into[..taken]);
        Ok(taken)
    }
}
