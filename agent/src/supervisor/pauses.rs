//! Detects containers paused or resumed by hand, from the engine's events or, if there are none, by polling.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::runtime::Runtime;
use crate::server::Context;
use crate::supervisor::Supervisor;

/// Maximum number of queued names.
const NAMES: usize = 64;
/// Pause between event streams.
const APART: Duration = Duration::from_secs(1);
/// Time by which an event stream has started.
const BEGUN: Duration = Duration::from_secs(2);
/// Interval of checks in case events were missed.
const LOOK: Duration = Duration::from_secs(60);
/// Interval of checks if the engine sends no events.
const POLL: Duration = Duration::from_secs(10);

/// Has servers check their containers on events, until the agent exits.
pub(crate) async fn watch(context: Arc<Context>, servers: Supervisor) {
    let cancel = context.cancel.clone();
    let work = async {
        while context.watch.there().await {
            let followed = follow(context.engine.as_ref(), &servers).await;
            tokio::time::sleep(if followed { APART } else { POLL }).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = cancel.cancelled() => {}
    }
}

/// Follows one event stream to its end; false if there was none.
async fn follow(engine: &dyn Runtime, servers: &Supervisor) -> bool {
    let (names, mut named) = mpsc::channel::<String>(NAMES);
    let news = engine.paused_or_not(names);
    tokio::pin!(news);
    // Catches events from before the stream started and those that a broken stream did not deliver.
    let mut look = tokio::time::interval_at(Instant::now() + BEGUN, LOOK);
    for (_, handle) in servers.all() {
        handle.check_paused();
    }
    loop {
        tokio::select! {
            biased;
            _ = look.tick() => {
                for (_, handle) in servers.all() {
                    handle.check_paused();
                }
            }
            Some(name) = named.recv() => {
                if let Some(handle) = servers.get(&name) {
                    handle.check_paused();
                }
            }
            ended = &mut news => {
                if let Err(error) = &ended {
                    tracing::debug!(%error, "the engine tells nothing of paused containers");
                }
                return ended.is_ok();
            }
        }
    }
}
