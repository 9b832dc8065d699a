//! What all work on files needs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use protocol::{ServerId, ToPanel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::store::Store;
use crate::fs::{FileError, RootDir};
use crate::link::Outbox;
use crate::server::folder;
use crate::stats::{Usages, size};
use crate::streams::StreamOpener;

/// How old may be what was measured of a server with a limit.
const MEASURED: Duration = Duration::from_secs(600);

/// What all work on files needs.
#[derive(Debug)]
pub(crate) struct FilesContext {
    pub(crate) data_dir: PathBuf,
    pub(crate) tasks: TaskTracker,
    pub(crate) cancel: CancellationToken,
    /// For progress.
    pub(crate) out: Outbox<ToPanel>,
    /// None: this agent opens no connections for bulk bytes.
    pub(crate) opener: Option<Arc<dyn StreamOpener>>,
    /// What the servers' files take.
    pub(crate) usages: Usages,
}

/// The server may not take that much.
pub(super) fn over_quota(free: u64) -> FileError {
    FileError::OverQuota(format!("of the limit of the server's disk {} are free", size(free)))
}

impl FilesContext {
    /// A server's folder.
    pub(super) fn root(&self, server_id: &ServerId) -> Result<RootDir, FileError> {
        if !server_id.is_valid() {
            return Err(FileError::BadServer);
        }
        RootDir::open(&folder::of(&self.data_dir, server_id))
    }

    /// What a server may take more; none where that is not bounded.
    pub(super) fn free(&self, server_id: &ServerId) -> Option<u64> {
        let free = self.usages.free(server_id)?;
        // For the next one, where that is long ago.
        self.usages.measure(server_id, MEASURED, |_| {});
        Some(free)
    }

    /// An error where a server may not take so many bytes more.
    pub(super) fn afford(&self, server_id: &ServerId, bytes: u64) -> Result<(), FileError> {
        match self.free(server_id) {
            Some(free) if free < bytes => Err(over_quota(free)),
            _ => Ok(()),
        }
    }

    /// What is kept beside it. The server's folder must be there.
    pub(super) fn store(&self, server_id: &ServerId) -> Result<Store, FileError> {
        self.root(server_id)?;
        Store::open(&folder::files_of(&self.data_dir, server_id))
    }
}
