//! Starts the work that the life cycle decided on: launch, image fetch, removal. Stopping is in [`super::stop`].

use std::sync::Arc;

use protocol::Status;
use tokio_util::sync::CancellationToken;

use super::jobs::{self, Event};
use super::launch::Launch;
use super::life_cycle::{Act, Phase};
use super::removal;
use super::run::{Intent, Stage};
use super::shown::Outcome;
use super::state::Server;
use super::typing::{self, Port};
use crate::persist::Pending;

/// The error shown for a server whose installation was cancelled.
pub(super) const CANCELLED: &str = "The installation was cancelled.";

impl Server {
    /// Carries out a decision of the life cycle.
    pub(super) fn act(&mut self, act: Act) {
        match act {
            Act::Nothing | Act::Command | Act::Resume => {}
            Act::Launch => self.launch(),
            Act::Fetch => self.begin_install(false, true),
            Act::CancelFetch => self.cancel_fetch(),
            Act::CallOff => {
                self.schedule.cancel_restart();
                if let Some(Pending::Stop(stop)) = &mut self.record.file.pending {
                    stop.again = false;
                }
            }
            Act::Stop => self.stop(Intent::Stop),
            Act::Kill => self.stop(Intent::Kill),
            Act::Remove => {
                self.schedule.clear();
                self.runs.cancel_launch();
                if let Some(fetching) = &self.image.fetching {
                    fetching.cancel();
                }
                self.try_remove();
            }
        }
    }

    /// Starts the removal once no other job of this server is running at the engine or on the disk.
    pub(super) fn try_remove(&mut self) {
        let busy = self.runs.is_launching() || self.image.fetching.is_some() || self.record.is_writing();
        if self.life_cycle.phase() == Phase::Deleting && !busy && !self.jobs.removing {
            self.jobs.removing = true;
            let (context, id) = (Arc::clone(&self.context), self.id.clone());
            let begun = self.record.file.deleting;
            self.jobs.push(async move { Event::Removed(removal::remove(context, id, begun).await) });
        }
    }

    pub(super) fn launch(&mut self) {
        self.schedule.clear();
        self.shown.outcome = Outcome::default();
        self.shown.progress.send_replace(None);
        self.life_cycle.set_paused(false);
        let cancel = self.context.cancel.child_token();
        let stage = Stage::Launching { cancel: cancel.clone(), stop: None };
        let (number, run, port) = self.begin_run(stage);
        let container = &mut self.container;
        container.made_with = Some(self.record.settings.clone());
        let launch = Launch {
            context: Arc::clone(&self.context),
            spec: self.record.file.spec.clone(),
            user: self.record.file.user.clone(),
            // A legacy container stays in use, whether this start succeeds or not.
            old: if container.legacy { container.id.clone() } else { container.id.take() },
            legacy: container.legacy,
            as_found: self.record.file.as_found,
            output: self.output.clone(),
            port,
            progress: self.shown.progress.clone(),
            cancel,
            run,
        };
        self.output.console.system("Starting the server.");
        self.jobs.push(async move { Event::Launched(number, Box::new(launch.launch().await)) });
    }

    /// Begins a new run and its keyboard. Returns the run's number, the token that ends it, and the port for its
    /// terminal.
    pub(super) fn begin_run(&mut self, stage: Stage) -> (u64, CancellationToken, Port) {
        let cancel = self.context.cancel.child_token();
        let (keyboard, port, task) = typing::keyboard(&self.output.console, &cancel);
        drop(self.context.tasks.spawn(task));
        (self.runs.begin(keyboard, cancel.clone(), stage), cancel, port)
    }

    /// Pulls the image; with `anew`, even if it is present.
    pub(super) fn fetch(&mut self, anew: bool) {
        self.shown.outcome.error = None;
        // It may have been cancelled already.
        let cancel = self.image.fetching.get_or_insert_with(|| self.context.cancel.child_token()).clone();
        let image = self.record.file.spec.image.clone();
        let progress = self.shown.progress.clone();
        let job = jobs::fetch(Arc::clone(&self.context), image, anew, progress, cancel);
        self.jobs.push(async move { Event::Fetched(job.await) });
    }

    fn cancel_fetch(&mut self) {
        // A new server's fetch only starts once its file is written, and then finds its token cancelled.
        self.image.fetching.get_or_insert_default().cancel();
        self.shown.outcome.error = Some(CANCELLED.into());
        self.remember(Status::InstallFailed);
    }
}
