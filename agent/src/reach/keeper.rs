//! Keeps the router's forwarded ports as they should be: those of running servers for which somebody said yes, and no
//! others. It is the only one who asks the router.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::{Port, ServerId};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::book::{Asked, Book, Outside};
use super::error::RouterError;
use super::router::{Mapped, Router};
use crate::runtime::Runtime;
use crate::supervisor::Supervisor;

/// How often it is looked whether servers were started or stopped.
const LOOK: Duration = Duration::from_secs(2);
/// How often the router is asked whether it still has its mappings, and asked again for what it refused.
const CHECK: Duration = Duration::from_secs(60);
/// Ports that are forwarded for one machine.
const MOST: usize = 200;

/// What is known of a port: it is forwarded, or why it is not.
type Known = Result<Mapped, String>;

/// What the keeper shares with whoever asks.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) book: Mutex<Book>,
    pub(super) seen: Mutex<Seen>,
    pub(super) changed: Notify,
}

/// What is known of the router.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) router: Option<Router>,
    pub(super) problem: Option<String>,
    pub(super) ports: BTreeMap<Outside, Known>,
}

impl Shared {
    pub(super) fn open(folder: &Path) -> Self {
        let book = Mutex::new(Book::open(folder));
        Self { book, seen: Mutex::default(), changed: Notify::new() }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) servers: Supervisor,
    pub(super) engine: Arc<dyn Runtime>,
    /// The published ports of containers, which do not change while they live.
    pub(super) published: HashMap<String, Vec<Port>>,
    pub(super) next_check: Instant,
}

impl Keeper {
    pub(super) async fn run(mut self, cancel: CancellationToken) {
        // Servers that run are found again first: their ports are not to be closed and opened.
        self.servers.settled(Duration::from_secs(30)).await;
        loop {
            let idle = self.shared.book().is_empty();
            let work = async {
                if idle {
                    self.shared.changed.notified().await;
                } else {
                    let _ = tokio::time::timeout(LOOK, self.shared.changed.notified()).await;
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = work => {}
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = self.round() => {}
            }
        }
    }

    async fn round(&mut self) {
        let wanted = self.wanted().await;
        let asked = self.shared.book().asked();
        let check = Instant::now() >= self.next_check;
        let due = |outside: &Outside, seen: &Seen| match seen.ports.get(outside) {
            None => true,
            Some(Ok(mapped)) => mapped.renew.is_some_and(|renew| Instant::now() >= renew),
            Some(Err(_)) => check,
        };
        let missing = {
            let seen = self.shared.seen();
            wanted.keys().any(|outside| due(outside, &seen))
        };
        let stale = asked.iter().any(|asked| !wanted.contains_key(&asked.outside));
        let ending = stale && self.shared.seen().problem.is_none();
        if !(check || missing || ending) {
            return;
        }
        if check {
            self.next_check = Instant::now() + CHECK;
        }
        if wanted.is_empty() && asked.is_empty() {
            return;
        }
        let known = self.shared.seen().router.clone();
        let mut router = match Router::find().await {
            // The machine may be in another network by now.
            Ok(found) => known.filter(|known| known.gateway == found.gateway).unwrap_or(found),
            Err(error) => return self.failed(&error),
        };
        if check && router.has_forgotten().await {
            self.shared.seen().ports.clear();
        }
        self.shared.seen().problem = None;
        for gone in asked.iter().filter(|asked| !wanted.contains_key(&asked.outside)) {
            self.end(&mut router, gone).await;
        }
        for (outside, server_id) in &wanted {
            self.keep(&mut router, *outside, server_id, check).await;
        }
        self.shared.seen().router = Some(router);
    }

    fn failed(&self, error: &RouterError) {
        let mut seen = self.shared.seen();
        seen.router = None;
        seen.problem = Some(error.to_string());
        seen.ports.clear();
    }

    /// Ends what is not wanted any more; it is forgotten only when the router did.
    async fn end(&self, router: &mut Router, gone: &Asked) {
        self.shared.seen().ports.remove(&gone.outside);
        match router.unmap(gone).await {
            Ok(()) => {
                tracing::info!(server = %gone.server_id, port = gone.outside.port, "the router forwards the port no more");
                self.written(self.shared.book().remove(gone.outside));
            }
            Err(error) => {
                tracing::warn!(server = %gone.server_id, port = gone.outside.port, %error, "the router still forwards a port");
                self.shared.seen().problem = Some(error.to_string());
            }
        }
    }

    async fn keep(&self, router: &mut Router, outside: Outside, server_id: &ServerId, check: bool) {
        let known = self.shared.seen().ports.get(&outside).cloned();
        let asked = {
            let book = self.shared.book();
            let kept = book.asked().into_iter().find(|asked| asked.outside == outside);
            let nonce = kept.map_or_else(rand::random, |kept| kept.nonce);
            Asked { outside, server_id: server_id.clone(), nonce }
        };
        if let Some(Ok(mapped)) = &known {
            let renew = mapped.renew.is_some_and(|renew| Instant::now() >= renew);
            // A router that does not answer may have been switched off: what it had is asked for anew when it is back.
            if !renew && (!check || router.still_has(&asked).await.unwrap_or(false)) {
                return;
            }
        } else if known.is_some() && !check {
            return;
        }
        if !self.written(self.shared.book().add(asked.clone())) {
            return;
        }
        let result = router.map(&asked).await;
        if let Err(error) = &result {
            if known.as_ref().is_none_or(Result::is_ok) {
                tracing::warn!(server = %server_id, port = outside.port, %error, "the router does not forward the port");
            }
            if error.is_conflict() {
                // It is not ours, and is not to be ended.
                self.written(self.shared.book().remove(outside));
            }
        } else if !matches!(known, Some(Ok(_))) {
            tracing::info!(server = %server_id, port = outside.port, via = router.via(), "the router forwards the port");
        }
        self.shared.seen().ports.insert(outside, result.map_err(|error| error.to_string()));
    }

    fn written(&self, result: std::io::Result<()>) -> bool {
        match result {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "the list of forwarded ports could not be written");
                self.shared.seen().problem =
                    Some(format!("The list of forwarded ports cannot be written: {error}."));
                false
            }
        }
    }

    /// The published ports of running servers for which the router is allowed.
    async fn wanted(&mut self) -> BTreeMap<Outside, ServerId> {
        let all = self.servers.all();
        let there: BTreeSet<_> = all.iter().map(|(id, _)| id.clone()).collect();
        let kept = self.shared.book().keep_only(&there);
        self.written(kept);
        let mut wanted = BTreeMap::new();
        let mut live = BTreeSet::new();
        for (id, handle) in all {
            if !self.shared.book().allows(&id) {
                continue;
            }
            let Some(running) = handle.running.borrow().clone() else { continue };
            live.insert(running.container_id.clone());
            if !self.published.contains_key(&running.container_id) {
                match self.engine.describe(&running.container_id).await {
                    Ok(Some(found)) => drop(self.published.insert(running.container_id.clone(), found.ports)),
                    Ok(None) => continue,
                    Err(error) => {
                        tracing::debug!(server = %id, %error, "the engine does not tell a container's ports");
                        continue;
                    }
                }
            }
            let ports = self.published.get(&running.container_id).into_iter().flatten();
            for port in ports {
                let outside = Outside { protocol: port.protocol, port: port.external };
                if wanted.len() < MOST && !self.shared.book().never(port.external) {
                    wanted.insert(outside, id.clone());
                }
            }
        }
        self.published.retain(|container, _| live.contains(container));
        wanted
    }
}
