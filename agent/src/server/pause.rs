//! A container paused by hand with `docker pause`: it is shown as paused, can be resumed, and is resumed by a stop.

use std::sync::Arc;

use protocol::{ErrorCode, Status};

use super::jobs::Event;
use super::life_cycle::Refusal;
use super::state::Server;
use crate::panel::reply_cache::Reply;
use crate::runtime::{EngineError, Fault};

impl Server {
    /// Starts a check whether the container is paused.
    pub(super) fn check_paused(&mut self) {
        let Some((number, live)) = self.runs.numbered_live() else { return };
        let (context, id) = (Arc::clone(&self.context), live.container_id.clone());
        self.jobs.push(async move {
            let seen = context.engine.inspect(&id).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "whether a container is paused is not known");
                None
            });
            Event::PauseChecked(number, seen)
        });
    }

    pub(super) fn pause_seen(&mut self, paused: bool) {
        if self.life_cycle.paused() == paused {
            return;
        }
        self.life_cycle.set_paused(paused);
        if !paused {
            self.output.console.system("The server goes on.");
            if self.runs.live().is_some_and(|live| live.found_paused) {
                self.inspect_anew();
            }
        } else if self.life_cycle.is_stopping() {
            self.unpause();
        } else {
            self.output
                .console
                .system("The server stands still: somebody had the container engine pause it.");
        }
    }

    /// Resumes the container so that it can stop.
    pub(super) fn unpause(&mut self) {
        let Some(live) = self.runs.live() else { return };
        let (context, id) = (Arc::clone(&self.context), live.container_id.clone());
        self.jobs.push(async move {
            if let Err(error) = context.engine.unpause(&id).await {
                // Sending the signal may already have resumed it.
                tracing::debug!(%error, "a container that is to stop was not resumed");
            }
            Event::Nothing
        });
    }

    /// A container found paused has no terminal: it is resumed first, and stopped when it is found running. False if it
    /// was not found paused.
    pub(super) fn resume_to_stop(&mut self) -> bool {
        let live = self.runs.numbered_live().filter(|(_, live)| live.found_paused);
        let Some((number, live)) = live else { return false };
        let (context, id) = (Arc::clone(&self.context), live.container_id.clone());
        self.jobs.push(async move {
            if let Err(error) = context.engine.unpause(&id).await {
                tracing::debug!(%error, "a container that is to stop was not resumed");
            }
            Event::PauseChecked(number, context.engine.inspect(&id).await.ok().flatten())
        });
        true
    }

    /// Resumes the container on request; answered once it runs.
    pub(super) fn resume(&mut self, reply: Reply) {
        let Some((number, live)) = self.runs.numbered_live() else {
            let (code, message) = Refusal::NotPaused.words();
            return reply.refuse(code, message);
        };
        let (context, id) = (Arc::clone(&self.context), live.container_id.clone());
        self.jobs.push(async move {
            let mut resumed = context.engine.unpause(&id).await;
            // Someone else resumed it meanwhile, which is fine.
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
                if self.runs.is_current(run) {
                    self.pause_seen(false);
                }
                // A container found paused is inspected first; its status is not known yet.
                let status = Some(self.life_cycle.status()).filter(|status| *status != Status::Unknown);
                reply.ack(Some(status.unwrap_or(Status::Running)));
            }
            Err(error) => {
                self.context.watch.suspect(&error);
                let code =
                    if error.fault == Fault::Away { ErrorCode::EngineUnavailable } else { ErrorCode::Busy };
                reply.refuse(code, format!("The server could not be resumed: {}", error.message));
            }
        }
    }
}
