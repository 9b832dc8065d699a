//! The accept loop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Sftp;
use super::handler::Shared;

/// Before accepting goes on after it failed.
const PAUSE: Duration = Duration::from_millis(200);

/// Whether a peer is refused.
pub(super) type Refuses = Arc<dyn Fn(SocketAddr) -> bool + Send + Sync>;

impl Sftp {
    /// Accepts connections until the panel stops.
    pub async fn serve(self, listener: TcpListener, refuses: Refuses) {
        let token = self.0.tasks.token();
        loop {
            let accepted = tokio::select! {
                () = token.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(cause) => {
                    tracing::debug!(%cause, "accepting a connection by SFTP failed");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            if refuses(peer) {
                tracing::debug!(%peer, "a connection from a network of games was refused");
                continue;
            }
            let address = peer.ip().to_canonical();
            let cut = CancellationToken::new();
            let place = self.0.places.enter(address, cut.clone());
            let _ = stream.set_nodelay(true);
            let shared = Shared::new(place, cut);
            drop(self.0.tasks.spawn("SFTP connection", self.clone().serve_one(stream, address, shared)));
        }
    }
}
