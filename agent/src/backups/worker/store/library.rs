//! Adapts a [`Store`] to rustic's traits. Applies the rate limit, and refuses to write a snapshot after an error.

use std::sync::Arc;

use bytes::Bytes;
use rustic_core::{BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};

use super::files::{Kind, Store};
use crate::backups::worker::guard::Guard;
use crate::backups::worker::message::{Failure, FailureCode};
use crate::backups::worker::throttle::Throttle;

/// A [`Store`] with rustic's traits.
#[derive(Debug)]
pub(in crate::backups::worker) struct LibraryStore {
    store: Arc<dyn Store>,
    guard: Guard,
    reads: Throttle,
    writes: Throttle,
}

impl LibraryStore {
    /// Snapshots are only written while `guard` has no problem.
    pub(in crate::backups::worker) fn new(store: Arc<dyn Store>, guard: Guard, mib_per_sec: u32) -> Self {
        let (reads, writes) = (Throttle::new(mib_per_sec), Throttle::new(mib_per_sec));
        Self { store, guard, reads, writes }
    }

    /// Records a failure, because rustic only keeps its text.
    fn failed(&self, failure: Failure) -> Box<RusticError> {
        let told = RusticError::new(ErrorKind::Backend, "{cause}").attach_context("cause", &*failure.message);
        self.guard.failed(failure);
        told
    }
}

impl ReadBackend for LibraryStore {
    fn location(&self) -> String {
        "repository".to_owned()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        self.store.list(tpe.into()).map_err(|failure| self.failed(failure))
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        let read = self.store.read(tpe.into(), id, None).map_err(|failure| self.failed(failure))?;
        self.reads.take(read.len() as u64);
        Ok(read)
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        self.reads.take(length.into());
        self.store.read(tpe.into(), id, Some((offset, length))).map_err(|failure| self.failed(failure))
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        Kind::from(tpe).path(id)
    }
}

impl WriteBackend for LibraryStore {
    fn create(&self) -> RusticResult<()> {
        self.store.prepare().map_err(|failure| self.failed(failure))
    }

    fn write_bytes(&self, tpe: FileType, id: &Id, _cacheable: bool, content: BytesList) -> RusticResult<()> {
        // A snapshot promises that all of its files are stored.
        if tpe == FileType::Snapshot
            && let Some(problem) = self.guard.first_problem()
        {
            return Err(self.failed(Failure::new(FailureCode::Failed, problem)));
        }
        self.writes.take(content.size() as u64);
        self.store.write(tpe.into(), id, content.slice()).map_err(|failure| self.failed(failure))
    }

    fn remove(&self, tpe: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        self.store.remove(tpe.into(), id).map_err(|failure| self.failed(failure))
    }
}
