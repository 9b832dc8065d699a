//! Upgrades a service through its guard: stages the program, restarts the service, and follows the result.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use agent::upgrades::{Folder, give, hash};

use super::fetch::{Failure, blocking, fetch, say};
use crate::config::Config;
use crate::db_backups;
use crate::status::VERSION;
use crate::system::service::Service;
use crate::upgrades::release::{Published, Source};
use crate::upgrades::sentence;

/// Time limit for the service to start with the new program, or to go back to the old one.
const COMES_UP_WITHIN: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(250);
/// Checks to make after the restart command has ended before concluding that nothing more will happen.
const LOOKS_AFTER: u32 = 20;

/// The upgrade of a service with a guard.
pub(super) struct Guarded<'c> {
    pub(super) config: &'c Config,
    pub(super) agent: bool,
    pub(super) service: Service,
    pub(super) folder: Folder,
    pub(super) version: String,
    pub(super) what: Published,
}

impl Guarded<'_> {
    pub(super) async fn upgrade(self, source: Source) -> Result<(), Failure> {
        let version = &self.version;
        let before = loop {
            self.until_nothing_is_on_trial().await?;
            if self.in_place().await {
                self.folder.drop_part();
                say(&format!("{version} is in place already."));
                return self.until_well(Instant::now() + COMES_UP_WITHIN).await;
            }
            // Another upgrade, or an interrupted one, may still be in progress.
            match self.stage(source.clone()).await {
                Err(_) if self.folder.on_trial() => {}
                staged => break staged?,
            }
        };
        let asked = self.service.clone();
        if !blocking(move || Ok(asked.active())).await? {
            say(&format!("{} does not run: it is {version} at its next start.", self.service.name));
            return Ok(());
        }
        self.restart(before).await
    }

    async fn until_nothing_is_on_trial(&self) -> Result<(), Failure> {
        if !self.folder.on_trial() {
            return Ok(());
        }
        say("An upgrade is on trial already: waiting until that is over.");
        let (deadline, log) = (Instant::now() + COMES_UP_WITHIN, self.service.log_line());
        let mut idle = 0;
        while self.folder.on_trial() {
            let asked = self.service.clone();
            idle = if blocking(move || Ok(asked.active())).await? { 0 } else { idle + 1 };
            // During a restart the service is not running for a moment.
            if idle > LOOKS_AFTER {
                let name = self.service.name;
                return Err((1, format!("an upgrade is on trial, and {name} does not run: start it first")));
            }
            if Instant::now() > deadline {
                return Err((1, format!("the upgrade that is on trial does not end. Look: {log}")));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Whether the service already has the new program.
    async fn in_place(&self) -> bool {
        let (program, sha256) = (self.service.program.clone(), self.what.sha256.clone());
        let same = move || {
            let mut file = program.and_then(|program| File::open(program).ok());
            Ok(file.as_mut().and_then(|file| hash(file).ok()) == Some(sha256))
        };
        blocking(same).await.unwrap_or(false)
    }

    /// Stages the program for the guard. Returns the result of the previous upgrade.
    async fn stage(&self, source: Source) -> Result<Option<protocol::UpgradeOutcome>, Failure> {
        fetch(self.config, source, self.what.clone(), &self.version, &self.folder).await?;
        if !self.agent && self.config.data_dir.join("panel.redb").exists() {
            self.copy_database().await?;
        }
        let before = self.folder.outcome();
        let (folder, version, what) = (self.folder.clone(), self.version.clone(), self.what.clone());
        let stage = move || folder.stage(&version, &what.sha256, &what.signed);
        blocking(move || stage().map_err(|error| (74, sentence(&error)))).await?;
        Ok(before)
    }

    async fn restart(&self, before: Option<protocol::UpgradeOutcome>) -> Result<(), Failure> {
        let (service, folder, version) = (self.service.clone(), &self.folder, &self.version);
        let log = service.log_line();
        say(&format!("Restarting {}…", service.name));
        // The restart fails if the new program does not start at once; the result in the folder is what counts.
        let restart = tokio::task::spawn_blocking(move || service.restart());
        let deadline = Instant::now() + COMES_UP_WITHIN;
        let mut finished = 0;
        let outcome = loop {
            let now = folder.outcome().filter(|now| before.as_ref() != Some(now) && now.to == *version);
            match now {
                _ if folder.on_trial() && Instant::now() <= deadline => {}
                Some(outcome) if !folder.on_trial() => break outcome,
                _ if Instant::now() > deadline => {
                    let why = "the service has not come up with it yet, and has not gone back";
                    return Err((1, format!("{why}. Look: {log}")));
                }
                _ if finished > LOOKS_AFTER && folder.is_staged() => {
                    let why = format!("{} could not be restarted", self.service.name);
                    return Err((1, format!("{why}: it is {version} once it starts. Look: {log}")));
                }
                // The guard recorded no result: the new program was already installed.
                _ if finished > LOOKS_AFTER && self.in_place().await => {
                    return self.until_well(deadline).await;
                }
                _ => {}
            }
            tokio::time::sleep(LOOK).await;
            finished += u32::from(restart.is_finished());
        };
        if outcome.result != "done" {
            let why = outcome.reason.unwrap_or_else(|| "no reason was given".to_owned());
            let why = why.trim_end_matches('.');
            return Err((1, format!("went back to {}: {why}. Look: {log}", outcome.from)));
        }
        // Wait for the service manager to report that the service is up.
        let _ = tokio::time::timeout(deadline.saturating_duration_since(Instant::now()), restart).await;
        self.until_well(deadline).await
    }

    async fn until_well(&self, deadline: Instant) -> Result<(), Failure> {
        let version = &self.version;
        loop {
            // An agent only completes its verification once it works.
            let well = if self.agent { Ok(()) } else { crate::cli::health::healthcheck(self.config).await };
            match well {
                Ok(()) => break,
                Err(_) if Instant::now() < deadline => tokio::time::sleep(LOOK).await,
                Err(error) => {
                    let log = self.service.log_line();
                    let why = format!("{version} has come up, but its page does not answer: {error}");
                    return Err((1, format!("{why}. Look: {log}")));
                }
            }
        }
        say(&format!("Ctrl-Alt-Play {version} runs. It was {VERSION}."));
        Ok(())
    }

    /// A copy like the daily one of the panel. The guard makes another for going back; this one is kept.
    async fn copy_database(&self) -> Result<(), Failure> {
        let data = &self.config.data_dir;
        let copies = db_backups::folder(data);
        let failed = |error: io::Error| (74, error.to_string());
        crate::system::private_files::folder(&copies).map_err(|error| (74, error.to_string()))?;
        let to = copies.join(db_backups::name_of_today());
        crate::cli::database::backup(data, &to).await?;
        for made in [&copies, &to] {
            give(made, data).map_err(failed)?;
        }
        say(&format!("The database was copied to {}.", to.display()));
        Ok(())
    }
}
