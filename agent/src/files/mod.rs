//! The files of servers, for a panel: listed, read, written, moved, thrown away and brought back. What lies in a server's
//! folder belongs to a game, which may be at work in it at the same moment: every path is resolved by the kernel below the
//! folder's handle, with no way out ([`crate::fs::RootDir`]), and nothing that is not a plain file is opened.

mod actions;
mod archives;
mod chmod;
mod config;
mod context;
mod copy;
mod guarded;
mod job;
mod jobs;
mod list;
mod receive;
mod refuse;
mod search;
mod send;
mod sftp;
mod store;
mod streams;
mod sweep;
mod text;
mod trash;
mod uploads;
mod versions;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use protocol::{
    FileCancel, FileContent, FileList, FileOp, FileRead, FileReceive, FileRef, FileSearch, FileSend,
    FileSftp, FileWrite, ServerId, ToPanel, UploadCreate, UploadRef,
};
use tokio::sync::Semaphore;

pub(crate) use self::config::{Configured, configure, parts_beside};
pub(crate) use self::context::FilesContext;
use self::jobs::Jobs;
use self::refuse::refuse;
use self::search::look_for;
use self::streams::FileStreams;
use self::text::MOST;
use crate::fs::{FileError, RelPath, RootDir};
use crate::panel::reply_cache::Reply;
use crate::server::install_log;

/// Requests that are at work at once, and that may wait for their turn.
const AT_ONCE: usize = 8;
const WAITING: usize = 256;
/// Texts that are held in memory at once; who comes beyond that is told to try again.
const TEXTS: usize = 8;
/// Searches at a time: each has two threads.
const SEARCHES: usize = 4;

/// The files of all servers. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    context: Arc<FilesContext>,
    room: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    texts: Arc<Semaphore>,
    searches: Arc<Semaphore>,
    jobs: Jobs,
    streams: FileStreams,
}

impl Files {
    pub(crate) fn new(context: FilesContext) -> Self {
        let context = Arc::new(context);
        let (jobs, streams) = (Jobs::new(Arc::clone(&context)), FileStreams::new(Arc::clone(&context)));
        let room = |most| Arc::new(Semaphore::new(most));
        let (texts, waiting, searches) = (room(TEXTS), room(WAITING), room(SEARCHES));
        Self { context, room: room(AT_ONCE), waiting, texts, searches, jobs, streams }
    }

    /// Removes what has had its time, until the agent ends.
    pub(crate) fn start_sweeping(&self) {
        drop(self.context.tasks.spawn(sweep::run(Arc::clone(&self.context))));
    }

    /// Reads a file, and answers with it.
    pub(crate) fn read(&self, asked: FileRead, reply: Reply) {
        let FileRead { server_id, path } = asked;
        self.work_on_text(server_id.clone(), reply, move |_, root| {
            let content = Some(text::read(&root, &path)?);
            let server_id = Some(server_id);
            Ok(ToPanel::FileContent(FileContent { server_id, path, content, ..FileContent::default() }))
        });
    }

    /// Writes a file whole, and answers when it is on the disk.
    pub(crate) fn write(&self, asked: FileWrite, reply: Reply) {
        let FileWrite { server_id, path, content } = asked;
        if content.len() > MOST {
            return refuse(reply, &FileError::TooLarge);
        }
        self.work_on_text(server_id.clone(), reply, move |context, root| {
            let parts = context.store(&server_id)?.parts()?;
            text::write(&root, Some(&parts), &path, &content)?;
            let server_id = Some(server_id);
            Ok(ToPanel::FileContent(FileContent { server_id, path, ..FileContent::default() }))
        });
    }

    /// Answers with what the last installation printed.
    pub(crate) fn install_log(&self, server_id: ServerId, reply: Reply) {
        self.work_on_text(server_id.clone(), reply, move |context, _| {
            let content = install_log::read(&context.data_dir, &server_id)
                .map_err(|error| FileError::Io("read it", error))?
                .ok_or(FileError::NotFound)?;
            let (server_id, path) = (Some(server_id), "install.log".to_owned());
            let content = Some(content);
            Ok(ToPanel::FileContent(FileContent { server_id, path, content, ..FileContent::default() }))
        });
    }

    /// Answers with a page of a folder.
    pub(crate) fn list(&self, asked: FileList, reply: Reply) {
        self.work(asked.server_id.clone(), reply, move |_, root| {
            list::list(&root, &asked).map(ToPanel::FileEntries)
        });
    }

    /// Answers with what a file is.
    pub(crate) fn stat(&self, asked: FileRef, reply: Reply) {
        self.work(asked.server_id, reply, move |_, root| {
            list::stat(&root, &asked.path).map(|info| ToPanel::FileInfo(Box::new(info)))
        });
    }

    /// Changes files, and answers when that is done.
    pub(crate) fn op(&self, asked: FileOp, reply: Reply) {
        self.jobs.run(asked, reply);
    }

    /// Breaks a job or a search off.
    pub(crate) fn cancel(&self, asked: FileCancel, reply: Reply) {
        self.jobs.cancel(asked, reply);
    }

    /// Looks for files.
    pub(crate) fn search(&self, asked: FileSearch, reply: Reply) {
        let Some(turn) = self.jobs.begin(&asked.server_id, &asked.job_id, reply) else { return };
        let Ok(place) = Arc::clone(&self.searches).try_acquire_owned() else {
            return turn.end_with(Err(FileError::Busy));
        };
        let context = Arc::clone(&self.context);
        drop(self.context.tasks.spawn_blocking(move || {
            let _place = place;
            let found = context.root(&asked.server_id).and_then(|root| look_for(&root, &asked, &turn.cancel));
            turn.end_with(found.map(ToPanel::FileMatches));
        }));
    }

    /// Answers with what is in the trash.
    pub(crate) fn trash(&self, server_id: ServerId, reply: Reply) {
        self.work(server_id.clone(), reply, move |context, _| {
            trash::list(&context.store(&server_id)?).map(ToPanel::FileTrashList)
        });
    }

    /// Answers with what a file was before.
    pub(crate) fn versions(&self, asked: FileRef, reply: Reply) {
        let server_id = asked.server_id;
        self.work(server_id.clone(), reply, move |context, _| {
            let path = RelPath::parse(&asked.path)?;
            versions::list(&context.store(&server_id)?, &path).map(ToPanel::FileVersionList)
        });
    }

    /// Sends a file over a connection of its own.
    pub(crate) fn send(&self, asked: FileSend, reply: Reply) {
        self.streams.send(asked, reply);
    }

    /// Receives a file over a connection of its own.
    pub(crate) fn receive(&self, asked: FileReceive, reply: Reply) {
        self.streams.receive(asked, reply);
    }

    /// Serves a server's files to an SFTP client, over a connection of its own.
    pub(crate) fn sftp(&self, asked: FileSftp, reply: Reply) {
        self.streams.sftp(asked, reply);
    }

    /// Prepares for an upload.
    pub(crate) fn upload_create(&self, asked: UploadCreate, reply: Reply) {
        self.work_and_ack(asked.server_id.clone(), reply, move |context, root| {
            context.afford(&asked.server_id, asked.size)?;
            uploads::create(&root, &context.store(&asked.server_id)?, &asked)?;
            // Counted as if it were here: many may be under way.
            context.usages.wrote(&asked.server_id, asked.size);
            Ok(())
        });
    }

    /// Answers with how far an upload is.
    pub(crate) fn upload_stat(&self, asked: UploadRef, reply: Reply) {
        let UploadRef { server_id, id } = asked;
        self.work(server_id.clone(), reply, move |context, root| {
            uploads::stat(&root, &context.store(&server_id)?, &id).map(ToPanel::UploadInfo)
        });
    }

    /// Gives an upload up.
    pub(crate) fn upload_remove(&self, asked: UploadRef, reply: Reply) {
        let UploadRef { server_id, id } = asked;
        self.work_and_ack(server_id.clone(), reply, move |context, _| {
            uploads::remove(&context.store(&server_id)?, &id)
        });
    }

    fn work_and_ack(
        &self,
        server_id: ServerId,
        reply: Reply,
        work: impl FnOnce(&FilesContext, RootDir) -> Result<(), FileError> + Send + 'static,
    ) {
        self.work(server_id, reply, move |context, root| {
            work(context, root).map(|()| ToPanel::Ack(protocol::Ack::default()))
        });
    }

    /// Small requests wait for their turn.
    fn work(
        &self,
        server_id: ServerId,
        reply: Reply,
        work: impl FnOnce(&FilesContext, RootDir) -> Result<ToPanel, FileError> + Send + 'static,
    ) {
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return refuse(reply, &FileError::Busy);
        };
        let (context, room) = (Arc::clone(&self.context), Arc::clone(&self.room));
        drop(self.context.tasks.spawn(async move {
            let Ok(turn) = room.acquire_owned().await else { return };
            let held = (place, turn);
            let tasks = context.tasks.clone();
            drop(tasks.spawn_blocking(move || {
                let _held = held;
                answer(&context, &server_id, reply, work);
            }));
        }));
    }

    /// What holds a text in memory does not.
    fn work_on_text(
        &self,
        server_id: ServerId,
        reply: Reply,
        work: impl FnOnce(&FilesContext, RootDir) -> Result<ToPanel, FileError> + Send + 'static,
    ) {
        let Ok(place) = Arc::clone(&self.texts).try_acquire_owned() else {
            return refuse(reply, &FileError::Busy);
        };
        let context = Arc::clone(&self.context);
        drop(self.context.tasks.spawn_blocking(move || {
            let _place = place;
            answer(&context, &server_id, reply, work);
        }));
    }
}

fn answer(
    context: &FilesContext,
    server_id: &ServerId,
    reply: Reply,
    work: impl FnOnce(&FilesContext, RootDir) -> Result<ToPanel, FileError>,
) {
    match context.root(server_id).and_then(|root| work(context, root)) {
        Ok(answer) => reply.answer(answer),
        Err(error) => {
            if let FileError::Io(..) = &error {
                tracing::warn!(server = %server_id, %error, "a file");
            }
            refuse(reply, &error);
        }
    }
}
