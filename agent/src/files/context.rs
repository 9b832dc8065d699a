//! What all work on files needs.

use std::path::PathBuf;
use std::sync::Arc;

use protocol::{ServerId, ToPanel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::store::Store;
use crate::fs::{FileError, RootDir};
use crate::link::Outbox;
use crate::server::folder;
use crate::streams::StreamOpener;

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
}

impl FilesContext {
    /// A server's folder.
    pub(super) fn root(&self, server_id: &ServerId) -> Result<RootDir, FileError> {
        if !server_id.is_valid() {
            return Err(FileError::BadServer);
        }
        RootDir::open(&folder::of(&self.data_dir, server_id))
    }

    /// What is kept beside it. The server's folder must be there.
    pub(super) fn store(&self, server_id: &ServerId) -> Result<Store, FileError> {
        self.root(server_id)?;
        Store::open(&folder::files_of(&self.data_dir, server_id))
    }
}
