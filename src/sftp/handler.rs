//! The SSH side of a connection: authentication and the `sftp` subsystem. Everything else is refused with a message.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty};
use tokio_util::sync::CancellationToken;

use super::flow::{Flow, flow};
use super::links::{Client, InUse};
use super::path::{Top, split_name};
use super::places::Place;
use super::session::Session as SftpSession;
use super::{Inner, Sftp};
use crate::auth::{Actor, DeviceProof, Origin, SftpLogin};
use crate::error::{ApiError, Code};
use crate::ssh_keys;

/// Channels of one connection.
const CHANNELS: usize = 8;
/// Answer to shells and commands.
const ONLY_SFTP: &str =
    "Files only, by SFTP: there is no shell here, and no commands, so neither rsync nor `scp -O`.\r\n";

/// The signed-in user and the top folder.
#[derive(Clone)]
pub(super) struct SignedIn {
    pub(super) login: SftpLogin,
    pub(super) top: Top,
}

/// State shared by a connection's task and its handler.
pub(super) struct Shared {
    pub(super) place: Place,
    pub(super) token: CancellationToken,
    pub(super) used: InUse,
    signed_in: Mutex<Option<SignedIn>>,
}

impl Shared {
    pub(super) fn new(place: Place, token: CancellationToken) -> Arc<Self> {
        Arc::new(Self { place, token, used: InUse::default(), signed_in: Mutex::default() })
    }

    pub(super) fn signed_in(&self) -> Option<SignedIn> {
        self.signed_in.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sign_in(&self, who: SignedIn) {
        *self.signed_in.lock().unwrap_or_else(PoisonError::into_inner) = Some(who);
    }
}

enum Open {
    /// Nothing was asked yet.
    Waiting,
    Sftp(Flow),
}

/// One connection's handler.
pub(super) struct ClientHandler {
    sftp: Sftp,
    shared: Arc<Shared>,
    address: IpAddr,
    channels: HashMap<ChannelId, Open>,
}

impl ClientHandler {
    pub(super) fn new(sftp: Sftp, shared: Arc<Shared>, address: IpAddr) -> Self {
        Self { sftp, shared, address, channels: HashMap::new() }
    }

    fn inner(&self) -> &Inner {
        &self.sftp.0
    }

    /// Splits a login name into the account and the top folder.
    fn split<'n>(&self, name: &'n str) -> Result<(&'n str, Top), ApiError> {
        let (account, server) = split_name(name, self.inner().auth.has_account(name)?);
        Ok((account, server.map_or(Top::Servers, Top::Server)))
    }

    /// Admits an authenticated user, unless the server or a limit refuses it.
    fn enter(&self, login: SftpLogin, top: Top) -> Result<Auth, russh::Error> {
        let (inner, address) = (self.inner(), self.address);
        let actor = Actor::Sftp(login.clone());
        if let Top::Server(server) = &top {
            match inner.files.sftp_rights(&actor, server) {
                Ok(rights) => self.shared.used.note(server.clone(), rights),
                Err(error) => {
                    let why = error.message();
                    tracing::info!(by = %actor, %server, %address, why, "a connection by SFTP was refused");
                    return Ok(Auth::reject());
                }
            }
        }
        if !self.shared.place.signed_in(login.user_id()) {
            tracing::warn!(by = %actor, %address, "too many connections by SFTP");
            return Err(russh::Error::Disconnect);
        }
        tracing::info!(by = %actor, %address, "connected");
        self.shared.sign_in(SignedIn { login, top });
        Ok(Auth::Accept)
    }

    /// The account that owns the key, and its top folder.
    fn owner(&self, name: &str, key: &PublicKey) -> Option<(SftpLogin, Top)> {
        let (account, top) = self.split(name).ok()?;
        let found = self.inner().auth.sftp_by_key(account, &ssh_keys::fingerprint(key));
        Some((found.ok()??, top))
    }

    /// Sends [`ONLY_SFTP`] and closes the channel.
    fn refuse(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        self.channels.remove(&channel);
        session.channel_success(channel)?;
        session.extended_data(channel, 1, ONLY_SFTP.as_bytes())?;
        session.exit_status_request(channel, 1)?;
        session.eof(channel)?;
        session.close(channel)
    }
}

impl Handler for ClientHandler {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let Ok((account, top)) = self.split(user) else { return Ok(Auth::reject()) };
        let origin =
            Origin { address: self.address, user_agent: "SFTP".to_owned(), device: DeviceProof::default() };
        match self.inner().auth.sftp_by_password(account, password.to_owned(), &origin).await {
            Ok(login) => self.enter(login, top),
            Err(error) if error.code() == Code::BadCredentials => Ok(Auth::reject()),
            Err(error) => {
                // Throttled, or too many passwords are being checked: the page answers 429 or 503.
                tracing::info!(address = %self.address, why = error.message(), "a connection by SFTP was refused");
                Err(russh::Error::Disconnect)
            }
        }
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(match self.owner(user, offer.public_key) {
            Some(_) => Auth::Accept,
            None => Auth::reject(),
        })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let Some((login, top)) = self.owner(user, key.public_key) else { return Ok(Auth::reject()) };
        if let Err(error) = self.inner().auth.sftp_key_used(&login).await {
            tracing::debug!(%error, "noting the use of an SSH key");
        }
        self.enter(login, top)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.channels.len() >= CHANNELS {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.channels.insert(channel.id(), Open::Waiting);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(SignedIn { login, top }) = self.shared.signed_in() else {
            return Err(russh::Error::Disconnect);
        };
        if name != "sftp" || !matches!(self.channels.get(&channel), Some(Open::Waiting)) {
            session.channel_failure(channel)?;
            return Ok(());
        }
        session.channel_success(channel)?;
        let (flow, requests, answers, outward) = flow();
        self.channels.insert(channel, Open::Sftp(flow));
        let (inner, handle) = (self.inner(), session.handle());
        let client = Client {
            files: inner.files.clone(),
            actor: Actor::Sftp(login),
            tasks: inner.tasks.clone(),
            used: self.shared.used.clone(),
            answers,
            token: self.shared.token.clone(),
        };
        drop(inner.tasks.spawn("SFTP session", SftpSession::new(client, top).run(requests)));
        let token = self.shared.token.clone();
        drop(inner.tasks.spawn("SFTP answers", async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = outward.forward(handle, channel) => {}
            }
        }));
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(Open::Sftp(flow)) = self.channels.get_mut(&channel) else { return Ok(()) };
        flow.push(data, channel, session, &self.shared.token).await
    }

    async fn channel_eof(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        if let Some(Open::Sftp(flow)) = self.channels.get(&channel) {
            flow.end();
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(&channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        self.refuse(channel, session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.refuse(channel, session)
    }
}
