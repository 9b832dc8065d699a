//! Puts restored files in the place of a server's. They lie aside until they are whole; then the two folders change places in
//! one step, so that a kill at any moment leaves the one or the other.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::sync::{Arc, PoisonError};

use protocol::{ErrorCode, ServerId};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::server::{Context, folder};

/// Why a job failed.
pub(super) type Failed = (ErrorCode, String);

/// While it lives the server is not started.
pub(super) struct Still {
    context: Arc<Context>,
    server_id: ServerId,
}

impl Still {
    /// None where somebody holds it already.
    pub(super) fn hold(context: &Arc<Context>, server_id: &ServerId) -> Option<Self> {
        let mut held = context.shared.restoring.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(server_id.clone())
            .then(|| Self { context: Arc::clone(context), server_id: server_id.clone() })
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        let mut held = self.context.shared.restoring.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&self.server_id);
    }
}

/// Takes what lies aside out of the way.
pub(super) async fn clear(context: &Arc<Context>, server_id: &ServerId) -> Result<(), Failed> {
    let (data_dir, id) = (context.data_dir.clone(), server_id.clone());
    let cleared = tokio::task::spawn_blocking(move || {
        folder::discard(&data_dir, &id, &folder::restoring(&data_dir, &id)).map(drop)
    });
    let cleared = finished(cleared.await);
    context.shared.sweeper.wake();
    cleared
}

/// Puts what lies aside in the place of the server's files.
pub(super) async fn put(context: &Arc<Context>, server_id: &ServerId) -> Result<(), Failed> {
    let (data_dir, id) = (context.data_dir.clone(), server_id.clone());
    let put = tokio::task::spawn_blocking(move || exchange(&data_dir, &id));
    let put = finished(put.await);
    context.shared.sweeper.wake();
    put
}

/// Puts what lies aside to where a server that is made next finds its files.
pub(super) async fn arrive(context: &Arc<Context>, server_id: &ServerId) -> Result<(), Failed> {
    let (data_dir, id) = (context.data_dir.clone(), server_id.clone());
    let put = tokio::task::spawn_blocking(move || {
        let (new, arrived) = (folder::restoring(&data_dir, &id), folder::arrived(&data_dir, &id));
        // Whoever makes the server gives all of it to its user.
        folder::take(&new)?;
        folder::discard(&data_dir, &id, &arrived)?;
        fs::rename(&new, &arrived)?;
        File::open(folder::servers(&data_dir))?.sync_all()
    });
    let put = finished(put.await);
    context.shared.sweeper.wake();
    put
}

fn finished(done: Result<io::Result<()>, tokio::task::JoinError>) -> Result<(), Failed> {
    match done {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            Err((ErrorCode::AgentFailed, format!("The restored files could not be put in place: {error}.")))
        }
        Err(_) => Err((ErrorCode::AgentFailed, "The restored files could not be put in place.".into())),
    }
}

fn exchange(data_dir: &Path, id: &str) -> io::Result<()> {
    let (new, path) = (folder::restoring(data_dir, id), folder::of(data_dir, id));
    // What the backup says is in the folder; of itself it says nothing.
    if let Ok(old) = fs::symlink_metadata(&path) {
        fs::set_permissions(&new, old.permissions())?;
        if folder::may_give() {
            chown(&new, Some(old.uid()), Some(old.gid()))?;
        }
    }
    match renameat_with(CWD, &new, CWD, &path, RenameFlags::EXCHANGE) {
        Ok(()) => drop(folder::discard(data_dir, id, &new)?),
        // It has no files, or they lie where the kernel cannot exchange names.
        Err(Errno::NOENT | Errno::INVAL | Errno::NOSYS) => {
            folder::discard(data_dir, id, &path)?;
            fs::rename(&new, &path)?;
        }
        Err(errno) => return Err(errno.into()),
    }
    File::open(folder::servers(data_dir))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restored_files_take_the_place_of_the_present_ones() {
        let dir = tempfile::tempdir().unwrap();
        let (new, path) = (folder::restoring(dir.path(), "a"), folder::of(dir.path(), "a"));
        for there in [true, false] {
            drop(fs::remove_dir_all(&path));
            if there {
                fs::create_dir_all(&path).unwrap();
                fs::write(path.join("old"), "x").unwrap();
            }
            fs::create_dir_all(&new).unwrap();
            fs::write(new.join("new"), "y").unwrap();
            exchange(dir.path(), "a").unwrap();
            assert!(path.join("new").exists() && !path.join("old").exists() && !new.exists());
            let left = folder::leftovers(dir.path());
            assert_eq!(left.len(), 1, "{left:?}");
            assert!(left[0].join("old").exists());
        }
    }
}
