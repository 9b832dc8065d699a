//! Browsing and downloading backups. The worker process that lists folders is kept for the next request, since opening a
//! repository takes time. Archives are streamed over a separate connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use protocol::{
    ArchiveFormat, BackupLimits, BackupList, BackupRepository, Control, ErrorCode, ErrorReport, FileEntries,
    FileSend, FileSource, Summary, ToPanel,
};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};

use super::place::Failed;
use super::process::{Said, Worker, error_code};
use super::worker::{ContentsQuery, MasterKey, Work, WorkerRequest};
use crate::panel::reply_cache::Reply;
use crate::server::Context;
use crate::streams::{FRAME_BYTES, Frame, Pipe, StreamOpener, Ticket};

/// How long a worker waits for the next question.
const IDLE: Duration = Duration::from_secs(60);
/// How long a repository may take to open, and an answer to come.
const OPENING: Duration = Duration::from_secs(25);
const ANSWER: Duration = Duration::from_secs(20);
/// Questions that may wait.
const WAITING: usize = 16;
/// Archives that are made at once: each has a worker.
const SENDING: usize = 2;
/// How long the last word may take.
const ENDING: Duration = Duration::from_secs(10);

/// What is in the backups of this node. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct BackupContents {
    context: Arc<Context>,
    /// None: this agent opens no connections for bulk bytes.
    opener: Option<Arc<dyn StreamOpener>>,
    browsing: Arc<Mutex<Option<Browsing>>>,
    waiting: Arc<Semaphore>,
    sending: Arc<Semaphore>,
}

/// A worker that lists folders.
#[derive(Debug)]
struct Browsing {
    repository: BackupRepository,
    worker: Worker,
    used: Instant,
}

impl BackupContents {
    pub(super) fn new(context: Arc<Context>, opener: Option<Arc<dyn StreamOpener>>) -> Self {
        let room = |most| Arc::new(Semaphore::new(most));
        Self { context, opener, browsing: Arc::default(), waiting: room(WAITING), sending: room(SENDING) }
    }

    /// Answers with a page of a folder.
    pub(super) fn list(&self, asked: BackupList, reply: Reply) {
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return reply.refuse(ErrorCode::Busy, "Too many folders of backups are being opened. Try again.");
        };
        let all = self.clone();
        drop(self.context.tasks.spawn(async move {
            let _place = place;
            match all.listed(asked).await {
                Ok(entries) => reply.answer(ToPanel::FileEntries(entries)),
                Err((code, message)) => reply.refuse(code, message),
            }
        }));
    }

    async fn listed(&self, asked: BackupList) -> Result<FileEntries, Failed> {
        let BackupList { repository, backup_id, path, after, limit, .. } = asked;
        let query = ContentsQuery { backup_id, path, after, limit };
        let mut browsing = self.browsing.lock().await;
        if let Some(mut open) = browsing.take().filter(|open| open.repository == repository) {
            match open.ask(&query).await {
                Ok(entries) => {
                    *browsing = Some(open);
                    return Ok(entries);
                }
                // It may be of a backup that was made since, and the worker may have been killed: once more from the beginning.
                Err((code, message)) => {
                    tracing::debug!(%code, message, "a backup's folder is looked for once more");
                }
            }
        }
        let mut open = self.open(repository).await?;
        let answer = open.ask(&query).await;
        if matches!(&answer, Ok(_) | Err((ErrorCode::NotFound, _))) {
            *browsing = Some(open);
            self.close_when_idle();
        }
        answer
    }

    async fn open(&self, repository: BackupRepository) -> Result<Browsing, Failed> {
        let mut worker = self.worker(&repository, Work::Browse)?;
        match timeout(OPENING, worker.next()).await {
            Ok(Ok(Said::Ready)) => Ok(Browsing { repository, worker, used: Instant::now() }),
            Ok(Ok(Said::Failed(code, message))) => Err((error_code(code), message)),
            Ok(Err(error)) => Err(broken(&error)),
            Ok(Ok(_)) => Err(unexpected()),
            Err(_) => Err(late()),
        }
    }

    fn worker(&self, repository: &BackupRepository, work: Work) -> Result<Worker, Failed> {
        let bytes = STANDARD.decode(&repository.key).ok().and_then(|bytes| bytes.try_into().ok());
        let Some(bytes) = bytes else {
            return Err((ErrorCode::Invalid, "The repository's key is none.".into()));
        };
        let request = WorkerRequest {
            node: self.context.data_dir.join("backups"),
            id: repository.id.clone(),
            location: repository.location.clone(),
            limits: BackupLimits::default(),
            key: MasterKey::from_bytes(&bytes),
            password: repository.password.clone(),
            work,
        };
        Worker::begin(&request).map_err(|error| broken(&error))
    }

    /// Ends the worker after it was idle for a while.
    fn close_when_idle(&self) {
        let all = self.clone();
        drop(self.context.tasks.spawn(async move {
            let watch = async {
                loop {
                    tokio::time::sleep(IDLE).await;
                    let mut browsing = all.browsing.lock().await;
                    match browsing.as_ref() {
                        Some(open) if open.used.elapsed() < IDLE => {}
                        _ => {
                            *browsing = None;
                            return;
                        }
                    }
                }
            };
            tokio::select! {
                () = all.context.cancel.cancelled() => {}
                () = watch => {}
            }
        }));
    }

    /// Sends files of a backup as an archive.
    pub(super) fn send(&self, asked: FileSend, reply: Reply) {
        let FileSend { server_id, transfer_id, token, source } = asked;
        let FileSource::Backup { repository, backup_id, paths, format } = source else {
            return reply.refuse(ErrorCode::Invalid, "This is no backup.");
        };
        let Ok(place) = Arc::clone(&self.sending).try_acquire_owned() else {
            return reply.refuse(
                ErrorCode::Busy,
                "Other backups of this node are being downloaded. Try again when one has arrived.",
            );
        };
        let all = self.clone();
        drop(self.context.tasks.spawn(async move {
            let _place = place;
            let mut worker = match all.ready(&repository, backup_id, paths, format).await {
                Ok(worker) => worker,
                Err((code, message)) => return reply.refuse(code, message),
            };
            let Some(opener) = &all.opener else {
                return reply.refuse(ErrorCode::Conflict, "This agent opens no connections for data.");
            };
            let pipe = match opener.open(Ticket { transfer_id, token }).await {
                Ok(pipe) => pipe,
                Err(message) => {
                    return reply
                        .refuse(ErrorCode::Conflict, format!("No connection for the data: {message}"));
                }
            };
            reply.ack(None);
            let last = match forward(&mut worker, &pipe, &all.context).await {
                Ok(bytes) => Control::Done(Summary { bytes, ..Summary::default() }),
                Err(message) => {
                    tracing::debug!(server = %server_id, message, "sending a backup");
                    Control::Failed(ErrorReport { code: ErrorCode::File, message, ..ErrorReport::default() })
                }
            };
            drop(worker);
            // Where nobody hears it, the connection's end says enough.
            let _ = timeout(ENDING, pipe.out.send(Frame::Control(last))).await;
        }));
    }

    /// A worker that has opened the backup.
    async fn ready(
        &self,
        repository: &BackupRepository,
        backup_id: String,
        paths: Vec<String>,
        format: ArchiveFormat,
    ) -> Result<Worker, Failed> {
        let mut worker = self.worker(repository, Work::Send { backup_id, paths, format })?;
        match timeout(OPENING, worker.next()).await {
            Ok(Ok(Said::Ready)) => Ok(worker),
            Ok(Ok(Said::Failed(code, message))) => Err((error_code(code), message)),
            Ok(Err(error)) => Err(broken(&error)),
            Ok(Ok(_)) => Err(unexpected()),
            Err(_) => Err(late()),
        }
    }
}

impl Browsing {
    async fn ask(&mut self, query: &ContentsQuery) -> Result<FileEntries, Failed> {
        let answer = async {
            self.worker.tell(query).await?;
            self.worker.next().await
        };
        let answer = timeout(ANSWER, answer).await;
        self.used = Instant::now();
        match answer {
            Ok(Ok(Said::Listed(entries))) => Ok(entries),
            Ok(Ok(Said::Failed(code, message))) => Err((error_code(code), message)),
            Ok(Ok(_)) => Err(unexpected()),
            Ok(Err(error)) => Err(broken(&error)),
            Err(_) => Err(late()),
        }
    }
}

/// Passes the archive on as it comes; how many bytes it had, or why there are no more.
async fn forward(worker: &mut Worker, pipe: &Pipe, context: &Context) -> Result<u64, String> {
    let mut sent = 0;
    loop {
        let said = tokio::select! {
            () = context.cancel.cancelled() => return Err("The agent ends.".to_owned()),
            // Whoever waited for it is gone.
            () = pipe.out.closed() => return Err("Nobody waits for it any more.".to_owned()),
            said = worker.next() => said.map_err(|error| error.to_string())?,
        };
        match said {
            Said::Bytes(bytes) => {
                sent += bytes.len() as u64;
                let mut bytes: Bytes = bytes.into();
                while !bytes.is_empty() {
                    let frame = bytes.split_to(bytes.len().min(FRAME_BYTES));
                    let gone = |_| "Nobody waits for it any more.".to_owned();
                    pipe.out.send(Frame::Bytes(frame)).await.map_err(gone)?;
                }
            }
            Said::Done(_) => return Ok(sent),
            Said::Failed(_, message) => return Err(message),
            Said::Progress(..) | Said::Ready | Said::Listed(_) => {}
        }
    }
}

fn broken(error: &io::Error) -> Failed {
    (ErrorCode::AgentFailed, format!("The process that reads backups ended: {error}."))
}

fn unexpected() -> Failed {
    (ErrorCode::AgentFailed, "The process that reads backups said what was not asked.".into())
}

fn late() -> Failed {
    let sentence = "The backup repository takes too long to answer. The disk may be busy: try again.";
    (ErrorCode::Busy, sentence.into())
}
