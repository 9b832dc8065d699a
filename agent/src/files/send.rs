//! A file on its way to the panel, over a connection of its own.

use std::io;
use std::sync::Arc;

use protocol::{Control, FileInfo, FileSend, FileSource, ServerId, Summary};
use rustix::fd::OwnedFd;
use rustix::fs::{Advice, OFlags, SeekFrom, fadvise, seek};
use tokio_util::sync::CancellationToken;

use super::archives::Sending;
use super::context::FilesContext;
use super::{list, versions};
use crate::fs::{FileError, RelPath, meaning, regular};
use crate::streams::{Buffers, FRAME_BYTES, Frame, FrameSender, Outgoing, Pipe};

/// What is sent, opened.
#[derive(Debug)]
pub(super) enum Opened {
    /// A file: from where it stands so many bytes.
    File { file: OwnedFd, bytes: u64, info: Box<FileInfo> },
    /// An archive, which is made on the way.
    Archive(Sending),
}

impl Opened {
    /// What the request is answered with; nothing for an archive.
    pub(super) fn info(&self) -> Option<FileInfo> {
        match self {
            Self::File { info, .. } => Some(info.as_ref().clone()),
            Self::Archive(_) => None,
        }
    }
}

/// Opens what is to be sent. Blocks.
pub(super) fn open(context: &Arc<FilesContext>, asked: &FileSend) -> Result<Opened, FileError> {
    let server_id: &ServerId = &asked.server_id;
    match &asked.source {
        FileSource::Content { path, offset, length, etag } => {
            let path = RelPath::parse(path)?;
            let file = context.root(server_id)?.get(&path, OFlags::RDONLY)?;
            let stat = regular(&file)?;
            let info = list::info(&path, &stat);
            if etag.as_ref().is_some_and(|etag| *etag != info.etag) {
                return Err(FileError::Changed);
            }
            let left = info.entry.size.saturating_sub(*offset);
            let bytes = length.map_or(left, |length| length.min(left));
            seek(&file, SeekFrom::Start(*offset)).map_err(meaning("read it"))?;
            // It is read ahead further; where that is not possible, it is not.
            let _ = fadvise(&file, *offset, std::num::NonZeroU64::new(bytes), Advice::Sequential);
            Ok(Opened::File { file, bytes, info: Box::new(info) })
        }
        FileSource::Version { path, id } => {
            let path = RelPath::parse(path)?;
            let (file, stat) = versions::open(&context.store(server_id)?, &path, id)?;
            let info = list::info(&path, &stat);
            Ok(Opened::File { file, bytes: info.entry.size, info: Box::new(info) })
        }
        FileSource::Archive { paths, format } => {
            Sending::open(&context.root(server_id)?, paths, *format).map(Opened::Archive)
        }
        FileSource::Backup { .. } => Err(FileError::NotSupported),
    }
}

/// Sends it, and says at the end that this was all. Blocks; within the runtime.
pub(super) fn send(opened: Opened, pipe: &Pipe, cancel: &CancellationToken) -> io::Result<u64> {
    let mut sender = FrameSender::new(&pipe.out, cancel);
    let sent = match opened {
        Opened::File { file, bytes, .. } => send_file(&file, bytes, &mut sender)?,
        Opened::Archive(archive) => {
            let mut to = Outgoing::unhashed(&pipe.out, cancel);
            let bytes = archive.write(&mut to, cancel)?;
            to.finish()?;
            bytes
        }
    };
    let summary = Summary { bytes: sent, ..Summary::default() };
    sender.send(Frame::Control(Control::Done(summary)))?;
    Ok(sent)
}

fn send_file(file: &OwnedFd, bytes: u64, sender: &mut FrameSender<'_>) -> io::Result<u64> {
    let (mut left, buffers) = (bytes, Buffers::default());
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(FRAME_BYTES);
        let (mut frame, mut filled) = (buffers.take(), 0);
        while filled < most {
            match rustix::io::read(file, &mut frame.all()[filled..most]) {
                Ok(0) => return Err(io::Error::other("the file became shorter while it was sent")),
                Ok(read) => filled += read,
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        left -= most as u64;
        sender.send(Frame::Bytes(frame.freeze(most)))?;
    }
    Ok(bytes)
}
