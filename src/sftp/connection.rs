//! The life of one connection. It ends when the client disconnects, when nobody signs in within a minute, and within two
//! seconds of a change to the user's permissions.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::server::run_stream;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::Sftp;
use super::handler::{ClientHandler, Shared, SignedIn};
use super::io::Cuttable;
use crate::auth::Actor;

/// From the connection to the right password.
const LOGIN: Duration = Duration::from_secs(60);
/// From the connection to the client's first line.
const HELLO: Duration = Duration::from_secs(15);
/// How long a connection that was cut may take to notice.
const ENDING: Duration = Duration::from_secs(5);

impl Sftp {
    /// Serves a connection.
    pub(super) async fn serve_one(self, stream: TcpStream, address: IpAddr, shared: Arc<Shared>) {
        let token = shared.token.clone();
        let ending = self.0.tasks.token();
        let handler = ClientHandler::new(self.clone(), Arc::clone(&shared), address);
        let stream = Cuttable::new(stream, token.clone());
        let begun = timeout(HELLO, run_stream(Arc::clone(&self.0.config), stream, handler));
        let mut session = match begun.await {
            Ok(Ok(session)) => session,
            Ok(Err(cause)) => return tracing::trace!(%cause, %address, "no SSH came about"),
            Err(_) => return,
        };
        tokio::select! {
            ended = &mut session => {
                if let Err(cause) = ended {
                    tracing::trace!(%cause, %address, "a connection by SFTP ended early");
                }
                token.cancel();
                return;
            }
            () = ending.cancelled() => {}
            () = token.cancelled() => {}
            () = self.over(&shared) => {
                tracing::info!(%address, by = shared.signed_in().map(|who| who.login.username().to_owned()), "a connection by SFTP was ended");
            }
        }
        token.cancel();
        let _ = timeout(ENDING, session).await;
    }

    /// Returns when it has to end.
    async fn over(&self, shared: &Shared) {
        let mut changes = self.0.auth.sftp_changes();
        let deadline = Instant::now() + LOGIN;
        loop {
            let user = shared.signed_in().map(|who| who.login.user_id().to_owned());
            tokio::select! {
                () = changes.next(user.as_deref().unwrap_or_default()) => {}
                () = sleep_until(deadline), if user.is_none() => return,
            }
            if let Some(who) = shared.signed_in()
                && !self.may_stay(&who, shared)
            {
                return;
            }
        }
    }

    fn may_stay(&self, who: &SignedIn, shared: &Shared) -> bool {
        if !self.0.auth.is_current(&who.login) {
            return false;
        }
        let actor = Actor::Sftp(who.login.clone());
        shared.used.still(&self.0.files, &actor)
    }
}
