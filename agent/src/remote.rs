//! The link to a panel on another machine: dials, carries messages both ways, and dials again when it broke.
//!
//! The agent itself does not notice: it speaks over its [`link`](crate::link) as ever. While the panel is away, what it
//! says is dropped; after each connection it is asked for `system_info` and `sync`, which is the truth from then on.

mod backoff;
mod carry;
mod dial;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::backoff::Backoff;
use self::carry::End;
use self::dial::DialError;
use crate::link::PanelSide;
use crate::pace::paced;

/// A connection that lasted this long was a good one, and its break is a new one. Not longer: a panel that is killed again
/// soon after it came back must not find us waiting for the break before.
const GOOD: Duration = Duration::from_secs(2);
/// After the panel refused the secret: somebody has to change something first.
const REFUSED: Duration = Duration::from_secs(60);
/// After another agent with this node's id took the place.
const REPLACED: Duration = Duration::from_secs(300);

/// Where the panel is, and who we are there.
#[derive(Clone)]
pub struct Remote {
    /// `ws://HOST:PORT`, where a path may follow.
    pub panel_url: String,
    /// Our node's id.
    pub node_id: String,
    /// The node's own secret, or the one that all agents share.
    pub secret: String,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("panel_url", &self.panel_url)
            .field("node_id", &self.node_id)
            .finish_non_exhaustive()
    }
}

/// The panel's address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("PANEL_URL {url:?}: {problem}")]
pub struct BadPanelUrl {
    /// As it was given.
    pub url: String,
    /// What is wrong.
    pub problem: String,
}

impl Remote {
    /// # Errors
    /// [`BadPanelUrl`].
    pub fn check(&self) -> Result<(), BadPanelUrl> {
        dial::request(self).map(drop).map_err(|problem| BadPanelUrl { url: self.panel_url.clone(), problem })
    }

    /// Keeps the link up until `cancel`. `connected` says whether it is.
    pub async fn run(self, mut link: PanelSide, connected: watch::Sender<bool>, cancel: CancellationToken) {
        let mut backoff = Backoff::default();
        let mut said_refused = false;
        while !cancel.is_cancelled() {
            let dialled = tokio::select! {
                () = cancel.cancelled() => return,
                dialled = dial::dial(&self) => dialled,
                // Nobody hears it, and the next panel must not take it for news.
                () = discard(&mut link) => return,
            };
            let began = Instant::now();
            let wait = match dialled {
                Ok(socket) => {
                    said_refused = false;
                    tracing::info!(panel = self.panel_url, "Successfully connected to panel");
                    connected.send_replace(true);
                    let end = carry::carry(socket, &mut link, &cancel).await;
                    connected.send_replace(false);
                    if began.elapsed() > GOOD {
                        backoff = Backoff::default();
                    }
                    match end {
                        End::Stopped => return,
                        End::Replaced => {
                            tracing::warn!(
                                "another agent with this node id took our place; trying again in 5 minutes"
                            );
                            paced(REPLACED)
                        }
                        End::Lost(reason) => {
                            tracing::warn!(reason, "the connection to the panel ended");
                            backoff.next()
                        }
                    }
                }
                Err(DialError::Refused(status)) => {
                    if !said_refused {
                        tracing::error!(
                            status,
                            "the panel refuses this agent: check AGENT_SECRET and NODE_ID"
                        );
                    }
                    said_refused = true;
                    paced(REFUSED)
                }
                Err(DialError::Away(reason)) => {
                    let wait = backoff.next();
                    tracing::warn!(reason, again_in_ms = wait.as_millis(), "the panel cannot be reached");
                    wait
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
                () = discard(&mut link) => return,
            }
        }
    }
}

/// Drops what the agent says while there is no panel: the sync after the next connection says what counts. Returns only
/// when the agent has ended.
async fn discard(link: &mut PanelSide) {
    while link.from_agent.recv().await.is_some() {}
}
