//! Containers that somebody pauses or resumes by hand. The engine tells of it; where it does not, a look now and then does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::runtime::Runtime;
use crate::server::Context;
use crate::supervisor::Supervisor;

/// Names that may wait.
const NAMES: usize = 64;
/// Between two streams of news.
const APART: Duration = Duration::from_secs(1);
/// A stream of news has begun by then.
const BEGUN: Duration = Duration::from_secs(2);
/// Between two looks, in case that there was news and nobody told.
const LOOK: Duration = Duration::from_secs(60);
/// Between two looks at an engine that gives no news.
const POLL: Duration = Duration::from_secs(10);

/// Has servers look at their containers when there is news of them, until the agent ends.
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

/// Follows one stream of news to its end; false where there was none.
async fn follow(engine: &dyn Runtime, servers: &Supervisor) -> bool {
    let (names, mut named) = mpsc::channel::<String>(NAMES);
    let news = engine.paused_or_not(names);
    tokio::pin!(news);
    // What happened while nobody followed, and what a stream that was cut did not tell.
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
