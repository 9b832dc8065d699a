//! A simulated disk that loses power, fails or is full at a chosen operation.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rand::RngExt;
use rand::rngs::StdRng;
use redb::{Builder, Database, DatabaseError, StorageBackend};

use crate::backend::Disk;
use crate::overlay::Overlay;

/// The unit that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A fault at an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Power is lost: nothing works from then on.
    PowerCut,
    /// This operation fails, later ones work.
    Error(io::ErrorKind),
    /// Writes fail from then on, until the disk is given space.
    Full,
}

/// Clones share the bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// The contents as programs see them.
    now: Vec<u8>,
    /// The contents that survive a power cut.
    safe: Vec<u8>,
    /// Sectors in which `now` and `safe` may differ.
    unsafe_sectors: BTreeSet<usize>,
    /// Number of writes and syncs so far.
    ops: u64,
    syncs: u64,
    fault: Option<(u64, Fault)>,
    dark: bool,
    full: bool,
    copies: Vec<u32>,
}

impl SimDisk {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.state().now.clone_from(&bytes);
        disk.state().safe = bytes;
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Injects `fault` at the operation with this number, counted from now.
    pub(crate) fn fail_at(&self, op: u64, fault: Fault) {
        let mut state = self.state();
        state.ops = 0;
        state.fault = Some((op, fault));
    }

    /// Ends the full state.
    pub(crate) fn free(&self) {
        self.state().full = false;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.state().full
    }

    pub(crate) fn ops(&self) -> u64 {
        self.state().ops
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.state().now.clone()
    }

    pub(crate) fn copies(&self) -> Vec<u32> {
        self.state().copies.clone()
    }

    /// One possible state of the disk after a power cut.
    pub(crate) fn after_power_cut(&self, random: &mut StdRng) -> Vec<u8> {
        let state = self.state();
        let mut bytes = state.safe.clone();
        if random.random() {
            bytes.resize(state.now.len(), 0);
        }
        for sector in &state.unsafe_sectors {
            let start = sector * SECTOR;
            let end = (start + SECTOR).min(bytes.len()).min(state.now.len());
            if start < end && random.random() {
                bytes[start..end].copy_from_slice(&state.now[start..end]);
            }
        }
        bytes
    }
}

impl State {
    /// Counts an operation; returns the result to report at its end.
    fn count(&mut self, needs_space: bool) -> io::Result<()> {
        if self.dark {
            return Err(io::Error::other("the power is out"));
        }
        self.ops += 1;
        if let Some((_, fault)) = self.fault.take_if(|(at, _)| self.ops >= *at) {
            match fault {
                Fault::PowerCut => {
                    self.dark = true;
                    return Err(io::Error::other("the power is out"));
                }
                Fault::Error(kind) => return Err(kind.into()),
                Fault::Full => self.full = true,
            }
        }
        if self.full && needs_space { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn mark(&mut self, start: usize, end: usize) {
        self.unsafe_sectors.extend(start / SECTOR..end.div_ceil(SECTOR));
    }
}

impl StorageBackend for SimDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let start = usize::try_from(offset).unwrap();
        let bytes = start.checked_add(out.len()).and_then(|end| state.now.get(start..end));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        let (old, new) = (state.now.len(), usize::try_from(len).unwrap());
        let outcome = state.count(new > old);
        // Power may be lost just after an operation as well as before it.
        if outcome.is_ok() || state.dark {
            state.now.resize(new, 0);
            state.mark(old.min(new), old.max(new));
        }
        outcome
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.count(false)?;
        state.syncs += 1;
        let State { now, safe, unsafe_sectors, .. } = &mut *state;
        safe.resize(now.len(), 0);
        for sector in std::mem::take(unsafe_sectors) {
            let start = sector * SECTOR;
            let end = (start + SECTOR).min(now.len());
            if start < end {
                safe[start..end].copy_from_slice(&now[start..end]);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let outcome = state.count(true);
        let start = usize::try_from(offset).unwrap();
        let end = start + data.len();
        if (outcome.is_ok() || state.dark) && end <= state.now.len() {
            state.now[start..end].copy_from_slice(data);
            state.mark(start, end);
        }
        outcome
    }
}

impl Disk for SimDisk {
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        builder.create_with_backend(self.clone())
    }

    fn overlay(&self) -> io::Result<Overlay> {
        Ok(Overlay::new(Box::new(self.clone()), self.state().now.len() as u64))
    }

    fn probe(&self) -> io::Result<()> {
        if self.state().full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn copy_aside(&self, schema: u32) -> io::Result<PathBuf> {
        self.state().copies.push(schema);
        Ok(PathBuf::from(format!("simulated.v{schema}.bak")))
    }

    fn path(&self) -> &Path {
        Path::new("simulated")
    }
}
