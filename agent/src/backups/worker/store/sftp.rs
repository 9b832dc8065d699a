//! A repository on an SFTP server, in restic's layout. Files are written to `tmp` and renamed when they are complete.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use rustic_core::Id;
use sftp::{Attrs, Extended, FileKind, OpenFlags, Reply, Request, StatVfs, StatusCode, extension};

use super::files::{Kind, LARGEST, Part, Store, id_of, push};
use super::sftp_session::{Session, Settings};
use crate::backups::worker::message::{Failure, FailureCode};
use crate::backups::worker::runtime::runtime;

/// Bytes per read or write request; all servers support this size.
const CHUNK: usize = 32 * 1024;
/// Requests in flight.
const AT_ONCE: usize = 64;
/// Folders listed concurrently.
const FOLDERS_AT_ONCE: usize = 16;
/// Wait before the first retry. Doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Time for one operation, enough for a pack on a slow line.
const WHOLE: Duration = Duration::from_secs(15 * 60);
const FOLDERS: [&str; 6] = ["keys", "snapshots", "index", "locks", "data", "tmp"];

/// A repository on an SFTP server.
#[derive(Debug)]
pub(super) struct SftpStore {
    settings: Settings,
    root: String,
    /// Prefix of this node's temporary files.
    owner: String,
    /// Attempts, each with a new connection.
    attempts: u32,
    session: Mutex<Option<Arc<Session>>>,
}

impl Drop for SftpStore {
    fn drop(&mut self) {
        // Closing the channel needs the runtime.
        let _entered = runtime().map(|runtime| runtime.enter());
        drop(self.session.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl SftpStore {
    pub(super) fn new(settings: Settings, path: &str, owner: &str, attempts: u32) -> Self {
        let trimmed = path.trim().trim_end_matches('/');
        let root = match (trimmed, path.trim().starts_with('/')) {
            ("", true) => String::new(),
            ("", false) => ".".to_owned(),
            (path, _) => path.to_owned(),
        };
        Self { settings, root, owner: owner.to_owned(), attempts, session: Mutex::new(None) }
    }

    fn path(&self, kind: Kind, id: &Id) -> String {
        self.below(&kind.path(id))
    }

    fn below(&self, path: &str) -> String {
        format!("{}/{path}", self.root)
    }

    /// Returns the open connection, or connects.
    async fn connected(&self) -> Result<Arc<Session>, Failure> {
        let there = self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(there) = there.filter(|session| session.is_open()) {
            return Ok(there);
        }
        let new = Arc::new(self.settings.connect().await?);
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&new));
        Ok(new)
    }

    /// Runs an operation; retries it with a new connection if the connection breaks.
    #[allow(clippy::needless_pass_by_value, reason = "closures are written where they are passed")]
    fn run<T>(&self, operation: impl AsyncFn(&Session) -> Result<T, Failure>) -> Result<T, Failure> {
        let runtime = runtime().map_err(|error| Failure::io("Starting", &error))?;
        runtime.block_on(async {
            let mut wait = FIRST_WAIT;
            let mut attempt = 1;
            loop {
                let whole = async {
                    let session = self.connected().await?;
                    operation(&session).await
                };
                let done = tokio::time::timeout(WHOLE, whole).await;
                let failure = match done {
                    Ok(Ok(done)) => return Ok(done),
                    Ok(Err(failure)) if failure.code != FailureCode::Unreachable => return Err(failure),
                    Ok(Err(failure)) => failure,
                    Err(_) => self.settings.silent(),
                };
                *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
                if attempt >= self.attempts {
                    return Err(failure);
                }
                attempt += 1;
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
        })
    }

    async fn put(&self, session: &Session, path: &str, content: &[Bytes]) -> Result<(), Failure> {
        let part = self.below(&format!("tmp/{}-{:016x}", self.owner, rand::random::<u64>()));
        let written = async {
            session.write(&part, content).await?;
            self.settle(session, &part, path, content).await
        };
        let written = written.await;
        if written.is_err() {
            drop(session.ask(Request::Remove { path: part.into() }).await);
        }
        written
    }

    async fn settle(
        &self,
        session: &Session,
        part: &str,
        path: &str,
        content: &[Bytes],
    ) -> Result<(), Failure> {
        let rename = || Request::Rename { from: part.to_owned().into(), to: path.to_owned().into() };
        if session.done(rename()).await.is_ok() {
            return Ok(());
        }
        // Files are named by their content, so a file of the same size is the same file.
        if let Ok(there) = session.stat(path).await {
            let size: usize = content.iter().map(Bytes::len).sum();
            if there.size == Some(size as u64) {
                return session.done(Request::Remove { path: part.to_owned().into() }).await;
            }
            session.done(Request::Remove { path: path.to_owned().into() }).await?;
        } else if let Some((folder, _)) = path.rsplit_once('/') {
            drop(session.ask(Request::MakeDir { path: folder.to_owned().into(), attrs: private() }).await);
        }
        session.done(rename()).await
    }

    async fn list_folder(
        &self,
        session: &Session,
        folder: &str,
    ) -> Result<Vec<(String, u64, bool)>, Failure> {
        let handle = match session.ask(Request::OpenDir { path: folder.to_owned().into() }).await? {
            Reply::Handle(handle) => handle,
            Reply::Status(status) if status.code == StatusCode::NoSuchFile => return Ok(Vec::new()),
            reply => return Err(self.settings.refused("Reading a folder", &reply)),
        };
        let mut found = Vec::new();
        let listed = loop {
            match session.ask(Request::ReadDir { handle: handle.clone() }).await {
                Ok(Reply::Names(names)) if names.is_empty() => break Ok(()),
                Ok(Reply::Names(names)) => {
                    if found.len() + names.len() > super::files::FILES {
                        let sentence = "The backup repository has too many files.";
                        break Err(Failure::new(FailureCode::Failed, sentence));
                    }
                    for entry in names {
                        let is_folder = entry.attrs.kind() == Some(FileKind::Folder);
                        let Ok(name) = std::str::from_utf8(&entry.name) else { continue };
                        found.push((name.to_owned(), entry.attrs.size.unwrap_or(0), is_folder));
                    }
                }
                Ok(Reply::Status(status)) if status.code == StatusCode::EndOfFile => break Ok(()),
                Ok(reply) => break Err(self.settings.refused("Reading a folder", &reply)),
                Err(failure) => break Err(failure),
            }
        };
        listed?;
        session.done(Request::Close { handle }).await?;
        Ok(found)
    }

    async fn make_folders(&self, session: &Session) -> Result<(), Failure> {
        // Parent folders. Errors show up when the last one is created.
        let ends: Vec<_> = self.root.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).collect();
        for end in ends.into_iter().chain([self.root.len()]) {
            let path = self.root.get(..end).unwrap_or_default().to_owned();
            if !path.is_empty() && session.stat(&path).await.is_err() {
                drop(session.ask(Request::MakeDir { path: path.into(), attrs: private() }).await);
            }
        }
        for name in FOLDERS {
            let path = self.below(name);
            if session.stat(&path).await.is_err() {
                session.done(Request::MakeDir { path: path.into(), attrs: private() }).await?;
            }
        }
        Ok(())
    }
}

fn private() -> Attrs {
    Attrs { permissions: Some(0o700), ..Attrs::default() }
}

impl Store for SftpStore {
    fn prepare(&self) -> Result<(), Failure> {
        self.run(async |session| {
            self.make_folders(session).await?;
            let left = self.list_folder(session, &self.below("tmp")).await?;
            for (name, _, _) in left.iter().filter(|(name, ..)| name.starts_with(&self.owner)) {
                session.done(Request::Remove { path: self.below(&format!("tmp/{name}")).into() }).await?;
            }
            Ok(())
        })
    }

    fn write(&self, kind: Kind, id: &Id, content: &[Bytes]) -> Result<(), Failure> {
        let path = self.path(kind, id);
        let written = self.run(async |session| self.put(session, &path, content).await);
        let size: u64 = content.iter().map(|bytes| bytes.len() as u64).sum();
        match written {
            // The protocol has no code for a full disk.
            Err(failure)
                if failure.code == FailureCode::Failed && self.free().is_some_and(|free| free < size) =>
            {
                Err(self.settings.full())
            }
            written => written,
        }
    }

    fn read(&self, kind: Kind, id: &Id, part: Part) -> Result<Bytes, Failure> {
        let path = self.path(kind, id);
        self.run(async |session| session.read(&path, part).await)
    }

    fn list(&self, kind: Kind) -> Result<Vec<(Id, u32)>, Failure> {
        self.run(async |session| {
            let mut found = Vec::new();
            match kind {
                Kind::Config => match session.stat(&self.below("config")).await {
                    Ok(attrs) => push(&mut found, Id::default(), attrs.size.unwrap_or(0))?,
                    Err(failure) if failure.code == FailureCode::NotFound => {}
                    Err(failure) => return Err(failure),
                },
                Kind::Pack => {
                    let folders = self.list_folder(session, &self.below("data")).await?;
                    let folders = folders.into_iter().filter(|(name, ..)| name.len() == 2 && name != "..");
                    let lists = stream::iter(folders)
                        .map(|(name, ..)| async move {
                            self.list_folder(session, &self.below(&format!("data/{name}"))).await
                        })
                        .buffer_unordered(FOLDERS_AT_ONCE);
                    let lists: Vec<_> = lists.try_collect().await?;
                    for (name, size, _) in lists.into_iter().flatten() {
                        if let Some(id) = id_of(&name) {
                            push(&mut found, id, size)?;
                        }
                    }
                }
                _ => {
                    for (name, size, _) in self.list_folder(session, &self.below(kind.folder())).await? {
                        if let Some(id) = id_of(&name) {
                            push(&mut found, id, size)?;
                        }
                    }
                }
            }
            Ok(found)
        })
    }

    fn remove(&self, kind: Kind, id: &Id) -> Result<(), Failure> {
        let path = self.path(kind, id);
        let removed =
            self.run(async |session| session.done(Request::Remove { path: path.clone().into() }).await);
        match removed {
            Err(failure) if failure.code == FailureCode::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn probe(&self, content: &Bytes) -> Result<Option<String>, Failure> {
        // Keeps the temporary files of a running worker.
        self.run(async |session| self.make_folders(session).await)?;
        super::files::probe_as_lock(self, content)
    }

    fn free(&self) -> Option<u64> {
        let asked = self.run(async |session| {
            if !session.has(extension::STATVFS) {
                return Ok(None);
            }
            let request = Request::Extended(Extended::StatVfs { path: self.root.clone().into() });
            match session.ask(request).await? {
                Reply::Extended(bytes) => Ok(StatVfs::decode(bytes).ok()),
                _ => Ok(None),
            }
        });
        let stat = asked.ok()??;
        Some(stat.available.saturating_mul(stat.fragment))
    }

    fn host_key(&self) -> Option<String> {
        self.settings.host_key.clone()
    }
}

impl Session {
    async fn stat(&self, path: &str) -> Result<Attrs, Failure> {
        match self.ask(Request::Stat { path: path.to_owned().into() }).await? {
            Reply::Attrs(attrs) => Ok(attrs),
            reply => Err(self.refused("Looking for a file", &reply)),
        }
    }

    /// Sends a request that is answered by a status.
    async fn done(&self, request: Request) -> Result<(), Failure> {
        match self.ask(request).await? {
            Reply::Status(status) if status.code == StatusCode::Ok => Ok(()),
            reply => Err(self.refused("Changing a file", &reply)),
        }
    }

    async fn open(&self, path: &str, flags: OpenFlags) -> Result<Bytes, Failure> {
        let attrs = Attrs { permissions: Some(0o600), ..Attrs::default() };
        let attrs = if flags.has(OpenFlags::WRITE) { attrs } else { Attrs::default() };
        match self.ask(Request::Open { path: path.to_owned().into(), flags, attrs }).await? {
            Reply::Handle(handle) => Ok(handle),
            reply => Err(self.refused("Opening a file", &reply)),
        }
    }

    /// Writes a file, and syncs it if the server supports that.
    async fn write(&self, path: &str, content: &[Bytes]) -> Result<(), Failure> {
        let handle =
            self.open(path, OpenFlags::WRITE.and(OpenFlags::CREATE).and(OpenFlags::TRUNCATE)).await?;
        let mut pieces = Vec::new();
        let mut offset = 0_u64;
        for bytes in content {
            let mut at = 0;
            while at < bytes.len() {
                let end = (at + CHUNK).min(bytes.len());
                pieces.push((offset, bytes.slice(at..end)));
                offset += (end - at) as u64;
                at = end;
            }
        }
        stream::iter(pieces)
            .map(|(offset, data)| self.done(Request::Write { handle: handle.clone(), offset, data }))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        if self.has(extension::FSYNC) {
            self.done(Request::Extended(Extended::Fsync { handle: handle.clone() })).await?;
        }
        self.done(Request::Close { handle }).await
    }

    async fn read(&self, path: &str, part: Part) -> Result<Bytes, Failure> {
        let handle = self.open(path, OpenFlags::READ).await?;
        let (offset, length) = match part {
            Some((offset, length)) => (u64::from(offset), u64::from(length)),
            None => match self.ask(Request::Fstat { handle: handle.clone() }).await? {
                Reply::Attrs(attrs) => (0, attrs.size.unwrap_or(0)),
                reply => return Err(self.refused("Opening a file", &reply)),
            },
        };
        if length > LARGEST {
            return Err(Failure::new(FailureCode::Failed, "A file is larger than any file of a repository."));
        }
        let ends = (0..length).step_by(CHUNK).map(|at| (offset + at, (length - at).min(CHUNK as u64)));
        let pieces =
            stream::iter(ends).map(|(at, length)| self.read_piece(&handle, at, length)).buffered(AT_ONCE);
        let whole = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
        let whole = pieces
            .try_fold(whole, async |mut whole, piece: BytesMut| {
                whole.extend_from_slice(&piece);
                Ok(whole)
            })
            .await?;
        self.done(Request::Close { handle }).await?;
        Ok(whole.freeze())
    }

    /// Reads a range. Servers may return less than requested.
    async fn read_piece(&self, handle: &Bytes, mut offset: u64, mut left: u64) -> Result<BytesMut, Failure> {
        let mut piece = BytesMut::new();
        while left > 0 {
            let length = u32::try_from(left).unwrap_or(u32::MAX);
            match self.ask(Request::Read { handle: handle.clone(), offset, length }).await? {
                Reply::Data(data) if !data.is_empty() && data.len() as u64 <= left => {
                    offset += data.len() as u64;
                    left -= data.len() as u64;
                    piece.extend_from_slice(&data);
                }
                Reply::Status(status) if status.code == StatusCode::EndOfFile => {
                    return Err(Failure::new(
                        FailureCode::Failed,
                        "A file of the repository is shorter than it should be.",
                    ));
                }
                reply => return Err(self.refused("Reading a file", &reply)),
            }
        }
        Ok(piece)
    }
}
