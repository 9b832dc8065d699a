//! Steps of an installation, run by the server's task.

use std::sync::Arc;

use protocol::{PowerAction, Status};

use super::super::actions::CANCELLED;
use super::super::jobs::Event;
use super::super::life_cycle::{Act, Happened, Phase, Request};
use super::super::record::Waiter;
use super::super::state::Server;
use super::{InstallError, Make, Run};
use crate::persist::{Pending, Wanted};

/// Console text; the status has the reason.
const NOT_FETCHED: &str = "The install image could not be fetched. The server's state says why.";
const CUT_OFF: &str =
    "The installation was cut off: its container is gone, and how far it came is not known.";

impl Server {
    fn has_script(&self) -> bool {
        self.record.file.spec.template.as_ref().is_some_and(|template| template.install.is_some())
    }

    /// Whether a start must first repeat a failed installation.
    pub(in super::super) fn must_install(&self) -> bool {
        self.life_cycle.phase() == Phase::InstallFailed && self.has_script() && !self.record.file.installed
    }

    /// Whether an installation is in progress.
    pub(in super::super) fn is_installing(&self) -> bool {
        let file = &self.record.file;
        file.installing.is_some() || matches!(file.pending, Some(Pending::Install | Pending::Wipe))
    }

    /// Begins an installation by fetching the image.
    pub(in super::super) fn begin_install(&mut self, wipe: bool, anew: bool) {
        self.record.file.pending = Some(if wipe { Pending::Wipe } else { Pending::Install });
        self.record.file.installed = false;
        self.record.save();
        self.fetch(anew);
    }

    /// Continues an installation of an earlier run of the agent.
    pub(in super::super) fn resume_install(&mut self) {
        let file = &self.record.file;
        if file.installing.is_none() {
            // The fetch was interrupted; pull again if that was requested.
            return self.fetch(file.pending.is_some() && file.wanted != Wanted::Running);
        }
        let failed = file.last.as_ref().is_some_and(|last| last.status == Status::InstallFailed);
        let cancelled = failed && file.pending.is_none();
        let cancel = self.image.fetching.get_or_insert_with(|| self.context.cancel.child_token());
        if cancelled {
            cancel.cancel();
        }
        self.run_install();
    }

    /// The image is present. Starts preparing the installation; false if there is nothing to install.
    pub(in super::super) fn make_install(&mut self) -> bool {
        let file = &self.record.file;
        let wipe = file.pending == Some(Pending::Wipe);
        if !wipe && (file.installed || !self.has_script()) {
            return false;
        }
        let cancel = self.image.fetching.get_or_insert_with(|| self.context.cancel.child_token()).clone();
        let make = Make {
            context: Arc::clone(&self.context),
            spec: file.spec.clone(),
            user: file.user.clone(),
            anew: file.pending.is_some() && file.wanted != Wanted::Running,
            wipe,
            first: file.last.is_none() && file.pending.is_none(),
            console: self.output.console.clone(),
            progress: self.shown.progress.clone(),
            cancel,
        };
        self.jobs.push(async move { Event::InstallMade(make.make().await) });
        true
    }

    /// The container is created; record it before starting it.
    pub(in super::super) fn install_made(&mut self, made: Result<Option<String>, InstallError>) {
        match made {
            Ok(None) => self.installed(Ok(())),
            Err(error) => self.installed(Err(error)),
            Ok(Some(id)) if self.life_cycle.is_deleting() => {
                // Recorded so that it gets removed.
                self.record.file.installing = Some(id);
                self.run_install();
            }
            Ok(Some(id)) => {
                if self.record.file.pending == Some(Pending::Wipe) {
                    // The files are deleted; after a crash only the rest is repeated.
                    self.record.file.pending = Some(Pending::Install);
                }
                self.record.file.installing = Some(id);
                self.record.save_for(Waiter::Install);
            }
        }
    }

    /// Runs the recorded container, or continues with it.
    pub(in super::super) fn run_install(&mut self) {
        let Some(id) = self.record.file.installing.clone() else { return };
        let cancel = self.image.fetching.get_or_insert_with(|| self.context.cancel.child_token()).clone();
        let run = Run {
            context: Arc::clone(&self.context),
            spec: self.record.file.spec.clone(),
            user: self.record.file.user.clone(),
            id,
            output: self.output.clone(),
            cancel,
        };
        let text = "Running the install script".to_owned();
        self.shown.progress.send_replace(Some(protocol::Progress { percent: None, text }));
        self.jobs.push(async move { Event::Installed(run.run().await) });
    }

    /// Handles the end of the installation.
    pub(in super::super) fn installed(&mut self, result: Result<(), InstallError>) {
        self.image.fetching = None;
        self.shown.progress.send_replace(None);
        let ran = self.record.file.installing.take().is_some();
        self.record.file.installed = result.is_ok();
        let console = &self.output.console;
        console.finish();
        let (happened, status) = match result {
            Ok(()) => {
                if ran {
                    console.system("The installation is done.");
                }
                (Happened::Fetched, Status::Stopped)
            }
            Err(error) => {
                self.shown.outcome.error = Some(match error {
                    InstallError::Cancelled => CANCELLED.to_owned(),
                    InstallError::CutOff => said(console, CUT_OFF),
                    InstallError::Fetch(message) => {
                        console.system(NOT_FETCHED);
                        message
                    }
                    InstallError::Failed(sentence, code) => {
                        self.shown.outcome.exit_code = code;
                        said(console, &sentence)
                    }
                    InstallError::Engine(error) => {
                        console.system(
                            "The engine could not run the install script. The server's state says why.",
                        );
                        self.context.watch.suspect(&error);
                        error.message
                    }
                });
                (Happened::FetchFailed, Status::InstallFailed)
            }
        };
        self.life_cycle.happened(happened);
        if self.life_cycle.is_deleting() || self.context.cancel.is_cancelled() {
            return;
        }
        let start = status == Status::Stopped && self.record.file.wanted == Wanted::Running;
        if !start {
            self.record.want(Wanted::Stopped);
        }
        self.remember(status);
        // Perform the start that was requested.
        if start && self.life_cycle.ask(&Request::Power(PowerAction::Start)) == Ok(Act::Launch) {
            self.act(Act::Launch);
        }
    }
}

fn said(console: &crate::console::Console, sentence: &str) -> String {
    console.system(sentence);
    sentence.to_owned()
}
