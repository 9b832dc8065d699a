//! Upgrades of this program and of the agents on other machines.
//!
//! Published releases are checked once a day ([`release`]). A new program is downloaded, verified and tested
//! ([`download`]), and staged in the upgrade folder. Then this process exits, and the guard replaces the program. The
//! agents on other machines get the same program, one after another (`rollout`).

pub mod binaries;
pub mod download;
pub mod fetch;
pub mod install_method;
pub mod release;

mod rollout;
mod round;
mod routes;
mod topic;
mod views;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use agent::upgrades::{Folder, newer};
use protocol::UpgradeOutcome;
use rand::RngExt;
use semver::Version;
use storage::{Millis, Store};

pub use routes::routes;
pub use topic::topics;
pub use views::UpgradeView;

use self::binaries::Programs;
use self::fetch::Fetcher;
use self::install_method::InstallMethod;
use self::release::{Published, Release, Source, own_architecture};
use self::round::Round;
use self::views::{OfferView, RunningView, UpgradeStep};
use crate::agents::Agents;
use crate::auth::Admin;
use crate::config::{UpgradeSettings, UpgradeTimes};
use crate::db_backups;
use crate::error::{ApiError, Code};
use crate::status::VERSION;
use crate::streams::Streams;
use crate::system::clock;
use crate::system::shutdown::Tasks;
use crate::transfers::Transfers;

/// Interval of checks.
const EVERY: Duration = Duration::from_secs(24 * 3600);
/// Interval after a failed check.
const AFTER_FAILURE: Duration = Duration::from_secs(6 * 3600);
/// Seconds from startup to the first check. Random, so that many panels starting after a power cut do not check at the
/// same time.
const FIRST: std::ops::Range<u64> = 60..600;
/// Minimum interval of progress notifications.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// Time for clients to learn that the panel is restarting.
const LAST_SIGHT: Duration = Duration::from_millis(300);

/// All operations on upgrades. Cheap to clone.
#[derive(Clone)]
pub struct Upgrades(Arc<Inner>);

struct Inner {
    source: Option<Source>,
    how: InstallMethod,
    checks: bool,
    times: UpgradeTimes,
    programs: Programs,
    parts: Parts,
    /// Result of the last upgrade. Read once, because it only changes with a restart.
    last: OnceLock<Option<UpgradeOutcome>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    available: Option<Version>,
    checked_at: Option<Millis>,
    check_error: Option<String>,
    asked: Option<Instant>,
    running: Option<RunningView>,
    failure: Option<String>,
    round: Round,
    /// Incremented with each change.
    number: u64,
}

/// Dependencies of [`Upgrades`].
pub struct Parts {
    /// The data folder.
    pub data_dir: PathBuf,
    /// The store.
    pub store: Store,
    /// The agents.
    pub agents: Agents,
    /// Connections for bulk data.
    pub transfers: Streams,
    /// Transfers of servers.
    pub moves: Transfers,
    /// The panel's tasks, and the token that ends them.
    pub tasks: Tasks,
}

/// Where releases are published; `None` if that is not configured.
///
/// # Errors
/// The address or the key is invalid.
pub fn source(settings: &UpgradeSettings) -> Result<Option<Source>, release::SourceError> {
    let (Some(base), Some(key)) = (&settings.download, &settings.key) else { return Ok(None) };
    Source::new(base, key, Fetcher::new(settings.times.stall, settings.authorities.clone())).map(Some)
}

/// The version to offer, if it is newer than `current`. Pre-releases are only offered if `current` is one.
pub fn offered(current: &str, release: &Release) -> Option<Version> {
    let unfinished = Version::parse(current).is_ok_and(|current| !current.pre.is_empty());
    newer(current, &release.version.to_string()).ok().filter(|version| version.pre.is_empty() || unfinished)
}

impl Upgrades {
    /// Creates the handle. Checks begin with [`Upgrades::start`].
    pub fn new(settings: &UpgradeSettings, parts: Parts) -> Self {
        let mut state = State::default();
        let source = source(settings).unwrap_or_else(|error| {
            tracing::warn!(%error, "no newer version can be found");
            state.check_error = Some(format!("{error}."));
            None
        });
        state.round.left_behind(&parts.data_dir);
        Self(Arc::new(Inner {
            how: InstallMethod::of_this(source.is_some(), settings.guarded),
            checks: settings.check && source.is_some(),
            times: settings.times.clone(),
            programs: Programs::new(&parts.data_dir, source.clone()),
            source,
            parts,
            last: OnceLock::new(),
            state: Mutex::new(state),
        }))
    }

    /// Programs for machines of other architectures.
    pub fn programs(&self) -> &Programs {
        &self.0.programs
    }

    /// Starts the daily checks, if a source of releases is known.
    pub fn start(&self) {
        if !self.0.checks {
            return;
        }
        let (upgrades, token) = (self.clone(), self.0.parts.tasks.token());
        drop(self.0.parts.tasks.spawn("upgrade check", async move {
            let mut wait = Duration::from_secs(rand::rng().random_range(FIRST));
            loop {
                tokio::select! {
                    () = token.cancelled() => return,
                    () = tokio::time::sleep(wait) => {}
                }
                wait = if upgrades.check().await { EVERY } else { AFTER_FAILURE };
            }
        }));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and notifies followers.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let done = change(&mut state);
        state.number += 1;
        drop(state);
        self.0.parts.agents.changes().notify();
        done
    }

    /// A value that changes whenever [`Upgrades::view`] may have changed.
    pub fn number(&self) -> (u64, u64) {
        (self.lock().number, self.0.parts.agents.changes().nodes_now())
    }

    /// The current state.
    pub fn view(&self) -> Result<UpgradeView, ApiError> {
        let inner = &self.0;
        let listed = inner.parts.store.read_now(storage::nodes::list)?;
        let last = inner.last.get_or_init(|| Folder::of(&inner.parts.data_dir).outcome()).clone();
        let state = self.lock();
        let nodes = self.node_views(&listed, &state.round);
        Ok(UpgradeView {
            current: VERSION.to_owned(),
            available: state.available.as_ref().map(|version| OfferView {
                version: version.to_string(),
                notes: inner.source.as_ref().and_then(|source| source.notes(version)),
            }),
            checked_at: state.checked_at.map(clock::rfc3339),
            check_error: state.check_error.clone(),
            checks: inner.checks,
            how: inner.how.into(),
            why: (inner.how != InstallMethod::Here).then(|| inner.how.sentence().to_owned()),
            command: inner.how.command().map(ToOwned::to_owned),
            running: state.running.clone(),
            failure: state.failure.clone(),
            last: last.map(Into::into),
            nodes_running: state.round.runs(),
            nodes_failure: state.round.failure(),
            nodes,
        })
    }

    /// Checks now, at a user's request.
    pub async fn check_asked(&self) -> Result<UpgradeView, ApiError> {
        if self.0.source.is_none() {
            return Err(ApiError::new(Code::Conflict, InstallMethod::Checkout.sentence()));
        }
        let wait = self.0.times.ask;
        let left = {
            let mut state = self.lock();
            let left = state.asked.map_or(Duration::ZERO, |asked| wait.saturating_sub(asked.elapsed()));
            if left.is_zero() {
                state.asked = Some(Instant::now());
            }
            left
        };
        if !left.is_zero() {
            let sentence = "It was looked a moment ago.";
            return Err(ApiError::new(Code::TooManyRequests, sentence).retry_after(left.as_secs() + 1));
        }
        self.check().await;
        self.view()
    }

    /// Checks for a newer release. Returns whether the check succeeded.
    async fn check(&self) -> bool {
        let Some(source) = self.0.source.clone() else { return false };
        let looked = tokio::task::spawn_blocking(move || source.latest()).await;
        self.change(|state| {
            state.checked_at = Some(clock::now());
            match looked {
                Ok(Ok(release)) => {
                    state.available = offered(VERSION, &release);
                    state.check_error = None;
                    tracing::info!(published = %release.version, "it was looked for a newer version");
                    true
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, "it could not be seen whether there is a newer version");
                    state.check_error = Some(sentence(&error));
                    false
                }
                Err(_) => false,
            }
        })
    }

    /// Starts an upgrade of this panel. The panel restarts with that version, or with the old one if it fails.
    pub fn begin(&self, admin: &Admin, version: &str) -> Result<UpgradeView, ApiError> {
        let conflict = |sentence: String| ApiError::new(Code::Conflict, sentence);
        let wanted = Version::parse(version)
            .map_err(|_| ApiError::field("version", "must be a version, such as 1.2.3"))?;
        let inner = &self.0;
        let source = inner.source.clone().filter(|_| inner.how == InstallMethod::Here).ok_or_else(|| {
            let how = inner.how;
            conflict(format!("{} Do this: {}", how.sentence(), how.command().unwrap_or_default()))
        })?;
        newer(VERSION, version).map_err(|error| conflict(sentence(&error)))?;
        if let Some(moving) = inner.parts.moves.under_way() {
            return Err(conflict(format!(
                "The server {moving} is moving to another node: wait until it is there."
            )));
        }
        self.change(|state| {
            if state.running.is_some() {
                return Err(conflict("An upgrade is under way already.".to_owned()));
            }
            if state.round.runs() {
                return Err(conflict(
                    "Other machines are being upgraded: wait, or stop that first.".to_owned(),
                ));
            }
            state.failure = None;
            let step = UpgradeStep::Checking;
            state.running = Some(RunningView { version: wanted.to_string(), step, done: 0, total: 0 });
            Ok(())
        })?;
        tracing::info!(from = VERSION, to = %wanted, by = %admin, "an upgrade begins");
        let upgrades = self.clone();
        drop(inner.parts.tasks.spawn("upgrade", async move {
            match upgrades.upgrade(&source, &wanted).await {
                Ok(()) => {
                    upgrades.step(UpgradeStep::Restarting);
                    tokio::time::sleep(LAST_SIGHT).await;
                    upgrades.0.parts.tasks.restart();
                }
                Err(why) => {
                    tracing::warn!(to = %wanted, why, "the upgrade came to nothing");
                    upgrades.change(|state| {
                        state.running = None;
                        state.failure = Some(why);
                    });
                }
            }
        }));
        self.view()
    }

    fn step(&self, step: UpgradeStep) {
        self.change(|state| {
            if let Some(running) = &mut state.running {
                running.step = step;
            }
        });
    }

    /// Carries out all steps of an upgrade except the restart.
    async fn upgrade(&self, source: &Source, version: &Version) -> Result<(), String> {
        let inner = &self.0;
        let folder = Folder::of(&inner.parts.data_dir);
        let what = {
            let (upgrades, source, version, folder) =
                (self.clone(), source.clone(), version.clone(), folder.clone());
            let work = tokio::task::spawn_blocking(move || upgrades.fetch(&source, &version, &folder));
            work.await.unwrap_or_else(|error| Err(error.to_string()))?
        };
        self.step(UpgradeStep::Trying);
        let text = version.to_string();
        if let Err(error) = folder.try_part(&text).await {
            folder.drop_part();
            return Err(sentence(&error));
        }
        self.step(UpgradeStep::Copying);
        let copied = db_backups::today(&inner.parts.store, &inner.parts.data_dir).await;
        copied.map_err(|error| format!("The database could not be copied aside: {error}."))?;
        let staged = tokio::task::spawn_blocking(move || folder.stage(&text, &what.sha256, &what.signed));
        staged.await.map_err(|error| error.to_string())?.map_err(|error| sentence(&error))
    }

    /// Downloads the program into the folder. Blocks.
    fn fetch(&self, source: &Source, version: &Version, folder: &Folder) -> Result<Published, String> {
        let release = source.of(version).map_err(|error| sentence(&error))?;
        let what = release.program(own_architecture()).map_err(|error| sentence(&error))?;
        self.step(UpgradeStep::Downloading);
        let told = Mutex::new(Instant::now());
        let progress = |done, total| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.elapsed() < TELL_EVERY {
                return;
            }
            *told = Instant::now();
            self.change(|state| {
                if let Some(running) = &mut state.running {
                    (running.done, running.total) = (done, total);
                }
            });
        };
        // The guard needs space for a copy of the database too.
        let database =
            std::fs::metadata(self.0.parts.data_dir.join("panel.redb")).map_or(0, |file| file.len());
        download::download(source, &what, folder, 2 * database, &progress, &self.0.parts.tasks.token())
            .map_err(|error| sentence(&error))?;
        Ok(what)
    }
}

/// An error as a sentence for the user.
pub fn sentence(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let word = text.split(' ').next().unwrap_or_default();
    let mut letters = text.chars();
    // A URL keeps its case.
    let first = letters.next().filter(|_| !word.contains("://")).map(|letter| letter.to_ascii_uppercase());
    let text = first.map_or(text.clone(), |first| std::iter::once(first).chain(letters).collect());
    if text.ends_with('.') { text } else { text + "." }
}
