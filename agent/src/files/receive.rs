//! A file on its way from the panel, over a connection of its own.

use std::io::Write;

use protocol::{FileReceive, FileTarget, ToPanel};
use tokio_util::sync::CancellationToken;

use super::context::FilesContext;
use super::store::{Store, sync};
use super::uploads::{Turns, UploadPart};
use super::{list, versions};
use crate::fs::{FileError, NewFile, RelPath, Replace, RootDir, look};
use crate::streams::{FrameReceiver, Pipe};

/// What only where there is no file.
const NONE: &str = "none";

/// What is received, prepared for.
pub(super) enum Target {
    /// The whole content of a file.
    Content(Box<Content>),
    /// A piece of an upload.
    UploadPart { root: RootDir, piece: Box<UploadPart> },
}

/// The whole content of a file.
pub(super) struct Content {
    store: Store,
    path: RelPath,
    new: NewFile,
    replace: Replace,
    size: Option<u64>,
    if_match: Option<String>,
    keep_version: bool,
}

/// Prepares for what comes. Blocks.
pub(super) fn open(context: &FilesContext, turns: &Turns, asked: &FileReceive) -> Result<Target, FileError> {
    let server_id = &asked.server_id;
    let (root, store) = (context.root(server_id)?, context.store(server_id)?);
    match &asked.target {
        FileTarget::Content { path, size, if_match, keep_version } => {
            let path = RelPath::parse(path)?;
            context.afford(server_id, size.unwrap_or(1))?;
            context.usages.wrote(server_id, size.unwrap_or(0));
            let replace = if if_match.as_deref() == Some(NONE) { Replace::Nothing } else { Replace::File };
            let new = NewFile::begin(&root, &path, Some(&store.parts()?), replace).map_err(changed)?;
            let content = Content {
                store,
                path,
                new,
                replace,
                size: *size,
                if_match: if_match.clone(),
                keep_version: *keep_version,
            };
            content.compare()?;
            Ok(Target::Content(Box::new(content)))
        }
        FileTarget::Upload { id, offset } => {
            let turn = turns.take(server_id, id)?;
            let piece = Box::new(UploadPart::begin(&store, id, *offset, turn)?);
            Ok(Target::UploadPart { root, piece })
        }
    }
}

/// Something is there where nothing may be: it came since the caller looked.
fn changed(error: FileError) -> FileError {
    match error {
        FileError::Exists => FileError::Changed,
        error => error,
    }
}

/// Receives it. Blocks; within the runtime.
pub(super) fn receive(
    target: Target,
    pipe: &mut Pipe,
    cancel: &CancellationToken,
) -> Result<ToPanel, FileError> {
    let receiver = FrameReceiver::new(&mut pipe.inward, cancel);
    match target {
        Target::Content(content) => content.receive(receiver),
        Target::UploadPart { root, mut piece } => {
            let room = piece.room();
            let done = fill(piece.file(), room, receiver);
            if let Err(error) = done {
                piece.break_off();
                return Err(error);
            }
            piece.end(&root).map(ToPanel::UploadInfo)
        }
    }
}

/// Writes what comes, at most so many bytes.
fn fill(to: &mut std::fs::File, most: u64, mut receiver: FrameReceiver<'_>) -> Result<u64, FileError> {
    let mut written = 0;
    loop {
        let bytes = match receiver.next() {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(written),
            Err(_) => return Err(FileError::BrokenOff),
        };
        written += bytes.len() as u64;
        if written > most {
            return Err(FileError::Conflict("more bytes came than were announced"));
        }
        to.write_all(&bytes).map_err(FileError::io("write it"))?;
    }
}

impl Content {
    /// Whether the file is still what the caller wants to replace.
    fn compare(&self) -> Result<(), FileError> {
        let Some(wanted) = self.if_match.as_deref() else { return Ok(()) };
        let (folder, name) = self.new.place();
        match look(folder, name) {
            Ok(stat) if wanted == list::etag(&stat) => Ok(()),
            Err(FileError::NotFound) if wanted == NONE => Ok(()),
            Ok(_) | Err(FileError::NotFound) => Err(FileError::Changed),
            Err(error) => Err(error),
        }
    }

    fn receive(mut self, receiver: FrameReceiver<'_>) -> Result<ToPanel, FileError> {
        let written = fill(self.new.file(), self.size.unwrap_or(u64::MAX), receiver)?;
        if self.size.is_some_and(|size| size != written) {
            return Err(FileError::Conflict("fewer bytes came than were announced"));
        }
        self.compare()?;
        if self.keep_version {
            let (folder, name) = self.new.place();
            versions::keep(&self.store, &self.path, folder, name)?;
        }
        let folder = self.new.commit(self.replace).map_err(changed)?;
        sync(&folder)?;
        let stat = look(&folder, self.path.name().unwrap_or_default())?;
        Ok(ToPanel::FileInfo(Box::new(list::info(&self.path, &stat))))
    }
}
