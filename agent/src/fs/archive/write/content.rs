//! A file's content, while a game may be writing to it.

use std::fs::File;
use std::io::{self, Read};

use rustix::fd::OwnedFd;

use super::super::watch::{Step, Watch};

/// As many bytes as the file had when it was opened, or fewer where it became shorter. Reading fails only where nobody wants
/// it any more; what the system says instead of bytes is kept.
pub(super) struct Content<'w, 's> {
    file: File,
    /// Bytes that it had.
    bytes: u64,
    read: u64,
    problem: Option<String>,
    cancelled: bool,
    watch: &'w mut Watch<'s>,
    before: Step<'w>,
}

impl<'w, 's> Content<'w, 's> {
    pub(super) fn new(file: OwnedFd, bytes: u64, watch: &'w mut Watch<'s>, before: Step<'w>) -> Self {
        Self { file: file.into(), bytes, read: 0, problem: None, cancelled: false, watch, before }
    }

    /// How much was read of it, why not all, and whether somebody called it off.
    pub(super) fn end(self) -> (u64, Option<String>, bool) {
        let short = (self.read < self.bytes).then(|| "it became shorter while it was read".to_owned());
        (self.read, self.problem.or(short), self.cancelled)
    }
}

impl Read for Content<'_, '_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let step = Step { bytes: self.before.bytes + self.read, ..self.before };
        if self.watch.step(step).is_err() {
            self.cancelled = true;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let most = usize::try_from(self.bytes - self.read).unwrap_or(usize::MAX).min(to.len());
        if self.problem.is_some() || most == 0 {
            return Ok(0);
        }
        match self.file.read(&mut to[..most]) {
            Ok(read) => {
                self.read += read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.problem = Some(error.to_string());
                Ok(0)
            }
        }
    }
}
