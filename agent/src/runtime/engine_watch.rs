//! Tracks whether the engine answers: one task probes it, everyone else watches the result.

use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Tunables;
use crate::runtime::{EngineError, EngineInfo, Fault, Runtime};

/// The state of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EngineState {
    /// It was not probed yet.
    NotYet,
    /// It answers, with this information.
    There(EngineInfo),
    /// It does not answer, for this reason.
    Away(String),
}

impl EngineState {
    pub(crate) fn is_there(&self) -> bool {
        matches!(self, Self::There(_))
    }

    /// The state as a protocol message.
    pub(crate) fn report(&self) -> protocol::Engine {
        match self {
            Self::There(info) => protocol::Engine {
                available: true,
                version: Some(info.version.clone()),
                api_version: Some(info.api_version.clone()),
                error: None,
            },
            Self::Away(error) => protocol::Engine { error: Some(error.clone()), ..Default::default() },
            Self::NotYet => protocol::Engine::default(),
        }
    }
}

/// A handle to watch the engine's state. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct EngineWatch {
    state: watch::Receiver<EngineState>,
    suspect: Arc<Notify>,
}

impl EngineWatch {
    pub(crate) fn state(&self) -> EngineState {
        self.state.borrow().clone()
    }

    /// A receiver that has already seen the current state.
    pub(crate) fn subscribe(&self) -> watch::Receiver<EngineState> {
        let mut state = self.state.clone();
        state.mark_unchanged();
        state
    }

    /// Resolves when the engine answers; false if the agent exits first.
    pub(crate) async fn there(&self) -> bool {
        let mut state = self.state.clone();
        state.wait_for(EngineState::is_there).await.is_ok()
    }

    /// Reports a failed call; if it suggests that the engine is away, it is probed at once.
    pub(crate) fn suspect(&self, error: &EngineError) {
        if error.fault == Fault::Away {
            self.suspect.notify_one();
        }
    }
}

/// Creates a watch and the task that updates it.
pub(crate) fn watch_engine(
    engine: Arc<dyn Runtime>,
    tunables: &Tunables,
    cancel: CancellationToken,
) -> (EngineWatch, impl Future<Output = ()> + use<>) {
    let (found, state) = watch::channel(EngineState::NotYet);
    let suspect = Arc::new(Notify::new());
    let watch = EngineWatch { state, suspect: Arc::clone(&suspect) };
    let (there, away, deadline) = (tunables.probe_there, tunables.probe_away, tunables.probe_deadline);
    let task = async move {
        loop {
            let before = Instant::now();
            let now = match engine.probe(deadline).await {
                Ok(info) => EngineState::There(info),
                Err(error) => EngineState::Away(error.message),
            };
            found.send_if_modified(|state| {
                // One outage is logged once, even if its message changes.
                let news =
                    *state != now && state.is_there() | now.is_there() | (*state == EngineState::NotYet);
                if news {
                    match &now {
                        EngineState::There(info) => {
                            tracing::info!(version = info.version, "the engine answers");
                        }
                        EngineState::Away(error) => {
                            tracing::warn!(error, "the engine does not answer");
                        }
                        EngineState::NotYet => {}
                    }
                    *state = now.clone();
                }
                news
            });
            let pause = if now.is_there() { there } else { away };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep_until(before + pause) => {}
                () = suspect.notified() => {}
            }
        }
    };
    (watch, task)
}
