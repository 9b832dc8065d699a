//! A new panel becomes the panel of a backup: asked for with the setup token, while there is no account.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::backups::LocationBody;
use crate::backups::panel::restore::{
    self, Opened, Progress, RestoreError, Restored, Servers, Source, Wanted,
};
use crate::error::{ApiError, Code};
use crate::system::shutdown::Tasks;

/// How long a look into a repository may take.
const LOOK: Duration = Duration::from_secs(90);

/// What becomes of a new panel that is to be another one. Cheap to clone.
#[derive(Clone)]
pub(super) struct Restoration(Arc<Inner>);

struct Inner {
    data_dir: PathBuf,
    tasks: Tasks,
    /// One repository is opened at a time.
    turn: Semaphore,
    state: Mutex<State>,
}

/// How far it is.
#[derive(Clone, Debug, Default)]
pub(super) enum State {
    /// Nothing was asked for.
    #[default]
    Idle,
    /// It is under way.
    Running(Progress),
    /// It was not done; the panel is as it was.
    Failed(String),
    /// All is laid aside, and the program starts again with it.
    Done(Arc<Restored>),
}

impl Restoration {
    pub(super) fn new(data_dir: &Path, tasks: Tasks) -> Self {
        let (turn, state) = (Semaphore::new(1), Mutex::default());
        Self(Arc::new(Inner { data_dir: data_dir.to_owned(), tasks, turn, state }))
    }

    fn state_of(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> State {
        self.state_of().clone()
    }

    /// Whether no account may be made, because another panel is on its way here.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(*self.state_of(), State::Running(_) | State::Done(_))
    }

    /// Opens a repository.
    pub(super) async fn look(
        &self,
        location: LocationBody,
        password: String,
    ) -> Result<Opened, RestoreError> {
        let Ok(_turn) = self.0.turn.try_acquire() else {
            let sentence = "a backup repository is being opened already; try again in a moment";
            return Err(RestoreError::Source(sentence.to_owned()));
        };
        let source = tokio::task::spawn_blocking(move || Source::checked(location, password))
            .await
            .map_err(|error| RestoreError::Source(error.to_string()))??;
        match tokio::time::timeout(LOOK, Opened::open(source)).await {
            Ok(opened) => opened,
            Err(_) => Err(RestoreError::Source("there was no answer within 90 seconds".to_owned())),
        }
    }

    /// Restores in the background, and has the program start again with what was restored.
    pub(super) fn begin(
        &self,
        location: LocationBody,
        password: String,
        backup_id: Option<String>,
        with_servers: bool,
    ) -> Result<(), ApiError> {
        {
            let mut state = self.state_of();
            if matches!(*state, State::Running(_) | State::Done(_)) {
                return Err(under_way());
            }
            *state = State::Running(Progress::default());
        }
        let (all, end) = (self.clone(), self.0.tasks.token());
        let servers = if with_servers { Servers::All } else { Servers::None };
        let wanted = Wanted { backup_id, servers };
        drop(self.0.tasks.spawn("panel-restore", async move {
            let done = all.run(location, password, &wanted, &end).await;
            let restart = done.is_ok();
            for (server, why) in done.iter().flat_map(|restored| &restored.missing) {
                tracing::warn!(server, why, "the files of a server were not restored");
            }
            *all.state_of() = match done {
                Ok(restored) => State::Done(Arc::new(restored)),
                Err(error) => {
                    tracing::warn!(%error, "the panel could not be restored");
                    State::Failed(error.to_string())
                }
            };
            if restart {
                tracing::info!("a panel was restored; the program starts again with it");
                all.0.tasks.restart();
            }
        }));
        Ok(())
    }

    async fn run(
        &self,
        location: LocationBody,
        password: String,
        wanted: &Wanted,
        end: &CancellationToken,
    ) -> Result<Restored, RestoreError> {
        let opened = self.look(location, password).await?;
        let told = |progress| *self.state_of() = State::Running(progress);
        restore::lay_aside(&self.0.data_dir, &opened, wanted, end, told).await
    }
}

/// What is said while it is under way.
pub(super) fn under_way() -> ApiError {
    ApiError::new(Code::Conflict, "A panel is being restored here. Wait until that has ended.")
}
