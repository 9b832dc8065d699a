//! This node's part in the transfer of a server's data.
//!
//! Received data is stored aside (`servers/.incoming-ID`) until it is complete and on the disk (`servers/.arrived-ID`).
//! No server is created from it before `server_create`, which then finds the folder. So an interrupted transfer leaves
//! nothing that could be started, and existing data is never touched.

mod error;

use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{
    Control, ErrorCode, ErrorReport, ServerId, Status, Summary, ToPanel, TransferPrepare, TransferReceive,
    TransferSend,
};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::error::report;
use crate::fs::archive::{self, ArchiveError, Bounds, Form, Owners};
use crate::panel::reply_cache::Reply;
use crate::runtime::{Fault, Owner};
use crate::server::{Context, folder, owner_of};
use crate::streams::{Frame, Incoming, Outgoing, Pipe, StreamOpener, Ticket};
use crate::supervisor::Supervisor;

/// Maximum number of transfers in progress.
const MOST: usize = 4;
/// Maximum number of entries in a folder; larger ones cannot be transferred.
const MOST_ENTRIES: u64 = 20_000_000;
/// Time limit for a cancelled transfer to end.
const ENDING: Duration = Duration::from_secs(10);

/// The transfers of this agent. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Transfers {
    context: Arc<Context>,
    servers: Supervisor,
    /// `None` if this agent does not support transfers.
    carrier: Option<Arc<dyn StreamOpener>>,
    /// Transfers in progress by server; only one per server, since they use the same folder.
    under_way: Arc<Mutex<HashMap<ServerId, UnderWay>>>,
    /// Held while a folder is measured.
    measuring: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
struct UnderWay {
    cancel: CancellationToken,
    over: CancellationToken,
}

/// Held during a transfer; signals its end when dropped.
struct Turn {
    cancel: CancellationToken,
    _over: DropGuard,
}

impl Transfers {
    pub(crate) fn new(
        context: Arc<Context>,
        servers: Supervisor,
        carrier: Option<Arc<dyn StreamOpener>>,
    ) -> Self {
        let measuring = Arc::new(Semaphore::new(MOST));
        Self { context, servers, carrier, under_way: Arc::default(), measuring }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ServerId, UnderWay>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Measures how much there is to send.
    pub(crate) fn measure(&self, server_id: ServerId, reply: Reply) {
        let Ok(place) = Arc::clone(&self.measuring).try_acquire_owned() else {
            return reply.refuse(ErrorCode::Busy, "The node is busy with other folders. Try again.");
        };
        let all = self.clone();
        drop(self.context.tasks.spawn(async move {
            if let Err((code, message)) = all.has_folder(&server_id).await {
                return reply.refuse(code, message);
            }
            let (path, cancel) = (folder::of(&all.context.data_dir, &server_id), all.context.cancel.clone());
            let measured = tokio::task::spawn_blocking(move || {
                let _place = place;
                archive::measure(&archive::open(&path)?, MOST_ENTRIES, &cancel)
            });
            match measured.await {
                Ok(Ok(size)) => reply.answer(ToPanel::TransferSize(size)),
                Ok(Err(error)) => reply.refuse(ErrorCode::Conflict, error.to_string()),
                Err(_) => drop(reply),
            }
        }));
    }

    /// Pulls the image for an incoming server.
    pub(crate) fn prepare(&self, of: TransferPrepare, reply: Reply) {
        let all = self.clone();
        drop(self.context.tasks.spawn(async move {
            let turn = match all.turn(&of.server_id).await {
                Ok(turn) => turn,
                Err(message) => return reply.refuse(ErrorCode::Busy, message),
            };
            let engine = &all.context.engine;
            let fetch = async {
                if engine.has_image(&of.image).await? {
                    return Ok(());
                }
                engine.pull(&of.image, &tokio::sync::watch::Sender::new(None)).await
            };
            tokio::select! {
                () = turn.cancel.cancelled() => reply.refuse(ErrorCode::Conflict, "It was called off."),
                fetched = fetch => match fetched {
                    Ok(()) => reply.ack(None),
                    Err(error) if error.fault == Fault::Away => reply.refuse(ErrorCode::EngineUnavailable, error.message),
                    Err(error) if error.fault == Fault::DiskFull => reply.refuse(ErrorCode::DiskFull, error.message),
                    Err(error) => reply.refuse(ErrorCode::Conflict, error.message),
                }
            }
        }));
    }

    /// Sends a server's folder.
    pub(crate) fn send(&self, of: TransferSend, reply: Reply) {
        let all = self.clone();
        drop(self.context.tasks.spawn(async move {
            let id = of.server_id.clone();
            if let Err((code, message)) = all.may_send(&id).await {
                return reply.refuse(code, message);
            }
            let ticket = Ticket { transfer_id: of.transfer_id, token: of.token };
            let Some((turn, mut pipe)) = all.open(&id, ticket, reply).await else { return };
            let path = folder::of(&all.context.data_dir, &id);
            let cancel = turn.cancel.clone();
            let work = tokio::task::spawn_blocking(move || {
                let sent = send(&path, &pipe, &cancel);
                (sent, pipe)
            });
            let Ok((sent, back)) = work.await else { return };
            pipe = back;
            match &sent {
                Ok(summary) => {
                    tracing::info!(server = %id, bytes = summary.bytes, "the server's data was sent");
                }
                Err(error) => tracing::warn!(server = %id, %error, "sending the server's data"),
            }
            last_word(&pipe, sent, &id).await;
            drop(turn);
        }));
    }

    /// Receives a server's folder.
    pub(crate) fn receive(&self, of: TransferReceive, reply: Reply) {
        let all = self.clone();
        drop(self.context.tasks.spawn(async move {
            let id = of.server_id.clone();
            if let Err((code, message)) = all.may_receive(&id) {
                return reply.refuse(code, message);
            }
            let ticket = Ticket { transfer_id: of.transfer_id.clone(), token: of.token.clone() };
            let Some((turn, mut pipe)) = all.open(&id, ticket, reply).await else { return };
            let (data_dir, cancel) = (all.context.data_dir.clone(), turn.cancel.clone());
            let work = tokio::task::spawn_blocking(move || {
                let received = receive(&data_dir, &of, &mut pipe, &cancel);
                if received.is_err() {
                    discard(&data_dir, &of.server_id);
                }
                (received, pipe)
            });
            let done = work.await;
            all.context.shared.sweeper.wake();
            let Ok((received, pipe)) = done else { return };
            match &received {
                Ok(summary) => {
                    tracing::info!(server = %id, bytes = summary.bytes, "a server's data has arrived");
                }
                Err(error) => tracing::warn!(server = %id, %error, "receiving a server's data"),
            }
            last_word(&pipe, received, &id).await;
            drop(turn);
        }));
    }

    /// Removes what was prepared or received for a server that will not arrive.
    pub(crate) fn discard(&self, server_id: ServerId, reply: Reply) {
        let all = self.clone();
        drop(self.context.tasks.spawn(async move {
            let old = all.lock().get(&server_id).cloned();
            if let Some(old) = old {
                old.cancel.cancel();
                let _ = tokio::time::timeout(ENDING, old.over.cancelled()).await;
            }
            let (data_dir, id) = (all.context.data_dir.clone(), server_id);
            let discarded = tokio::task::spawn_blocking(move || discard(&data_dir, &id).is_some()).await;
            all.context.shared.sweeper.wake();
            match discarded {
                Ok(true) => reply.ack(None),
                Ok(false) => reply.refuse(ErrorCode::Busy, "What was received could not be removed."),
                Err(_) => drop(reply),
            }
        }));
    }

    /// Reserves the server's transfer and opens the stream. Answers the request in either case.
    async fn open(&self, server_id: &ServerId, ticket: Ticket, reply: Reply) -> Option<(Turn, Pipe)> {
        let Some(carrier) = &self.carrier else {
            reply.refuse(ErrorCode::NotSupported, "This agent takes part in no transfers.");
            return None;
        };
        let turn = match self.turn(server_id).await {
            Ok(turn) => turn,
            Err(message) => {
                reply.refuse(ErrorCode::Busy, message);
                return None;
            }
        };
        match carrier.open(ticket).await {
            Ok(pipe) => {
                reply.ack(None);
                Some((turn, pipe))
            }
            Err(message) => {
                reply.refuse(ErrorCode::Conflict, format!("No connection for the data: {message}"));
                None
            }
        }
    }

    /// Reserves the transfer of a server. A new one cancels the old one, which no one waits for any more.
    async fn turn(&self, server_id: &ServerId) -> Result<Turn, String> {
        let old = self.lock().get(server_id).cloned();
        if let Some(old) = old {
            old.cancel.cancel();
            let _ = tokio::time::timeout(ENDING, old.over.cancelled()).await;
        }
        let mut under_way = self.lock();
        under_way.retain(|_, turn| !turn.over.is_cancelled());
        if under_way.contains_key(server_id) {
            return Err("The transfer before this one has not ended yet.".into());
        }
        if under_way.len() >= MOST {
            return Err("This node has enough transfers under way.".into());
        }
        let (cancel, over) = (self.context.cancel.child_token(), CancellationToken::new());
        under_way.insert(server_id.to_owned(), UnderWay { cancel: cancel.clone(), over: over.clone() });
        Ok(Turn { cancel, _over: over.drop_guard() })
    }

    /// Checks that the server's files are in its folder; a legacy container keeps them inside.
    async fn has_folder(&self, server_id: &ServerId) -> Result<(), (ErrorCode, String)> {
        if self.servers.get(server_id).is_none() {
            return Err((ErrorCode::NotFound, "There is no such server on this node.".into()));
        }
        let seen = self.context.engine.inspect_server(server_id).await;
        let seen = seen.map_err(|error| (ErrorCode::EngineUnavailable, error.message))?;
        if seen.is_some_and(|seen| seen.owner == Owner::Legacy) {
            return Err((
                ErrorCode::Conflict,
                "Its container was made by another agent and keeps its files inside: it cannot be moved."
                    .into(),
            ));
        }
        Ok(())
    }

    /// Checks that nothing writes into the folder, and removes the last container: each start creates a new one anyway,
    /// and this one must not be started once the data is elsewhere.
    async fn may_send(&self, server_id: &ServerId) -> Result<(), (ErrorCode, String)> {
        self.has_folder(server_id).await?;
        let status = self.servers.get(server_id).map(|handle| handle.status.borrow().status.clone());
        match status {
            Some(Status::Stopped | Status::Crashed | Status::InstallFailed | Status::Suspended) => {}
            _ => return Err((ErrorCode::Conflict, "The server has to be stopped first.".into())),
        }
        let engine = &self.context.engine;
        let seen = engine
            .inspect_server(server_id)
            .await
            .map_err(|error| (ErrorCode::EngineUnavailable, error.message))?;
        if let Some(seen) = seen.filter(|seen| seen.owner == Owner::This) {
            if seen.running {
                return Err((ErrorCode::Conflict, "The server has to be stopped first.".into()));
            }
            engine.remove(&seen.id).await.map_err(|error| (ErrorCode::EngineUnavailable, error.message))?;
        }
        Ok(())
    }

    fn may_receive(&self, server_id: &ServerId) -> Result<(), (ErrorCode, String)> {
        if !server_id.is_valid() {
            return Err((ErrorCode::Invalid, "The server id is not one.".into()));
        }
        let there = folder::of(&self.context.data_dir, server_id);
        if let Err(error) = self.context.paths.check(&there) {
            return Err((ErrorCode::Conflict, error.to_string()));
        }
        if self.servers.get(server_id).is_some() || fs::symlink_metadata(&there).is_ok() {
            return Err((
                ErrorCode::Conflict,
                "This node has a server or a folder of this id already.".into(),
            ));
        }
        Ok(())
    }
}

fn send(path: &Path, pipe: &Pipe, cancel: &CancellationToken) -> Result<Summary, ArchiveError> {
    let root = archive::open(path)?;
    let (size, out) = archive::pack(&root, Outgoing::new(&pipe.out, cancel), cancel)?;
    let sha256 = out.finish().map_err(ArchiveError::Stream)?;
    Ok(Summary { bytes: size.bytes, entries: size.entries, sha256 })
}

fn receive(
    data_dir: &Path,
    of: &TransferReceive,
    pipe: &mut Pipe,
    cancel: &CancellationToken,
) -> Result<Summary, ArchiveError> {
    let incoming = folder::incoming(data_dir, &of.server_id);
    let Some(earlier) = discard(data_dir, &of.server_id) else {
        return Err(ArchiveError::refused("what an earlier transfer left could not be removed"));
    };
    for gone in earlier {
        // Removed now, to free its space. The sweeper retries what remains.
        if let Err(error) = crate::fs::remove(&gone, cancel) {
            tracing::debug!(path = %gone.display(), %error, "what an earlier transfer left");
        }
    }
    let made = DirBuilder::new().mode(0o700).create(&incoming);
    made.map_err(|source| ArchiveError::File {
        doing: "making",
        path: incoming.display().to_string(),
        source,
    })?;
    let root = archive::open(&incoming)?;
    let (room, names) = archive::room(&root);
    if room < of.bytes.saturating_add(archive::RESERVE) || names < of.entries {
        return Err(ArchiveError::NoRoom);
    }
    let owners = Owners {
        settable: folder::may_give(),
        there: of.owner.as_deref().and_then(folder::parse_pair),
        here: owner_of(&of.user).as_deref().and_then(folder::parse_pair),
        all: false,
    };
    let bounds = Bounds { bytes: of.bytes, entries: of.entries, folders: of.entries };
    let (taken, from) =
        archive::unpack(root, Incoming::new(&mut pipe.inward, cancel), Form::Transfer, bounds, owners)?;
    let (sha256, told) = from.finish();
    let summary = Summary { bytes: taken.bytes, entries: taken.entries, sha256 };
    if told.as_ref() != Some(&summary) {
        return Err(ArchiveError::refused("it is not what was sent"));
    }
    arrive(data_dir, &of.server_id, owners).map_err(|source| ArchiveError::File {
        doing: "keeping",
        path: of.server_id.to_string(),
        source,
    })?;
    Ok(summary)
}

/// Renames the complete folder to the name that `server_create` looks for.
fn arrive(data_dir: &Path, id: &str, owners: Owners) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let incoming = folder::incoming(data_dir, id);
    if let Some((uid, gid)) = owners.here.or(owners.there).filter(|_| owners.settable) {
        std::os::unix::fs::lchown(&incoming, Some(uid), Some(gid))?;
    }
    fs::set_permissions(&incoming, fs::Permissions::from_mode(0o755))?;
    fs::rename(&incoming, folder::arrived(data_dir, id))?;
    fs::File::open(folder::servers(data_dir))?.sync_all()
}

/// Moves received data aside for the sweeper; `None` if some of it still has its name.
fn discard(data_dir: &Path, id: &str) -> Option<Vec<PathBuf>> {
    let aside = |path: PathBuf| {
        folder::discard(data_dir, id, &path)
            .inspect_err(|error| {
                tracing::warn!(path = %path.display(), %error, "what was received could not be removed");
            })
            .ok()
    };
    let all = [aside(folder::incoming(data_dir, id)), aside(folder::arrived(data_dir, id))];
    all.into_iter().collect::<Option<Vec<_>>>().map(|all| all.into_iter().flatten().collect())
}

/// Sends the result to the other end of the pipe.
async fn last_word(pipe: &Pipe, done: Result<Summary, ArchiveError>, server_id: &ServerId) {
    let word = match done {
        Ok(summary) => Control::Done(summary),
        Err(error) => {
            let ErrorReport { code, message, .. } = report(&error, server_id);
            Control::Failed(ErrorReport { code, message, ..ErrorReport::default() })
        }
    };
    // If this is not received, the end of the connection is enough.
    let _ = tokio::time::timeout(ENDING, pipe.out.send(Frame::Control(word))).await;
}
