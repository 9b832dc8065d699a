//! `DATA_DIR/admin.sock`: requests of the machine's owner to a running panel, without an account. One line of JSON in
//! each direction.

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
/// Longest request and longest answer, in bytes.
const LINE: u64 = 16 * 1024;
const ANSWER: u64 = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

/// A request.
#[derive(Deserialize, Serialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum ControlRequest {
    /// Sets an account's password and ends its sessions.
    SetPassword {
        /// The account's name.
        username: String,
        /// The new password, 10 to 1,024 bytes.
        password: String,
    },
    /// Writes a verified copy of the database.
    CopyDatabase {
        /// Absolute path of the copy, as the panel sees it. Callers may write wherever the panel can.
        to: PathBuf,
    },
    /// Returns what only the panel knows about itself, for the doctor.
    Examine,
}

/// The answer.
#[derive(Deserialize, Serialize)]
struct Answer {
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<Box<PanelSide>>,
}

/// Why a request to a running panel failed.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No panel is running.
    #[error("no panel answers on {}: start it first (or name its folder with DATA_DIR): {source}", path.display())]
    NotRunning {
        /// The socket's path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The connection ended without an answer.
    #[error("the panel on {} did not answer: {source}", path.display())]
    NoAnswer {
        /// The socket's path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The panel refused it.
    #[error("{0}")]
    Refused(String),
}

/// Serves the socket until the tasks are cancelled.
pub fn listen(data_dir: &Path, users: Users, store: Store, doctor: Doctor, tasks: &Tasks) -> io::Result<()> {
    let path = data_dir.join(FILE);
    // A leftover of a killed process. The database's lock ensures that nobody else uses it.
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
            // The original message may be shown: it goes to the machine's owner, and names their files.
            let refused = |sentence: String| ApiError::new(Code::Conflict, sentence);
            if !to.is_absolute() {
                return Err(refused("The copy's place has to be named from the root.".to_owned()));
            }
            let copied =
                store.copy_to(to.clone()).await.map_err(|error| refused(Chain(&error).to_string()))?;
            tracing::info!(to = %to.display(), bytes = copied.bytes, by = %actor, "database copied");
            Ok(())
        }
        // Answered elsewhere.
        ControlRequest::Examine => Ok(()),
    }
}

/// Sends a request to the panel running on this folder.
pub async fn ask(data_dir: &Path, ask: &ControlRequest) -> Result<(), ControlError> {
    put(data_dir, ask).await.map(drop)
}

/// Asks the panel for its part of the doctor's report.
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
