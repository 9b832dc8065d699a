//! Checks of the machine before a server is created. Each one queries the engine, so only a few run in parallel.

use std::sync::Arc;

use protocol::{ErrorCode, HostCheck, HostReport, RegistryLogin, ToPanel};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::host::Host;
use crate::panel::reply_cache::Reply;
use crate::runtime::Runtime;

/// Maximum number of host checks in progress.
const CHECKS: usize = 32;

/// What a host check needs.
pub(crate) struct HostChecks {
    engine: Arc<dyn Runtime>,
    host: Arc<Host>,
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl HostChecks {
    pub(crate) fn new(engine: Arc<dyn Runtime>, host: Arc<Host>, tasks: TaskTracker) -> Self {
        Self { engine, host, permits: Arc::new(Semaphore::new(CHECKS)), tasks }
    }

    /// Sets the login for a registry.
    pub(super) fn log_in(&self, login: RegistryLogin) {
        self.engine.log_in(login);
    }

    /// Answers with a report.
    pub(super) fn check(&self, check: HostCheck, reply: Reply) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return reply.refuse(ErrorCode::Busy, "The node is busy with other checks. Try again.");
        };
        let (engine, host) = (Arc::clone(&self.engine), Arc::clone(&self.host));
        drop(self.tasks.spawn(async move {
            let image = match &check.image {
                Some(image) if !image.is_empty() => engine.image_environment(image).await,
                _ => Ok(None),
            };
            let registry = match &check.image {
                Some(image) if check.registry && !image.is_empty() => {
                    engine.image_at_registry(image).await.ok()
                }
                _ => None,
            };
            // Whether the engine answers is reported elsewhere; an unknown image counts as absent.
            let report = host.report(image.unwrap_or_default(), &check.ports);
            reply.answer(ToPanel::HostReport(HostReport { image: registry, ..report }));
            drop(permit);
        }));
    }
}
