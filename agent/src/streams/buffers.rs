//! Buffers of frames, used again: one of this size that is freed and allocated anew costs a page fault for every 4 KiB.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::pipe::FRAME_BYTES;

/// Buffers that wait to be used again; as many as are usually on their way in one direction.
const KEPT: usize = 6;

/// The buffers of one stream, freed with the last of them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer of [`FRAME_BYTES`]; goes back when dropped.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    /// How many of them count once it is frozen.
    filled: usize,
    free: Buffers,
}

impl Buffers {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer with whatever it had in it.
    #[must_use]
    pub fn take(&self) -> Buffer {
        let free = self.lock().pop();
        let bytes = free.unwrap_or_else(|| vec![0; FRAME_BYTES]);
        Buffer { bytes, filled: 0, free: self.clone() }
    }

    /// Frees what waits.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.lock().len()
    }
}

impl Buffer {
    /// All of it, to be filled from the start.
    pub fn all(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Its first bytes, without a copy.
    #[must_use]
    pub fn freeze(mut self, filled: usize) -> Bytes {
        self.filled = filled.min(self.bytes.len());
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.free.lock();
        if free.len() < KEPT {
            free.push(mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_nobody_reads_it_any_more() {
        let buffers = Buffers::default();
        let mut first = buffers.take();
        first.all()[..3].copy_from_slice(b"abc");
        let place = first.all().as_ptr();
        let frozen = first.freeze(3);
        let part = frozen.slice(1..);
        drop(frozen);
        assert_ne!(buffers.take().all().as_ptr(), place, "part of it is still read");
        assert_eq!(part, "bc");
        drop(part);
        let taken: Vec<_> = (0..2).map(|_| buffers.take()).collect();
        assert!(taken.iter().any(|buffer| buffer.bytes.as_ptr() == place));
    }

    #[test]
    fn no_more_are_kept_than_are_used() {
        let buffers = Buffers::default();
        let many: Vec<_> = (0..3 * KEPT).map(|_| buffers.take()).collect();
        drop(many);
        assert_eq!(buffers.lock().len(), KEPT);
    }
}
