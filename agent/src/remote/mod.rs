//! The link to a panel on another machine: connects, carries messages in both directions, and reconnects.
//!
//! The agent itself does not notice: it always uses its [`link`](crate::link). While the panel is away, its messages
//! are dropped; after each connection it is asked for `system_info` and `sync`, which are authoritative from then on.

mod backoff;
mod carry;
mod dial;
mod head_first;
mod pin;
mod settings;
mod state;
mod streams;
mod tls;
mod trust;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::dial::{DialError, Dialer, Socket, Transport};
pub use self::pin::KeyPin;
pub use self::settings::{BadPanelUrl, Remote};
pub use self::state::LinkState;
pub use self::streams::RemoteStreamOpener;
pub(crate) use self::tls::crypto_provider;
pub use self::trust::{BadAuthorities, authorities, cert_error};

use self::backoff::Backoff;
use self::carry::End;
use crate::legacy::Interpreter;
use crate::link::PanelSide;

impl Dialer {
    /// Keeps the link up until `cancel`. `standing` reports its state.
    pub async fn run(
        self,
        mut link: PanelSide,
        standing: watch::Sender<LinkState>,
        cancel: CancellationToken,
    ) {
        let times = &self.remote().times;
        let fresh = || Backoff::new(times.redial.first_wait, times.redial.most_wait);
        let mut backoff = fresh();
        let mut said_refused = None;
        let mut legacy = Interpreter::default();
        while !cancel.is_cancelled() {
            let dialled = tokio::select! {
                () = cancel.cancelled() => return,
                dialled = self.control() => dialled,
                // Nobody receives these messages, and the next panel must not take them for new.
                () = discard(&mut link) => return,
            };
            let began = Instant::now();
            let wait = match dialled {
                Ok(dialled) => {
                    said_refused = None;
                    let panel = &self.remote().panel_url;
                    tracing::info!(
                        panel,
                        encoding = dialled.encoding.name(),
                        "Successfully connected to panel"
                    );
                    standing.send_replace(LinkState::Connected);
                    let carried = carry::carry(dialled, times, &mut link, &mut legacy, &standing, &cancel);
                    let end = carried.await;
                    standing.send_replace(LinkState::Away);
                    if began.elapsed() > times.redial.good {
                        backoff = fresh();
                    }
                    match end {
                        End::Stopped => return,
                        End::Replaced => {
                            tracing::warn!(
                                again_in_s = times.duplicates.replaced.as_secs(),
                                "another agent with this node id took our place"
                            );
                            times.duplicates.replaced
                        }
                        End::Lost(reason) => {
                            tracing::warn!(reason, "the connection to the panel ended");
                            backoff.next()
                        }
                    }
                }
                Err(DialError::Refused(status)) => {
                    // Logged once, not every minute.
                    if said_refused.replace(status) != Some(status) {
                        let hint = match status {
                            409 => {
                                "another machine uses this node id: stop the agent there, or choose another NODE_ID"
                            }
                            _ => "check AGENT_SECRET and NODE_ID",
                        };
                        tracing::error!(status, "the panel refuses this agent: {hint}");
                    }
                    times.redial.refused
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

/// Drops the agent's messages while there is no panel; the sync after the next connection has what matters. Returns
/// only when the agent has ended.
async fn discard(link: &mut PanelSide) {
    while link.from_agent.recv().await.is_some() {}
}
