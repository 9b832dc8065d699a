//! Upgrades of the agent's own program: the next version comes from the panel, is checked and tried, and staged for the
//! guard. Then this process exits and the guard starts the new version; if that does not come up, it rolls back.

mod error;
mod folder;
pub mod release;

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub use self::error::StageError;
pub use self::folder::{Folder, give, hash, newer};

use protocol::{Control, ErrorCode, ErrorReport, Status, Summary, UpgradeReceive};

use crate::config::AgentConfig;
use crate::panel::reply_cache::Reply;
use crate::server::Context;
use crate::streams::{Frame, Incoming, Pipe, StreamOpener, Ticket};
use crate::supervisor::Supervisor;
use crate::upgrades::release::{ReleaseKey, SignedError, SignedText};

/// Maximum bytes of a program.
pub const MOST_BYTES: u64 = 256 << 20;
/// Time limit for receiving a program.
const COMES_WITHIN: Duration = Duration::from_secs(1800);
/// Time limit for the panel to read our last message.
const FAREWELL: Duration = Duration::from_secs(10);

/// Upgrades of this agent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Upgrades {
    context: Arc<Context>,
    servers: Supervisor,
    carrier: Option<Arc<dyn StreamOpener>>,
    guard: Option<CancellationToken>,
    key: Option<ReleaseKey>,
    version: String,
    /// Held during an upgrade: one at a time.
    turn: Arc<Mutex<()>>,
}

impl Upgrades {
    pub(crate) fn new(context: Arc<Context>, servers: Supervisor, config: &AgentConfig) -> Self {
        let AgentConfig { carrier, guard, release_key: key, version, .. } = config.clone();
        Self { context, servers, carrier, guard, key, version, turn: Arc::default() }
    }

    /// Receives the next version. The request is answered when the connection for it is open; the result is sent over
    /// that connection.
    pub(crate) fn receive(&self, of: UpgradeReceive, reply: Reply) {
        let all = self.clone();
        drop(self.context.tasks.spawn(async move {
            let (Some(carrier), Some(guard)) = (&all.carrier, &all.guard) else {
                return reply.refuse(ErrorCode::NotSupported, "Nobody watches over this agent's program.");
            };
            let Ok(_turn) = all.turn.try_lock() else {
                return reply.refuse(ErrorCode::Busy, "An upgrade is under way already.");
            };
            if let Err(error) = all.may_take(&of) {
                return reply.refuse(error.code(), sentence(&error));
            }
            if let Some(busy) = all.busy() {
                return reply.refuse(ErrorCode::Busy, busy);
            }
            let ticket = Ticket { transfer_id: of.transfer_id.clone(), token: of.token.clone() };
            let pipe = match carrier.open(ticket).await {
                Ok(pipe) => pipe,
                Err(why) => {
                    return reply
                        .refuse(ErrorCode::Conflict, format!("No connection for the program: {why}"));
                }
            };
            reply.ack(None);
            let (taken, mut pipe) = all.take(&of, pipe).await;
            let staged = taken.is_ok();
            match &taken {
                Ok(_) => {
                    tracing::info!(version = of.version, "the next version is here: starting anew with it");
                }
                Err(error) => tracing::warn!(version = of.version, %error, "the next version was not taken"),
            }
            let word = match taken {
                Ok(summary) => Control::Done(summary),
                Err(error) => Control::Failed(ErrorReport {
                    code: error.code(),
                    message: sentence(&error),
                    ..ErrorReport::default()
                }),
            };
            let heard = async {
                let said = pipe.out.send(Frame::Control(word)).await;
                // The panel closes the connection when it has read the result.
                while said.is_ok() && pipe.inward.recv().await.is_some() {}
            };
            let _ = tokio::time::timeout(FAREWELL, heard).await;
            if staged {
                guard.cancel();
            }
        }));
    }

    /// Checks the release signature before anything is received or run.
    fn may_take(&self, of: &UpgradeReceive) -> Result<(), StageError> {
        let offered = newer(&self.version, &of.version)?;
        let key = self.key.as_ref().ok_or(StageError::NoKey)?;
        let list = signed_text(of).verify(key)?;
        if list.version != offered {
            return Err(SignedError::Odd("it is of another version than was offered").into());
        }
        list.check_own_program(&of.sha256)?;
        if of.size == 0 || of.size > MOST_BYTES {
            return Err(StageError::Link(format!("{} bytes are no program", of.size)));
        }
        Folder::of(&self.context.data_dir).make(of.size)
    }

    /// Work that must not be interrupted, if any. Running games are no reason to wait, since they keep running.
    fn busy(&self) -> Option<String> {
        self.servers.statuses().into_iter().find_map(|server| {
            let does = match server.status {
                Status::Installing => "installs",
                Status::Starting => "starts",
                Status::Stopping => "stops",
                _ => return None,
            };
            Some(format!("The server {} {does} at the moment.", server.server_id))
        })
    }

    async fn take(&self, of: &UpgradeReceive, mut pipe: Pipe) -> (Result<Summary, StageError>, Pipe) {
        let folder = Folder::of(&self.context.data_dir);
        let cancel = self.context.cancel.child_token();
        let (asked, store, stop) = (of.clone(), folder.clone(), cancel.clone());
        let work = tokio::task::spawn_blocking(move || {
            let came = write(&asked, &store, &mut pipe, &stop);
            (came, pipe)
        });
        let late = {
            let cancel = cancel.clone();
            self.context.tasks.spawn(async move {
                tokio::select! {
                    () = tokio::time::sleep(COMES_WITHIN) => cancel.cancel(),
                    () = cancel.cancelled() => {}
                }
            })
        };
        let (came, pipe) = match work.await {
            Ok(done) => done,
            Err(error) => {
                let (lost, _) = crate::streams::pipe();
                return (Err(StageError::Link(error.to_string())), lost);
            }
        };
        cancel.cancel();
        drop(late);
        let staged = match came {
            Ok(()) => self.stage(of, &folder).await,
            Err(error) => Err(error),
        };
        if staged.is_err() {
            folder.drop_part();
        }
        let summary = Summary { bytes: of.size, entries: 1, sha256: of.sha256.clone() };
        (staged.map(|()| summary), pipe)
    }

    async fn stage(&self, of: &UpgradeReceive, folder: &Folder) -> Result<(), StageError> {
        folder.try_part(&of.version).await?;
        let (folder, of) = (folder.clone(), of.clone());
        let stage = move || folder.stage(&of.version, &of.sha256, &signed_text(&of));
        let staged = tokio::task::spawn_blocking(stage);
        staged.await.unwrap_or_else(|error| Err(StageError::Link(error.to_string())))
    }
}

/// The signed list that authenticates the program.
fn signed_text(of: &UpgradeReceive) -> SignedText {
    SignedText { sums: of.sums.clone(), signature: of.signature.clone() }
}

/// A message for users, as a sentence.
fn sentence(error: &StageError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect::<String>() + "."
}

fn write(
    of: &UpgradeReceive,
    folder: &Folder,
    pipe: &mut Pipe,
    stop: &CancellationToken,
) -> Result<(), StageError> {
    let mut file = folder.open_part(false)?;
    let mut incoming = Incoming::new(&mut pipe.inward, stop);
    let copied = copy(&mut incoming, &mut file, of.size)?;
    let (sha256, _) = incoming.finish();
    file.sync_all().map_err(StageError::file("writing", folder.part()))?;
    if copied != of.size || sha256 != of.sha256 {
        return Err(StageError::OtherBytes);
    }
    Ok(())
}

/// Reading one byte more than `most` is enough to detect an excess.
fn copy(from: &mut impl Read, to: &mut impl io::Write, most: u64) -> Result<u64, StageError> {
    let mut from = from.take(most + 1);
    let mut buffer = vec![0; crate::streams::FRAME_BYTES];
    let mut copied = 0;
    loop {
        let read = from.read(&mut buffer).map_err(|error| StageError::Link(error.to_string()))?;
        if read == 0 {
            return Ok(copied);
        }
        to.write_all(&buffer[..read]).map_err(StageError::file("writing", "the program"))?;
        copied += read as u64;
    }
}
