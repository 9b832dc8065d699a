//! A connection to an SFTP server with a pinned host key, and with many requests in flight.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use russh::client::{self, AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use sftp::{FromClient, FromServer, Reply, Request, StatusCode, next_packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::task::JoinSet;

use crate::backups::worker::message::{Failure, FailureCode};

/// Time for each step of connecting.
const CONNECTED: Duration = Duration::from_secs(30);
/// Time until a request is answered.
const ANSWERED: Duration = Duration::from_secs(90);
const ALIVE: Duration = Duration::from_secs(20);
/// Most keyboard-interactive prompts, each answered with the password.
const QUESTIONS: usize = 8;

/// Address and credentials.
pub(super) struct Settings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) private_key: Option<String>,
    pub(super) host_key: Option<String>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

type Channel = russh::ChannelStream<client::Msg>;
type Waiting = Arc<Mutex<HashMap<u32, oneshot::Sender<Reply>>>>;

/// An authenticated connection.
pub(super) struct Session {
    shown: String,
    writer: AsyncMutex<WriteHalf<Channel>>,
    waiting: Waiting,
    next: AtomicU32,
    open: Arc<AtomicBool>,
    extensions: Vec<Vec<u8>>,
    /// Reads answers; ends with the session.
    _reader: JoinSet<()>,
    _connection: Handle<Trust>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Session").field(&self.shown).finish()
    }
}

/// Accepts one host key, and records the server's.
struct Trust {
    expected: Option<String>,
    seen: Arc<Mutex<Option<String>>>,
}

impl client::Handler for Trust {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else { return Ok(false) };
        let seen = key.fingerprint(HashAlg::Sha256).to_string();
        let trusted = self.expected.as_ref() == Some(&seen);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(trusted)
    }
}

impl Settings {
    fn shown(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn unreachable(&self, why: impl std::fmt::Display) -> Failure {
        let sentence = format!("The SFTP server {} cannot be reached: {why}.", self.shown());
        Failure::new(FailureCode::Unreachable, sentence)
    }

    pub(super) fn silent(&self) -> Failure {
        self.unreachable("it does not answer in time")
    }

    pub(super) fn full(&self) -> Failure {
        Failure::new(FailureCode::DiskFull, format!("The SFTP server {} has no room.", self.shown()))
    }

    pub(super) fn refused(&self, doing: &str, reply: &Reply) -> Failure {
        refused(&self.shown(), doing, reply)
    }

    /// Fetches the host key without signing in.
    pub(super) async fn look(&self) -> Result<String, Failure> {
        let (connected, seen) = self.dial().await?;
        if let Some(seen) = seen {
            return Ok(seen);
        }
        Err(self.unreachable(
            connected.err().map_or_else(|| "it has no key".to_owned(), |error| error.to_string()),
        ))
    }

    async fn dial(&self) -> Result<(Result<Handle<Trust>, russh::Error>, Option<String>), Failure> {
        let config = client::Config {
            inactivity_timeout: None,
            keepalive_interval: Some(ALIVE),
            keepalive_max: 3,
            nodelay: true,
            ..client::Config::default()
        };
        let seen = Arc::default();
        let trust = Trust { expected: self.host_key.clone(), seen: Arc::clone(&seen) };
        let connecting = async {
            let stream =
                crate::dns::connect(&self.host, self.port).await.map_err(|error| self.unreachable(error))?;
            drop(stream.set_nodelay(true));
            Ok(client::connect_stream(Arc::new(config), stream, trust).await)
        };
        let connected = tokio::time::timeout(CONNECTED, connecting).await.map_err(|_| self.silent())??;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok((connected, seen))
    }

    /// Connects and signs in.
    pub(super) async fn connect(&self) -> Result<Session, Failure> {
        let (connected, seen) = self.dial().await?;
        let mut handle = match connected {
            Ok(handle) => handle,
            Err(error) => {
                if let (Some(seen), Some(expected)) = (&seen, &self.host_key)
                    && seen != expected
                {
                    let sentence = format!(
                        "The SFTP server {} has another key than before: {seen} instead of {expected}. Somebody else may be answering. Test the backup target anew if the server was set up anew.",
                        self.shown()
                    );
                    return Err(Failure::new(FailureCode::Denied, sentence));
                }
                return Err(self.unreachable(error));
            }
        };
        let signing_in = tokio::time::timeout(CONNECTED, self.sign_in(&mut handle));
        if !signing_in.await.map_err(|_| self.silent())?? {
            let what = if self.private_key.is_some() { "key" } else { "password" };
            let sentence = format!("The SFTP server {} refuses the user or the {what}.", self.shown());
            return Err(Failure::new(FailureCode::Denied, sentence));
        }
        let opening = async {
            let channel = handle.channel_open_session().await?;
            channel.request_subsystem(true, "sftp").await?;
            Ok::<_, russh::Error>(channel.into_stream())
        };
        let opened = tokio::time::timeout(CONNECTED, opening).await.map_err(|_| self.silent())?;
        let channel = opened.map_err(|error| self.unreachable(error))?;
        let starting = Session::start(self.shown(), channel, handle);
        tokio::time::timeout(CONNECTED, starting).await.map_err(|_| self.silent())?
    }

    async fn sign_in(&self, handle: &mut Handle<Trust>) -> Result<bool, Failure> {
        let failed = |error: russh::Error| self.unreachable(error);
        if let Some(text) = &self.private_key {
            let key = decode_secret_key(text, None).map_err(|_| {
                let sentence = "The private key cannot be read. It has to be in OpenSSH's format, of Ed25519 or ECDSA, and without a passphrase.";
                Failure::new(FailureCode::Denied, sentence)
            })?;
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
            if handle.authenticate_publickey(&self.user, key).await.map_err(failed)?.success() {
                return Ok(true);
            }
        }
        let Some(password) = &self.password else { return Ok(false) };
        match handle.authenticate_password(&self.user, password).await.map_err(failed)? {
            AuthResult::Success => return Ok(true),
            AuthResult::Failure { .. } => {}
        }
        // Some servers only accept passwords by keyboard-interactive authentication.
        let mut asked = handle
            .authenticate_keyboard_interactive_start(&self.user, None::<String>)
            .await
            .map_err(failed)?;
        for _ in 0..QUESTIONS {
            match asked {
                KeyboardInteractiveAuthResponse::Success => return Ok(true),
                KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                    let answers = prompts.iter().take(QUESTIONS).map(|_| password.clone()).collect();
                    asked =
                        handle.authenticate_keyboard_interactive_respond(answers).await.map_err(failed)?;
                }
            }
        }
        Ok(false)
    }
}

impl Session {
    async fn start(shown: String, channel: Channel, connection: Handle<Trust>) -> Result<Self, Failure> {
        let (mut reader, mut writer) = tokio::io::split(channel);
        let failed = |why: &str| {
            let sentence = format!("The SFTP server {shown} cannot be used: {why}.");
            Failure::new(FailureCode::Unreachable, sentence)
        };
        let mut first = BytesMut::new();
        FromClient::Init { version: sftp::VERSION }.encode(&mut first);
        writer.write_all(&first).await.map_err(|_| failed("it ends the connection"))?;
        let mut received = BytesMut::new();
        let extensions = match next(&mut reader, &mut received).await {
            Some(FromServer::Version { extensions, .. }) => {
                extensions.into_iter().map(|(name, _)| name.to_vec()).collect()
            }
            _ => return Err(failed("it does not speak SFTP")),
        };
        let (waiting, open) = (Waiting::default(), Arc::new(AtomicBool::new(true)));
        let (answers, still) = (Arc::clone(&waiting), Arc::clone(&open));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Some(FromServer::Reply { id, reply }) = next(&mut reader, &mut received).await {
                let waits = answers.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                if let Some(waits) = waits {
                    drop(waits.send(reply));
                }
            }
            still.store(false, Ordering::Release);
            answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        Ok(Self {
            shown,
            writer: AsyncMutex::new(writer),
            waiting,
            next: AtomicU32::new(1),
            open,
            extensions,
            _reader: tasks,
            _connection: connection,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Whether the server supports this extension.
    pub(super) fn has(&self, extension: &str) -> bool {
        self.extensions.iter().any(|name| name == extension.as_bytes())
    }

    /// Sends a request and waits for the answer.
    pub(super) async fn ask(&self, request: Request) -> Result<Reply, Failure> {
        let lost = || {
            let sentence = format!("The connection to the SFTP server {} was lost.", self.shown);
            Failure::new(FailureCode::Unreachable, sentence)
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (send, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, send);
        if !self.is_open() {
            return Err(lost());
        }
        let mut packet = BytesMut::new();
        FromClient::Request { id, request }.encode(&mut packet);
        let asking = async {
            self.writer.lock().await.write_all(&packet).await.map_err(|_| lost())?;
            answer.await.map_err(|_| lost())
        };
        match tokio::time::timeout(ANSWERED, asking).await {
            Ok(answered) => answered,
            Err(_) => {
                self.open.store(false, Ordering::Release);
                let sentence = format!("The SFTP server {} does not answer in time.", self.shown);
                Err(Failure::new(FailureCode::Unreachable, sentence))
            }
        }
    }

    pub(super) fn refused(&self, doing: &str, reply: &Reply) -> Failure {
        refused(&self.shown, doing, reply)
    }
}

fn refused(shown: &str, doing: &str, reply: &Reply) -> Failure {
    let Reply::Status(status) = reply else {
        let sentence = format!("{doing} at the SFTP server {shown} failed: the answer makes no sense.");
        return Failure::new(FailureCode::Failed, sentence);
    };
    let (code, why) = match status.code {
        StatusCode::NoSuchFile => (FailureCode::NotFound, "it is not there"),
        StatusCode::PermissionDenied => (FailureCode::Denied, "the user may not do that"),
        StatusCode::NoConnection | StatusCode::ConnectionLost => {
            (FailureCode::Unreachable, "the connection was lost")
        }
        _ => (FailureCode::Failed, "the server did not do it"),
    };
    Failure::new(code, format!("{doing} at the SFTP server {shown} failed: {why}."))
}

/// Reads the next packet. `None` at the end, or after a malformed packet.
async fn next(reader: &mut ReadHalf<Channel>, received: &mut BytesMut) -> Option<FromServer> {
    loop {
        if let Some(packet) = next_packet(received).ok()? {
            return FromServer::decode(packet).ok();
        }
        if reader.read_buf(received).await.ok()? == 0 {
            return None;
        }
    }
}
