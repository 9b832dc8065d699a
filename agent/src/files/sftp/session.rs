//! One client's session: its packets, one after the other.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::ServerId;
use sftp::{Extended, FromClient, FromServer, MAX_DATA, Reply, Request, StatusCode, next_packet};

use super::answer::Refused;
use super::handles::Handles;
use super::trees::Tree;
use crate::files::context::FilesContext;
use crate::fs::FileError;
use crate::streams::FRAME_BYTES;

/// Bytes of an answer that is not a piece of a file.
const SMALL: usize = 64 * 1024;
/// The least room for a piece of a file: its head.
const HEAD: usize = 16;

/// One client's session.
#[derive(Debug)]
pub(crate) struct Session {
    tree: Tree,
    handles: Handles,
    out: BytesMut,
}

/// Takes a frame to the client.
type Send<'s> = &'s mut dyn FnMut(Bytes) -> io::Result<()>;

impl Session {
    /// Opens the server's folder. Blocks.
    pub(crate) fn open(
        context: Arc<FilesContext>,
        server_id: ServerId,
        writable: bool,
    ) -> Result<Self, FileError> {
        let tree = Tree::open(context, server_id, writable)?;
        Ok(Self { tree, handles: Handles::default(), out: BytesMut::new() })
    }

    pub(super) fn server_id(&self) -> &ServerId {
        self.tree.server_id()
    }

    /// Whether something was written that may not be on the disk yet.
    pub(super) fn is_dirty(&self) -> bool {
        self.tree.is_dirty()
    }

    /// Brings what was written to the disk. Blocks.
    pub(super) fn settled(mut self) -> Self {
        self.tree.settle();
        self
    }

    /// Answers all packets of a frame. Blocks.
    pub(super) fn serve(&mut self, mut frame: BytesMut, send: Send<'_>) -> io::Result<()> {
        while let Some(packet) = next_packet(&mut frame).map_err(io::Error::other)? {
            self.packet(packet, send)?;
        }
        if !frame.is_empty() {
            return Err(io::Error::other("a frame that ends within a packet"));
        }
        self.flush(send)
    }

    fn packet(&mut self, packet: Bytes, send: Send<'_>) -> io::Result<()> {
        let (id, request) = match FromClient::decode(packet) {
            Ok(FromClient::Request { id, request }) => (id, request),
            Ok(FromClient::Init { .. }) => return Err(io::Error::other("a session that begins again")),
            Err(error) => {
                let Some(id) = error.id() else { return Err(io::Error::other(error)) };
                let code = match error {
                    sftp::DecodeError::Unknown { .. } => StatusCode::Unsupported,
                    _ => StatusCode::BadMessage,
                };
                return self.put(id, Reply::status(code, format!("This is {error}.")), send);
            }
        };
        if let Request::Read { handle, offset, length } = request {
            return self.read(id, &handle, offset, length, send);
        }
        let reply = self.answer(request).unwrap_or_else(Refused::into_reply);
        self.put(id, reply, send)
    }

    fn put(&mut self, id: u32, reply: Reply, send: Send<'_>) -> io::Result<()> {
        self.room(SMALL, send)?;
        FromServer::Reply { id, reply }.encode(&mut self.out);
        Ok(())
    }

    /// A piece of a file is read to where it is sent from.
    fn read(&mut self, id: u32, handle: &[u8], offset: u64, length: u32, send: Send<'_>) -> io::Result<()> {
        let most = usize::try_from(length).unwrap_or(usize::MAX).min(MAX_DATA);
        self.room(most + HEAD, send)?;
        let file = match self.handles.file(handle) {
            Ok(file) => file,
            Err(refused) => return self.put(id, refused.into_reply(), send),
        };
        let read = FromServer::encode_data(id, most, &mut self.out, |to| file.read(offset, most, to));
        match read {
            Ok(_) => Ok(()),
            Err(refused) => self.put(id, refused.into_reply(), send),
        }
    }

    /// Flushes the output if there is no room for `bytes` more.
    fn room(&mut self, bytes: usize, send: Send<'_>) -> io::Result<()> {
        if self.out.len() + bytes > FRAME_BYTES {
            self.flush(send)?;
        }
        Ok(())
    }

    fn flush(&mut self, send: Send<'_>) -> io::Result<()> {
        match self.out.is_empty() {
            true => Ok(()),
            false => send(self.out.split().freeze()),
        }
    }

    fn answer(&mut self, request: Request) -> Result<Reply, Refused> {
        let Self { tree, handles, out: _ } = self;
        Ok(match request {
            Request::Open { path, flags, attrs } => {
                handles.room()?;
                Reply::Handle(handles.add_file(tree.open_file(&path, flags, attrs)?))
            }
            Request::Close { handle } => {
                handles.remove(&handle)?;
                Reply::ok()
            }
            Request::Write { handle, offset, data } => {
                tree.write(handles.file(&handle)?, offset, &data)?;
                Reply::ok()
            }
            Request::Stat { path } => Reply::Attrs(tree.stat(&path)?),
            Request::Lstat { path } => Reply::Attrs(tree.lstat(&path)?),
            Request::Fstat { handle } => Reply::Attrs(handles.stat(&handle)?),
            Request::SetStat { path, attrs } => {
                tree.set(&path, attrs, true)?;
                Reply::ok()
            }
            Request::Extended(Extended::LsetStat { path, attrs }) => {
                tree.set(&path, attrs, false)?;
                Reply::ok()
            }
            Request::FsetStat { handle, attrs } => {
                tree.set_open(handles.file(&handle)?, attrs)?;
                Reply::ok()
            }
            Request::OpenDir { path } => {
                handles.room()?;
                Reply::Handle(handles.add_folder(tree.open_folder(&path)?))
            }
            Request::ReadDir { handle } => Reply::Names(handles.folder(&handle)?.read()?),
            Request::Remove { path } => {
                tree.remove(&path)?;
                Reply::ok()
            }
            Request::MakeDir { path, attrs } => {
                tree.make_folder(&path, attrs)?;
                Reply::ok()
            }
            Request::RemoveDir { path } => {
                tree.remove_folder(&path)?;
                Reply::ok()
            }
            Request::Rename { from, to } => {
                tree.rename(&from, &to, false)?;
                Reply::ok()
            }
            Request::Extended(Extended::PosixRename { from, to }) => {
                tree.rename(&from, &to, true)?;
                Reply::ok()
            }
            Request::ReadLink { path } => Reply::Names(vec![tree.read_link(&path)?]),
            Request::SymLink { target, link } => {
                tree.make_link(&target, &link)?;
                Reply::ok()
            }
            Request::Extended(Extended::StatVfs { .. }) => Reply::Extended(tree.room()?.encode()),
            Request::Extended(Extended::FstatVfs { handle }) => {
                handles.stat(&handle)?;
                Reply::Extended(tree.room()?.encode())
            }
            Request::Extended(Extended::Fsync { handle }) => {
                handles.file(&handle)?.sync()?;
                Reply::ok()
            }
            // The panel answers these itself.
            Request::RealPath { .. } | Request::Extended(Extended::Limits | Extended::Other { .. }) => {
                return Err(Refused::new(StatusCode::Unsupported, "This request is not supported."));
            }
            Request::Read { .. } => {
                return Err(Refused::new(StatusCode::Failure, "This was answered already."));
            }
        })
    }
}
