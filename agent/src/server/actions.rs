//! What the life cycle decided is begun here: launch, fetch, remove. How a stop goes is in [`super::stop`].

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

/// What a server shows whose installation was cancelled.
pub(super) const CANCELLED: &str = "The installation was cancelled.";

impl Server {
    /// Does what the life cycle decided.
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

    /// Begins the removal as soon as nothing else of ours is under way at the engine or on the disk.
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
            // A legacy container stays what it is, whatever becomes of this start.
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

    /// A new run, with what types its lines: its number, what ends it, and where its terminal is plugged in.
    pub(super) fn begin_run(&mut self, stage: Stage) -> (u64, CancellationToken, Port) {
        let cancel = self.context.cancel.child_token();
        let (keyboard, port, task) = typing::keyboard(&self.output.console, &cancel);
        drop(self.context.tasks.spawn(task));
        (self.runs.begin(keyboard, cancel.clone(), stage), cancel, port)
    }

    /// Fetches the image; `anew`: also where it is present.
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
        // A new server's fetch begins when its file is written: it then finds that it was cancelled.
        self.image.fetching.get_or_insert_default().cancel();
        self.shown.outcome.error = Some(CANCELLED.into());
        self.remember(Status::InstallFailed);
    }
}
