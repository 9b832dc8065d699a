//! `DATA_DIR/admin.sock`: what the machine's owner may ask a running panel without an account. One line of JSON each way.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use storage::Store;

use crate::auth::Actor;
use crate::doctor::{Doctor, PanelSide};
use crate::error::{ApiError, Chain, Code};
use crate::system::shutdown::Tasks;
use crate::users::Users;

const FILE: &str = "admin.sock";
/// Longest question, and longest answer.
const LINE: u64 = 16 * 1024;
const ANSWER: u64 = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

/// What may be asked.
#[derive(Deserialize, Serialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum ControlRequest {
    /// A new password for an account; its sessions end.
    SetPassword {
        /// The account's name.
        username: String,
        /// 10 to 1,024 bytes.
        password: String,
    },
    /// A copy of the database, checked.
    CopyDatabase {
        /// Where to, from the root, as the panel sees it. Whoever may ask may write what the panel can.
        to: PathBuf,
    },
    /// What only the panel knows of itself, for a check-up.
    Examine,
}

/// What comes back.
#[derive(Deserialize, Serialize)]
struct Answer {
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<Box<PanelSide>>,
}

/// Why a running panel could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody is there.
    #[error("no panel answers on {}: start it first (or name its folder with DATA_DIR): {source}", path.display())]
    NotRunning {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It stopped answering.
    #[error("the panel on {} did not answer: {source}", path.display())]
    NoAnswer {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

/// Listens until the tasks are cancelled.
pub fn listen(data_dir: &Path, users: Users, store: Store, doctor: Doctor, tasks: &Tasks) -> io::Result<()> {
    let path = data_dir.join(FILE);
    // Left behind by a kill. The database's lock has made sure that nobody uses it.
    match std::fs::remove_file(&path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let (token, all) = (tasks.token(), tasks.clone());
    drop(tasks.spawn("admin socket", async move {
        loop {
            let accepted = tokio::select! {
                () = token.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (users, store, doctor) = (users.clone(), store.clone(), doctor.clone());
                    drop(all.spawn("admin call", async move {
                        if let Err(cause) = serve(stream, &users, &store, &doctor).await {
                            tracing::debug!(%cause, "a call on the admin socket ended early");
                        }
                    }));
                }
                Err(cause) => {
                    tracing::warn!(%cause, "the admin socket failed; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        let _ = std::fs::remove_file(&path);
    }));
    Ok(())
}

async fn serve(stream: UnixStream, users: &Users, store: &Store, doctor: &Doctor) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    let own = rustix::process::geteuid().as_raw();
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    timeout(PATIENCE, BufReader::new(reader.take(LINE)).read_line(&mut line)).await??;
    let result = if peer == own || peer == 0 {
        match serde_json::from_str(&line) {
            Ok(ControlRequest::Examine) => Ok(Some(Box::new(doctor.side().await))),
            Ok(ask) => answer(ask, &Actor::Shell { uid: peer }, users, store).await.map(|()| None),
            Err(cause) => Err(ApiError::new(Code::BadJson, cause.to_string())),
        }
    } else {
        tracing::warn!(uid = peer, "somebody else's process asked on the admin socket");
        Err(ApiError::new(Code::Forbidden, "Only root and the panel's own user may ask this."))
    };
    let answer = match result {
        Ok(said) => Answer { error: None, said },
        Err(error) => Answer { error: Some(error.message().to_owned()), said: None },
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    timeout(PATIENCE, writer.write_all(&text)).await?
}

async fn answer(ask: ControlRequest, actor: &Actor, users: &Users, store: &Store) -> Result<(), ApiError> {
    match ask {
        ControlRequest::SetPassword { username, password } => {
            users.reset_password(actor, &username, password).await
        }
        ControlRequest::CopyDatabase { to } => {
            // Its own sentences: they go to the machine's owner, and name files of his.
            let refused = |sentence: String| ApiError::new(Code::Conflict, sentence);
            if !to.is_absolute() {
                return Err(refused("The copy's place has to be named from the root.".to_owned()));
            }
            let copied =
                store.copy_to(to.clone()).await.map_err(|error| refused(Chain(&error).to_string()))?;
            tracing::info!(to = %to.display(), bytes = copied.bytes, by = %actor, "database copied");
            Ok(())
        }
        // Has an answer of its own.
        ControlRequest::Examine => Ok(()),
    }
}

/// Asks the panel that runs on this folder.
pub async fn ask(data_dir: &Path, ask: &ControlRequest) -> Result<(), ControlError> {
    put(data_dir, ask).await.map(drop)
}

/// Asks it for its part of a check-up.
pub async fn examine(data_dir: &Path) -> Result<PanelSide, ControlError> {
    match put(data_dir, &ControlRequest::Examine).await? {
        Some(said) => Ok(*said),
        None => Err(ControlError::Refused("the panel that runs tells nothing of itself".to_owned())),
    }
}

async fn put(data_dir: &Path, ask: &ControlRequest) -> Result<Option<Box<PanelSide>>, ControlError> {
    let path = data_dir.join(FILE);
    let stream = UnixStream::connect(&path)
        .await
        .map_err(|source| ControlError::NotRunning { path: path.clone(), source })?;
    let answer = exchange(stream, ask).await.map_err(|source| ControlError::NoAnswer { path, source })?;
    match answer.error {
        None => Ok(answer.said),
        Some(sentence) => Err(ControlError::Refused(sentence)),
    }
}

async fn exchange(stream: UnixStream, ask: &ControlRequest) -> io::Result<Answer> {
    let (reader, mut writer) = stream.into_split();
    let mut text = serde_json::to_vec(ask)?;
    text.push(b'\n');
    writer.write_all(&text).await?;
    let mut line = String::new();
    timeout(PATIENCE * 2, BufReader::new(reader.take(ANSWER)).read_line(&mut line)).await??;
    Ok(serde_json::from_str(&line)?)
}
