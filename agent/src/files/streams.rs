//! Contents of files over connections of their own: so many at a time, each from its request to its end.

use std::sync::Arc;
use std::time::Duration;

use protocol::{Control, ErrorCode, ErrorReport, FileReceive, FileSend, FileSftp, ToPanel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::context::FilesContext;
use super::refuse::refuse;
use super::sftp::{self, Session};
use super::uploads::Turns;
use super::{receive, send};
use crate::fs::FileError;
use crate::panel::reply_cache::Reply;
use crate::streams::{Frame, Pipe, Ticket};

/// Connections at a time.
const AT_ONCE: usize = 48;
/// The same of SFTP clients, which stay for hours and mostly do nothing.
const SFTP_CLIENTS: usize = 128;
/// How long the last word may take.
const ENDING: Duration = Duration::from_secs(10);

/// The connections of all servers' files. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct FileStreams {
    context: Arc<FilesContext>,
    turns: Turns,
    room: Arc<Semaphore>,
    clients: Arc<Semaphore>,
}

impl FileStreams {
    pub(super) fn new(context: Arc<FilesContext>) -> Self {
        Self {
            context,
            turns: Turns::default(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
            clients: Arc::new(Semaphore::new(SFTP_CLIENTS)),
        }
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, FileError> {
        Arc::clone(&self.room).try_acquire_owned().map_err(|_| FileError::Busy)
    }

    /// Sends a file.
    pub(super) fn send(&self, asked: FileSend, reply: Reply) {
        let permit = match self.permit() {
            Ok(permit) => permit,
            Err(error) => return refuse(reply, &error),
        };
        let streams = self.clone();
        drop(self.context.tasks.spawn(async move {
            let _permit = permit;
            let (server, ticket) = (asked.server_id.clone(), ticket(&asked.transfer_id, &asked.token));
            let context = Arc::clone(&streams.context);
            let opened = blocking(move || send::open(&context, &asked)).await;
            let opened = match opened {
                Ok(opened) => opened,
                Err(error) => return refuse(reply, &error),
            };
            let Some((pipe, reply)) = streams.dial(ticket, reply).await else { return };
            match opened.info() {
                Some(info) => reply.answer(ToPanel::FileInfo(Box::new(info))),
                None => reply.ack(None),
            }
            let cancel = streams.context.cancel.clone();
            let work = tokio::task::spawn_blocking(move || (send::send(opened, &pipe, &cancel), pipe));
            let Ok((Err(error), pipe)) = work.await else { return };
            tracing::debug!(%server, %error, "sending a file");
            let message = error.to_string();
            let report = ErrorReport { code: ErrorCode::File, message, ..ErrorReport::default() };
            let word = Frame::Control(Control::Failed(report));
            // Where nobody hears it, the connection's end says enough.
            let _ = tokio::time::timeout(ENDING, pipe.out.send(word)).await;
        }));
    }

    /// Receives a file.
    pub(super) fn receive(&self, asked: FileReceive, reply: Reply) {
        let permit = match self.permit() {
            Ok(permit) => permit,
            Err(error) => return refuse(reply, &error),
        };
        let streams = self.clone();
        drop(self.context.tasks.spawn(async move {
            let _permit = permit;
            let ticket = ticket(&asked.transfer_id, &asked.token);
            let (context, turns) = (Arc::clone(&streams.context), streams.turns.clone());
            let target = match blocking(move || receive::open(&context, &turns, &asked)).await {
                Ok(target) => target,
                Err(error) => return refuse(reply, &error),
            };
            let Some((mut pipe, reply)) = streams.dial(ticket, reply).await else { return };
            let cancel = streams.context.cancel.clone();
            // The connection is closed before the answer goes: whoever still sends learns that nobody listens.
            match blocking(move || receive::receive(target, &mut pipe, &cancel)).await {
                Ok(answer) => reply.answer(answer),
                Err(error) => refuse(reply, &error),
            }
        }));
    }

    /// Serves an SFTP client.
    pub(super) fn sftp(&self, asked: FileSftp, reply: Reply) {
        let Ok(permit) = Arc::clone(&self.clients).try_acquire_owned() else {
            return refuse(reply, &FileError::Busy);
        };
        let streams = self.clone();
        drop(self.context.tasks.spawn(async move {
            let _permit = permit;
            let ticket = ticket(&asked.transfer_id, &asked.token);
            let (context, writable) = (Arc::clone(&streams.context), asked.writable);
            let session = blocking(move || Session::open(context, asked.server_id, writable)).await;
            let session = match session {
                Ok(session) => session,
                Err(error) => return refuse(reply, &error),
            };
            let Some((pipe, reply)) = streams.dial(ticket, reply).await else { return };
            reply.ack(None);
            sftp::serve(session, pipe, &streams.context.cancel).await;
        }));
    }

    async fn dial(&self, ticket: Ticket, reply: Reply) -> Option<(Pipe, Reply)> {
        let Some(opener) = &self.context.opener else {
            refuse(reply, &FileError::NotSupported);
            return None;
        };
        match opener.open(ticket).await {
            Ok(pipe) => Some((pipe, reply)),
            Err(message) => {
                reply.refuse(ErrorCode::Conflict, format!("No connection for the data: {message}"));
                None
            }
        }
    }
}

fn ticket(transfer_id: &str, token: &str) -> Ticket {
    Ticket { transfer_id: transfer_id.to_owned(), token: token.to_owned() }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(FileError::BrokenOff))
}
