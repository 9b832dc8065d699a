//! Copies the files of a legacy container, which keeps them inside, into the server's folder before the container is
//! recreated: all of them, or nothing changes.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use protocol::{Progress, ServerId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::folder;
use super::launch::LaunchError;
use crate::fs::archive::{self, ArchiveError, Bounds, Form, Owners, Unpacked};
use crate::runtime::{ContainerState, EngineError, Fault};

/// Archive chunks buffered between the engine and the disk.
const PIECES: usize = 16;
/// The size of a container's content is not known ahead, so bytes are only limited by the disk.
const BOUNDS: Bounds = Bounds { bytes: u64::MAX, entries: 20_000_000, folders: 1_000_000 };
/// Bytes between progress reports.
const SAY_EVERY: u64 = 4 << 20;

/// Result of an import.
pub(super) enum ImportedFiles {
    /// All files are in the server's folder.
    Home(Unpacked),
    /// Not possible, for this reason; the container is unchanged.
    No(String),
}

/// Everything an import needs.
pub(super) struct ImportFiles<'b> {
    pub(super) context: &'b Arc<Context>,
    pub(super) server_id: &'b ServerId,
    /// Owner of the copied files as `(uid, gid)`; `None` leaves them to this process.
    pub(super) owner: Option<(u32, u32)>,
    pub(super) progress: &'b watch::Sender<Option<Progress>>,
    pub(super) cancel: &'b CancellationToken,
}

impl ImportFiles<'_> {
    /// Copies the working directory of a stopped container.
    pub(super) async fn home(&self, seen: &ContainerState) -> Result<ImportedFiles, LaunchError> {
        let engine = &self.context.engine;
        let Some(found) = engine.describe(&seen.id).await? else {
            return Ok(ImportedFiles::No("it is gone".into()));
        };
        let from = found.working_dir;
        if from.trim_matches('/').is_empty() {
            return Ok(ImportedFiles::No("its working directory is the whole of its file system".into()));
        }
        if let Some(mount) = found.mounts.iter().find(|mount| !inside(mount, &from)) {
            return Ok(ImportedFiles::No(format!(
                "it keeps files in {mount} as well, beside its working directory"
            )));
        }
        // Its restart policy would have the engine start it again, no matter who stopped it.
        engine.disable_restart(&seen.id).await?;
        let servers = folder::servers(&self.context.data_dir);
        let temporary = folder::bringing(&self.context.data_dir, self.server_id);
        let copied = self.copy(&seen.id, &from, &temporary).await;
        let taken = match copied {
            Ok(taken) => taken,
            Err(error) => {
                self.discard(temporary).await;
                return match error {
                    LaunchError::Failed { message, .. } => Err(failed(&message)),
                    other => Err(other),
                };
            }
        };
        let home = folder::of(&self.context.data_dir, self.server_id);
        let moved = tokio::task::spawn_blocking(move || settle(&servers, &temporary, &home)).await;
        match moved {
            Ok(Ok(())) => Ok(ImportedFiles::Home(taken)),
            Ok(Err(error)) => Err(failed(&error.to_string())),
            Err(_) => Err(failed("broken off")),
        }
    }

    async fn copy(&self, id: &str, from: &str, to: &Path) -> Result<Unpacked, LaunchError> {
        let (sender, receiver) = mpsc::channel(PIECES);
        let (to, owner, progress) = (to.to_owned(), self.owner, self.progress.clone());
        let stop = self.cancel.clone();
        let work = tokio::task::spawn_blocking(move || {
            let file = |doing| {
                let path = to.display().to_string();
                move |source| ArchiveError::File { doing, path, source }
            };
            crate::fs::remove(&to, &stop).map_err(file("removing"))?;
            DirBuilder::new().mode(0o700).create(&to).map_err(file("making"))?;
            let from = Pieces { receiver, piece: Bytes::new(), read: 0, said: 0, progress };
            let owners = Owners { settable: owner.is_some(), there: None, here: owner, all: true };
            archive::unpack(archive::open(&to)?, from, Form::Engine, BOUNDS, owners).map(|(taken, _)| taken)
        });
        let sent = tokio::select! {
            sent = self.context.engine.copy_out(id, from, sender) => Some(sent),
            () = self.cancel.cancelled() => None,
        };
        // The sender of the chunks is dropped here, so the thread ends as well. Wait for it before removing anything.
        let unpacked = work.await;
        self.progress.send_replace(None);
        let Some(sent) = sent else { return Err(LaunchError::Cancelled) };
        match (sent, unpacked) {
            (Ok(()), Ok(Ok(taken))) => Ok(taken),
            (_, Ok(Err(error))) if error.is_disk_full() => Err(failed("the disk is full")),
            (Err(error), _) if error.fault == Fault::Away => Err(LaunchError::Away(error)),
            (Err(EngineError { message, .. }), _) => Err(failed(&message)),
            (Ok(()), Ok(Err(error))) => Err(failed(&error.to_string())),
            (Ok(()), Err(_)) => Err(failed("broken off")),
        }
    }

    /// Moves an incomplete copy aside.
    async fn discard(&self, temporary: std::path::PathBuf) {
        let (data_dir, id) = (self.context.data_dir.clone(), self.server_id.to_owned());
        let discarded = tokio::task::spawn_blocking(move || {
            if let Err(error) = folder::discard(&data_dir, &id, &temporary) {
                tracing::warn!(path = %temporary.display(), %error, "half a copy could not be taken out of the way");
            }
        });
        // If this is interrupted, the next attempt repeats it.
        let _ = discarded.await;
        self.context.shared.sweeper.wake();
    }
}

fn failed(message: &str) -> LaunchError {
    let message = format!(
        "Its files could not be copied out of the container that another agent made, which is left as it is: {message}"
    );
    LaunchError::Failed { message, exit_code: None }
}

fn inside(path: &str, folder: &str) -> bool {
    Path::new(path).starts_with(folder)
}

/// Moves the copy into place. An existing folder (an earlier, unused copy) is kept beside it.
fn settle(servers: &Path, temporary: &Path, home: &Path) -> io::Result<()> {
    match fs::remove_dir(home) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(_) => keep(servers, home)?,
    }
    fs::rename(temporary, home)?;
    File::open(servers)?.sync_all()
}

fn keep(servers: &Path, home: &Path) -> io::Result<()> {
    let name = home.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (0..1_000).map(|n| servers.join(format!(".kept-{name}-{n}"))).find(|path| !path.exists());
    let kept = free.ok_or_else(|| io::Error::other("too many older copies lie there"))?;
    tracing::warn!(kept = %kept.display(), "an older copy of a server's files is kept beside");
    fs::rename(home, kept)
}

/// The archive stream of the engine as a blocking reader.
struct Pieces {
    receiver: mpsc::Receiver<Bytes>,
    piece: Bytes,
    read: u64,
    said: u64,
    progress: watch::Sender<Option<Progress>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.piece.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        self.read += length as u64;
        if self.read - self.said >= SAY_EVERY {
            self.said = self.read;
            let text = format!("Copying its files out of the old container: {} MB", self.read >> 20);
            self.progress.send_replace(Some(Progress { percent: None, text }));
        }
        Ok(length)
    }
}
