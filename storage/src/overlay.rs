//! A file whose changes stay in memory.
//!
//! redb repairs what it opens. A damaged file must not be changed, so the first check of it, including all repairs,
//! goes through this.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

const PAGE: usize = 4096;

/// A read-only base, with changes kept in memory on top.
#[derive(Debug)]
pub(crate) struct Overlay {
    base: Box<dyn StorageBackend>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    len: u64,
    /// Length of the visible part of the base. Shrinks when the file is truncated, so that bytes of a later extension
    /// are zero.
    visible: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
}

impl Overlay {
    pub(crate) fn new(base: Box<dyn StorageBackend>, len: u64) -> Self {
        Self { base, state: Mutex::new(State { len, visible: len, pages: BTreeMap::new() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from the base; zero beyond its visible part.
    fn read_base(&self, visible: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = (visible.saturating_sub(offset)).min(out.len() as u64) as usize;
        let (shown, zero) = out.split_at_mut(there);
        zero.fill(0);
        if shown.is_empty() { Ok(()) } else { self.base.read(offset, shown) }
    }
}

/// Splits a range into pages: page number, offset in the page, offset in the range, length.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        (done < len).then(|| {
            let at = offset + done as u64;
            let start = (at % PAGE as u64) as usize;
            let piece = (PAGE - start).min(len - done);
            done += piece;
            (at / PAGE as u64, start, done - piece, piece)
        })
    })
}

fn beyond_end() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "read beyond the end of the file")
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > state.len) {
            return Err(beyond_end());
        }
        for (page, start, at, len) in pieces(offset, out.len()) {
            let out = &mut out[at..at + len];
            match state.pages.get(&page) {
                Some(bytes) => out.copy_from_slice(&bytes[start..start + len]),
                None => self.read_base(state.visible, page * PAGE as u64 + start as u64, out)?,
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.visible = state.visible.min(len);
        state.len = len;
        let (last, start) = (len / PAGE as u64, (len % PAGE as u64) as usize);
        state.pages.split_off(&(last + 1));
        if let Some(bytes) = state.pages.get_mut(&last) {
            bytes[start..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        for (page, start, at, len) in pieces(offset, data.len()) {
            if !state.pages.contains_key(&page) {
                let mut bytes = Box::new([0; PAGE]);
                self.read_base(state.visible, page * PAGE as u64, &mut bytes[..])?;
                state.pages.insert(page, bytes);
            }
            if let Some(bytes) = state.pages.get_mut(&page) {
                bytes[start..start + len].copy_from_slice(&data[at..at + len]);
            }
        }
        state.len = state.len.max(offset + data.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn behaves_as_a_file_and_leaves_the_base_alone() {
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..50 {
            let base = redb::backends::InMemoryBackend::new();
            let mut model = vec![0; random.random_range(0..20_000)];
            random.fill_bytes(&mut model);
            base.set_len(model.len() as u64).unwrap();
            base.write(0, &model).unwrap();
            let before = model.clone();
            let overlay = Overlay::new(Box::new(base), model.len() as u64);
            for _ in 0..100 {
                match random.random_range(0..3) {
                    0 => {
                        model.resize(random.random_range(0..30_000), 0);
                        overlay.set_len(model.len() as u64).unwrap();
                    }
                    1 if !model.is_empty() => {
                        let at = random.random_range(0..model.len());
                        let mut data = vec![0; random.random_range(0..=(model.len() - at).min(9000))];
                        random.fill_bytes(&mut data);
                        model[at..at + data.len()].copy_from_slice(&data);
                        overlay.write(at as u64, &data).unwrap();
                    }
                    _ => {
                        let mut all = vec![1; model.len()];
                        overlay.read(0, &mut all).unwrap();
                        assert!(all == model);
                    }
                }
            }
            assert!(overlay.read(model.len() as u64, &mut [0]).is_err());
            let mut base = vec![0; before.len()];
            overlay.base.read(0, &mut base).unwrap();
            assert!(base == before);
        }
    }
}
