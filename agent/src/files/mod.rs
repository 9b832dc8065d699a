//! Text files of a server, read and written for a panel. What lies in that folder belongs to a game, which may be at
//! work in it at the same moment: every path is resolved by the kernel below the folder's handle, with no way out, and
//! nothing that is not a plain file is opened.

mod config;
mod error;
mod root_dir;
mod text;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use protocol::{ErrorCode, FileContent, FileRead, FileWrite, ServerId, ToPanel};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

pub(crate) use self::config::{Configured, configure};
pub(crate) use self::error::FileError;
use self::text::MOST;
use crate::panel::reply_cache::Reply;
use crate::server::{folder, install_log};

/// Files that are held in memory at once; who comes beyond that is told to try again.
const AT_ONCE: usize = 8;

/// The files of all servers. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    data_dir: PathBuf,
    tasks: TaskTracker,
    room: Arc<Semaphore>,
}

impl Files {
    pub(crate) fn new(data_dir: PathBuf, tasks: TaskTracker) -> Self {
        Self { data_dir, tasks, room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Reads a file, and answers with it.
    pub(crate) fn read(&self, asked: FileRead, reply: Reply) {
        let FileRead { server_id, path } = asked;
        self.work(server_id.clone(), reply, move |root| {
            let content = text::read(&root, &path)?;
            Ok(FileContent {
                server_id: Some(server_id),
                path,
                content: Some(content),
                ..FileContent::default()
            })
        });
    }

    /// Writes a file whole, and answers when it is on the disk.
    pub(crate) fn write(&self, asked: FileWrite, reply: Reply) {
        let FileWrite { server_id, path, content } = asked;
        if content.len() > MOST {
            let error = FileError::TooLarge;
            return reply.refuse(error.code(), error.sentence());
        }
        self.work(server_id.clone(), reply, move |root| {
            text::write(&root, &path, &content)?;
            Ok(FileContent { server_id: Some(server_id), path, ..FileContent::default() })
        });
    }

    /// Answers with what the last installation printed.
    pub(crate) fn install_log(&self, server_id: ServerId, reply: Reply) {
        let data_dir = self.data_dir.clone();
        self.work(server_id.clone(), reply, move |_| {
            let content = install_log::read(&data_dir, &server_id)
                .map_err(|error| FileError::Io("read it", error))?
                .ok_or(FileError::NotFound)?;
            Ok(FileContent {
                server_id: Some(server_id),
                path: "install.log".to_owned(),
                content: Some(content),
                ..FileContent::default()
            })
        });
    }

    fn work(
        &self,
        server_id: ServerId,
        reply: Reply,
        work: impl FnOnce(root_dir::Below) -> Result<FileContent, FileError> + Send + 'static,
    ) {
        if !server_id.is_valid() {
            return reply.refuse(ErrorCode::Invalid, "The server id is not one.");
        }
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            return reply.refuse(ErrorCode::Busy, "The node is busy with other files. Try again.");
        };
        let data_dir = self.data_dir.clone();
        drop(self.tasks.spawn_blocking(move || {
            let _place = place;
            match root_dir::Below::open(&folder::of(&data_dir, &server_id)).and_then(work) {
                Ok(content) => reply.answer(ToPanel::FileContent(content)),
                Err(error) => {
                    if let FileError::Io(..) = &error {
                        tracing::warn!(server = %server_id, %error, "a file");
                    }
                    reply.refuse(error.code(), error.sentence());
                }
            }
        }));
    }
}
