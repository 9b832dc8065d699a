//! Runs the install script: shows its output in the console, determines how it ended, stores its log, and sets the
//! folder's owner.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use protocol::ServerCreate;
use tokio_util::sync::CancellationToken;

use super::super::context::Context;
use super::super::jobs::{self, Exit};
use super::super::output::Output;
use super::super::rest::Rest;
use super::super::terminal::{Connected, Terminal};
use super::super::{folder, typing};
use super::log::InstallLog;
use super::make::on_disk;
use super::{InstallError, script};
use crate::runtime::{ContainerState, EngineError, Fault, LogRange};

/// Pause before a retry while the engine is unavailable.
const AGAIN: Duration = Duration::from_millis(500);
/// Time limit for a killed container to end.
const KILLED: Duration = Duration::from_secs(10);
/// Time limit for reading its log.
const READ: Duration = Duration::from_secs(30);

/// Everything a run needs.
pub(in super::super) struct Run {
    pub(in super::super) context: Arc<Context>,
    pub(in super::super) spec: ServerCreate,
    /// Owner of the folder as `uid:gid`, if known.
    pub(in super::super) user: Option<String>,
    /// The container's id.
    pub(in super::super) id: String,
    pub(in super::super) output: Output,
    pub(in super::super) cancel: CancellationToken,
}

/// Why this agent ended the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Cancelled,
    TooLong,
}

impl Run {
    /// Starts the container, or continues with one that an earlier run of the agent started.
    pub(in super::super) async fn run(self) -> Result<(), InstallError> {
        let ended = loop {
            match self.until_its_end().await {
                Err(InstallError::Engine(error)) if error.fault == Fault::Away => {
                    self.context.watch.suspect(&error);
                    tokio::time::sleep(AGAIN).await;
                    if !self.context.watch.there().await {
                        // The agent is exiting; its next run continues.
                        std::future::pending::<()>().await;
                    }
                }
                ended => break ended,
            }
        };
        let log = self.keep_log(ended.as_ref().ok()).await;
        self.tidy().await?;
        let (exit, why) = ended?;
        let minutes = self.context.tunables.install_limit.as_secs().div_ceil(60);
        let last = log.and_then(|log| log.last_line()).map(|line| format!(": {line}")).unwrap_or_default();
        let failed = |sentence: String| Err(InstallError::Failed(sentence, Some(exit.code)));
        match why {
            Some(Ended::Cancelled) => Err(InstallError::Cancelled),
            Some(Ended::TooLong) => {
                failed(format!("The install script was ended: it took more than {minutes} minutes{last}"))
            }
            None if exit.removed => Err(InstallError::CutOff),
            None if exit.code == 0 => Ok(()),
            None if exit.oom && exit.code == jobs::KILLED => failed(
                "The install script needed more memory than it may use, and was ended for that.".into(),
            ),
            None => failed(format!("The install script ended with code {}{last}", exit.code)),
        }
    }

    /// Waits for the end. Returns how it ended, and why we ended it, if we did.
    async fn until_its_end(&self) -> Result<(Exit, Option<Ended>), InstallError> {
        let engine = &self.context.engine;
        let seen = engine.inspect(&self.id).await?.ok_or(InstallError::CutOff)?;
        if !seen.running && seen.started_at.is_some() {
            self.rest().read(&seen).await;
            return Ok((Exit::seen(&seen), None));
        }
        let run = self.cancel.child_token();
        // Ends the terminal's tasks on every return path.
        let _ends = run.clone().drop_guard();
        let began = seen.started_at.filter(|_| seen.running);
        let connected = self.connect(&seen, began.is_some(), run).await?;
        if began.is_none() {
            if self.cancel.is_cancelled() {
                return Err(InstallError::Cancelled);
            }
            engine.start(&self.id).await?;
        }
        let ran = began.map_or(Duration::ZERO, |began| {
            Timestamp::now().duration_since(began).try_into().unwrap_or(Duration::ZERO)
        });
        let left = self.context.tunables.install_limit.saturating_sub(ran);
        let exit = jobs::exit(Arc::clone(&self.context), self.id.clone(), connected.over, connected.ended);
        let mut exit = std::pin::pin!(exit);
        let why = tokio::select! {
            exit = &mut exit => return Ok((exit?, None)),
            () = self.cancel.cancelled() => Ended::Cancelled,
            () = tokio::time::sleep(left) => Ended::TooLong,
        };
        self.output.console.system("The install script is being ended.");
        for (signal, patience) in [("SIGTERM", self.context.tunables.grace), ("SIGKILL", KILLED)] {
            jobs::signal(&self.context, &self.id, signal, false).await.or_else(gone)?;
            if let Ok(exit) = tokio::time::timeout(patience, &mut exit).await {
                return Ok((exit?, Some(why)));
            }
        }
        Ok((Exit { code: jobs::KILLED, oom: false, removed: false, told: None }, Some(why)))
    }

    async fn connect(
        &self,
        seen: &ContainerState,
        runs: bool,
        run: CancellationToken,
    ) -> Result<Connected, EngineError> {
        let (_, port, task) = typing::keyboard(&self.output.console, &run);
        drop(self.context.tasks.spawn(task));
        let terminal = Terminal {
            context: Arc::clone(&self.context),
            server_id: self.spec.server_id.clone(),
            container: seen.id.clone(),
            tty: seen.tty,
            output: self.output.clone(),
            ready: None,
            port,
            run,
        };
        let since = Timestamp::now();
        let attached = self.context.engine.attach(&seen.id, seen.tty).await?;
        if !runs {
            terminal.output.trail().begin(&seen.id);
        }
        Ok(terminal.connect(attached, runs.then_some(since)))
    }

    /// Reads the last output of a script that ended unobserved.
    fn rest(&self) -> Rest {
        Rest {
            context: Arc::clone(&self.context),
            server_id: self.spec.server_id.clone(),
            output: self.output.clone(),
            wanted: true,
        }
    }

    /// Stores its output; `None` if the engine has no log of it.
    async fn keep_log(&self, ended: Option<&(Exit, Option<Ended>)>) -> Option<InstallLog> {
        let read = async {
            let all = LogRange { last: None, since: None };
            let reader = self.context.engine.log(&self.id, true, all).await?;
            let log = InstallLog::of(reader).await;
            log.map_err(|error| EngineError::new(Fault::Away, "read the log", error.to_string()))
        };
        let log = match tokio::time::timeout(READ, read).await {
            Ok(Ok(log)) => log,
            Ok(Err(error)) => {
                tracing::warn!(server = %self.spec.server_id, %error, "the log of an installation could not be read");
                return None;
            }
            Err(_) => return None,
        };
        let mut kept = log;
        let last = kept.last_line();
        match ended {
            Some((_, Some(Ended::Cancelled))) => kept.push("[The installation was cancelled.]"),
            Some((_, Some(Ended::TooLong))) => kept.push("[The install script took too long and was ended.]"),
            Some((exit, None)) => kept.push(&format!("[The install script ended with code {}.]", exit.code)),
            None => {}
        }
        let (data_dir, id) = (self.context.data_dir.clone(), self.spec.server_id.clone());
        let done = tokio::task::spawn_blocking(move || kept.keep(&data_dir, &id)).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(server = %self.spec.server_id, %error, "the log of an installation could not be kept");
        }
        let mut said = InstallLog::default();
        said.push(last.as_deref().unwrap_or_default());
        Some(said)
    }

    /// Removes the container and the script, and sets the folder's owner.
    async fn tidy(&self) -> Result<(), InstallError> {
        while let Err(error) = self.context.engine.remove(&self.id).await {
            if error.fault != Fault::Away {
                tracing::warn!(server = %self.spec.server_id, %error, "an install container could not be removed");
                break;
            }
            self.context.watch.suspect(&error);
            tokio::time::sleep(AGAIN).await;
            if !self.context.watch.there().await {
                std::future::pending::<()>().await;
            }
        }
        let (data_dir, id, stop) =
            (self.context.data_dir.clone(), self.spec.server_id.clone(), self.context.cancel.clone());
        let owner = self.user.as_deref().and_then(folder::parse_pair);
        on_disk(move || {
            if let Err(error) = script::remove(&data_dir, &id) {
                tracing::warn!(server = %id, %error, "an install script could not be removed");
            }
            folder::prepare(&data_dir, &id, owner, &stop).map(drop)
        })
        .await
    }
}

/// Ignores errors for a container that is gone or not running: it needs no signal.
fn gone(error: EngineError) -> Result<(), EngineError> {
    match error.fault {
        Fault::Away => Err(error),
        _ => Ok(()),
    }
}
