//! A container that somebody has stand still: `docker pause`, by hand. It is shown as what it is, may be resumed, and is
//! resumed by a stop.

use std::sync::Arc;

use super::jobs::Event;
use super::queue::{Phase, Refusal};
use super::state::Server;
use crate::protocol::Status;
use crate::reply_cache::Reply;
use crate::runtime::{EngineError, Fault};

impl Server {
    /// Looks whether its container stands still.
    pub(super) fn glance(&mut self) {
        let Some(run) = &self.run else { return };
        let Some(live) = &run.live else { return };
        let (context, id, number) = (Arc::clone(&self.context), live.container_id.clone(), run.number);
        self.job(async move {
            let seen = context.engine.inspect(&id).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "whether a container stands still is not known");
                None
            });
            Event::Glanced(number, seen)
        });
    }

    pub(super) fn glanced(&mut self, paused: bool) {
        if self.queue.paused() == paused {
            return;
        }
        self.queue.set_paused(paused);
        if !paused {
            self.console.system("The server goes on.");
            if self.live().is_some_and(|live| live.found_paused) {
                self.look_anew();
            }
        } else if matches!(self.queue.phase(), Phase::Stopping) {
            self.unpause();
        } else {
            self.console.system("The server stands still: somebody had the container engine pause it.");
        }
    }

    /// Lets it go on, so that it can stop.
    pub(super) fn unpause(&mut self) {
        let Some(run) = &self.run else { return };
        let Some(live) = &run.live else { return };
        let (context, id) = (Arc::clone(&self.context), live.container_id.clone());
        self.job(async move {
            if let Err(error) = context.engine.unpause(&id).await {
                // A signal may have done it already.
                tracing::debug!(%error, "a container that is to stop was not resumed");
            }
            Event::Nothing
        });
    }

    /// One that was found standing still has no terminal: it goes on first, and is stopped when it is found so.
    pub(super) fn resume_to_stop(&mut self) -> bool {
        let Some(live) = self.live().filter(|live| live.found_paused) else { return false };
        let (context, id) = (Arc::clone(&self.context), live.container_id.clone());
        let Some(number) = self.run.as_ref().map(|run| run.number) else { return false };
        self.job(async move {
            if let Err(error) = context.engine.unpause(&id).await {
                tracing::debug!(%error, "a container that is to stop was not resumed");
            }
            Event::Glanced(number, context.engine.inspect(&id).await.ok().flatten())
        });
        true
    }

    /// Lets it go on because somebody asked for that, who is answered when it does.
    pub(super) fn resume(&mut self, reply: Reply) {
        let live = self.run.as_ref().and_then(|run| Some((run.number, run.live.as_ref()?)));
        let Some((number, live)) = live else {
            let (code, message) = Refusal::NotPaused.words();
            return reply.refuse(code, message);
        };
        let (context, id) = (Arc::clone(&self.context), live.container_id.clone());
        self.job(async move {
            let mut resumed = context.engine.unpause(&id).await;
            // Somebody else was faster: that is what was wanted.
            if resumed.is_err()
                && let Ok(Some(seen)) = context.engine.inspect(&id).await
                && seen.running
                && !seen.paused
            {
                resumed = Ok(());
            }
            Event::Resumed(number, reply, resumed)
        });
    }

    pub(super) fn resumed(&mut self, run: u64, reply: Reply, result: Result<(), EngineError>) {
        match result {
            Ok(()) => {
                if self.is_current(run) {
                    self.glanced(false);
                }
                // One that was found so is looked at anew first.
                let status = Some(self.queue.status()).filter(|status| *status != Status::Unknown);
                reply.ack(Some(status.unwrap_or(Status::Running)));
            }
            Err(error) => {
                self.context.watch.suspect(&error);
                let code = if error.fault == Fault::Away { "engine_unavailable" } else { "busy" };
                reply.refuse(code, format!("The server could not be resumed: {}", error.message));
            }
        }
    }
}
