//! How players reach a server: whether its game listens, whether its ports are published, and whether the router forwards
//! them. What cannot be seen is said to be unknown, never guessed.
//!
//! The router is asked only for servers for which somebody said yes ([`Reach::allow`]).

mod book;
mod error;
mod gateway;
mod http;
mod keeper;
mod listening;
mod pcp;
mod router;
mod upnp;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::{ErrorCode, PortReach, ReachReport, RouterAllow, RouterReport, ServerId, ToPanel};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::book::Outside;
use self::keeper::{Keeper, Shared};
use crate::host::ports_taken;
use crate::panel::reply_cache::Reply;
use crate::runtime::Runtime;
use crate::server::Handle;
use crate::supervisor::Supervisor;

/// How servers are reached.
pub(crate) struct Reach {
    shared: Arc<Shared>,
    engine: Arc<dyn Runtime>,
    tasks: TaskTracker,
}

impl Reach {
    /// Starts the task that keeps the router's ports; `folder` has the agent's own files.
    pub(crate) fn start(
        folder: &Path,
        engine: Arc<dyn Runtime>,
        servers: Supervisor,
        tasks: TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        let shared = Arc::new(Shared::open(folder));
        let keeper = Keeper {
            shared: Arc::clone(&shared),
            servers,
            engine: Arc::clone(&engine),
            published: HashMap::new(),
            next_check: Instant::now(),
        };
        drop(tasks.spawn(keeper.run(cancel)));
        Self { shared, engine, tasks }
    }

    /// Allows or forbids to ask the router for a server. Answered when that is on the disk.
    pub(crate) fn allow(&self, wish: &RouterAllow, reply: Reply) {
        let kept = self.shared.book().allow(&wish.server_id, wish.allow, &wish.never);
        match kept {
            Ok(()) => {
                self.shared.changed.notify_one();
                reply.ack(None);
            }
            Err(error) => {
                tracing::warn!(%error, "the list of forwarded ports could not be written");
                reply
                    .refuse(ErrorCode::DiskFull, "The node could not write that down. Its disk may be full.");
            }
        }
    }

    /// Answers with what is known of a server's ports.
    pub(crate) fn query(&self, server_id: ServerId, handle: &Handle, reply: Reply) {
        let running = handle.running.borrow().clone();
        let (shared, engine) = (Arc::clone(&self.shared), Arc::clone(&self.engine));
        drop(self.tasks.spawn(async move {
            let mut report = general(&shared, &server_id);
            if let Some(running) = running {
                let found = match engine.describe(&running.container_id).await {
                    Ok(found) => found,
                    Err(error) => return reply.refuse(ErrorCode::EngineUnavailable, error.to_string()),
                };
                let ports = found.map(|found| found.ports).unwrap_or_default();
                let process = running.pid.map(|pid| PathBuf::from(format!("/proc/{pid}")));
                let looked = tokio::task::spawn_blocking(move || {
                    let taken = ports_taken(&ports);
                    let of = |port: &protocol::Port| PortReach {
                        internal: port.internal,
                        external: port.external,
                        protocol: port.protocol,
                        listening: process
                            .as_deref()
                            .and_then(|process| listening::listens(process, port.protocol, port.internal)),
                        // One that could be bound may be held in another network: an agent in a container has its own.
                        published: taken.contains(port).then_some(true),
                        forwarded: None,
                        problem: None,
                    };
                    ports.iter().map(of).collect::<Vec<_>>()
                });
                report.ports = looked.await.unwrap_or_default();
                let seen = shared.seen();
                for port in &mut report.ports {
                    let outside = Outside { protocol: port.protocol, port: port.external };
                    match seen.ports.get(&outside).filter(|_| report.allowed) {
                        Some(Ok(_)) => port.forwarded = Some(true),
                        Some(Err(problem)) => {
                            (port.forwarded, port.problem) = (Some(false), Some(problem.clone()));
                        }
                        None => {}
                    }
                }
            }
            reply.answer(ToPanel::ReachReport(report));
        }));
    }
}

fn general(shared: &Shared, server_id: &ServerId) -> ReachReport {
    let allowed = shared.book().allows(server_id);
    let seen = shared.seen();
    let router = RouterReport {
        address: seen.router.as_ref().map(|router| router.gateway.router.to_string()),
        own: seen.router.as_ref().map(|router| router.gateway.own.to_string()),
        via: seen.router.as_ref().and_then(|router| router.via()).map(str::to_owned),
        external: seen.router.as_ref().and_then(|router| router.external).map(|address| address.to_string()),
        problem: seen.problem.clone(),
    };
    ReachReport { allowed, router, ports: Vec::new() }
}
