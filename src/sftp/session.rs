//! One SFTP session: reads requests, answers them or forwards them to nodes.

use bytes::{Bytes, BytesMut};
use sftp::{DecodeError, FromClient, FromServer, Reply, StatusCode, VERSION, extension};

use super::flow::Requests;
use super::links::{Client, Gone};
use super::path::Top;
use super::requests::{Router, Step};

/// Extensions, each with its version.
const EXTENSIONS: &[(&str, &str)] = &[
    (extension::POSIX_RENAME, "1"),
    (extension::STATVFS, "2"),
    (extension::FSTATVFS, "2"),
    (extension::FSYNC, "1"),
    (extension::LSETSTAT, "1"),
    (extension::LIMITS, "1"),
];

/// One client's session.
pub(super) struct Session(Router);

impl Session {
    pub(super) fn new(client: Client, top: Top) -> Self {
        Self(Router::new(client, top))
    }

    /// Serves until the client ends the session or violates the protocol.
    pub(super) async fn run(mut self, mut requests: Requests) {
        let token = self.0.client.token.clone();
        let mut begun = false;
        loop {
            let packets = tokio::select! {
                () = token.cancelled() => return,
                packets = requests.next() => packets,
            };
            let packets = match packets {
                Ok(Some(packets)) => packets,
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, by = %self.0.client.actor, "an SFTP client");
                    return token.cancel();
                }
            };
            for packet in packets {
                let done = match begun {
                    true => self.packet(packet).await,
                    false => self.begin(packet).await,
                };
                begun = true;
                if done.is_err() {
                    return token.cancel();
                }
            }
            if self.0.links.flush().await.is_err() {
                return token.cancel();
            }
        }
    }

    async fn begin(&mut self, packet: Bytes) -> Result<(), Gone> {
        match FromClient::decode(packet) {
            Ok(FromClient::Init { version }) if version >= VERSION => {
                let named = |(name, version): &(&'static str, &'static str)| {
                    (Bytes::from_static(name.as_bytes()), Bytes::from_static(version.as_bytes()))
                };
                let extensions = EXTENSIONS.iter().map(named).collect();
                self.send(&FromServer::Version { version: VERSION, extensions }).await
            }
            _ => Err(Gone),
        }
    }

    async fn packet(&mut self, packet: Bytes) -> Result<(), Gone> {
        let (id, request) = match FromClient::decode(packet) {
            Ok(FromClient::Request { id, request }) => (id, request),
            Ok(FromClient::Init { .. }) => return Err(Gone),
            Err(error) => {
                let Some(id) = error.id() else { return Err(Gone) };
                let code = match error {
                    DecodeError::Unknown { .. } => StatusCode::Unsupported,
                    _ => StatusCode::BadMessage,
                };
                return self.reply(id, Reply::status(code, format!("This is {error}."))).await;
            }
        };
        match self.0.step(request).await {
            Ok(Step::Forward(slot, request)) => self.0.links.put(slot, id, request).await,
            Ok(Step::Answer(reply)) | Err(reply) => self.reply(id, reply).await,
        }
    }

    async fn reply(&mut self, id: u32, reply: Reply) -> Result<(), Gone> {
        self.send(&FromServer::Reply { id, reply }).await
    }

    async fn send(&mut self, packet: &FromServer) -> Result<(), Gone> {
        let mut bytes = BytesMut::new();
        packet.encode(&mut bytes);
        self.0.client.answers.send(bytes.freeze()).await.map_err(|_gone| Gone)
    }
}
