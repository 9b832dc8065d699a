//! Tar streams.

use std::io::{self, Read, Write};

use tar::{Builder, EntryType};

use super::super::pack::head;
use super::entries::{Attributes, Entries};

/// Bytes that are read and written at once.
const CHUNK: usize = 128 << 10;

pub(super) struct Writer<W: Write> {
    to: Builder<W>,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to: Builder::new(to), buffer: vec![0; CHUNK] }
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.to.into_inner()
    }
}

impl<W: Write> Entries for Writer<W> {
    fn folder(&mut self, path: &[u8], about: &Attributes) -> io::Result<()> {
        // Some programs know a folder by this alone.
        let path = [path, b"/"].concat();
        head(&mut self.to, EntryType::Directory, about, &path, None, 0)
    }

    fn symlink(&mut self, path: &[u8], about: &Attributes, target: &[u8]) -> io::Result<()> {
        head(&mut self.to, EntryType::Symlink, about, path, Some(target), 0)
    }

    fn file(
        &mut self,
        path: &[u8],
        about: &Attributes,
        bytes: u64,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        head(&mut self.to, EntryType::Regular, about, path, None, bytes)?;
        let mut left = bytes;
        loop {
            match content.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => {
                    self.to.get_mut().write_all(&self.buffer[..read])?;
                    left = left.saturating_sub(read as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // What it became shorter by, and to the end of a block.
        let filling = left + (512 - bytes % 512) % 512;
        io::copy(&mut io::repeat(0).take(filling), self.to.get_mut()).map(drop)
    }
}
