//! Asks running games who plays. A game is asked at its container's own address, so that a port that is not published can
//! be asked too, and nothing of it leaves this machine. What it sends is bounded in bytes ([`ask`]) and time ([`PATIENCE`]).

mod ask;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{ErrorCode, PlayerEntry, PlayersQuery, PlayersReport, ServerId, ToPanel};
use queries::Answer;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::panel::reply_cache::Reply;
use crate::runtime::Runtime;
use crate::server::{Handle, Running};

/// Maximum number of games that are asked at the same time; each holds at most [`queries::minecraft::MAX_ANSWER`] bytes.
const AT_ONCE: usize = 16;
/// How long a game may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Maximum number of addresses that are remembered.
const ADDRESSES: usize = 1_000;

/// Asks games who plays.
#[derive(Clone)]
pub(crate) struct Players {
    engine: Arc<dyn Runtime>,
    permits: Arc<Semaphore>,
    addresses: Addresses,
    tasks: TaskTracker,
}

impl Players {
    pub(crate) fn new(engine: Arc<dyn Runtime>, tasks: TaskTracker) -> Self {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        Self { engine, permits, addresses: Addresses::default(), tasks }
    }

    /// Answers with what the game tells.
    pub(crate) fn query(&self, handle: &Handle, query: PlayersQuery, reply: Reply) {
        let Some(running) = handle.running.borrow().clone() else {
            return reply.refuse(ErrorCode::NotRunning, "The server is not running.");
        };
        let (engine, permits) = (Arc::clone(&self.engine), Arc::clone(&self.permits));
        let addresses = self.addresses.clone();
        drop(self.tasks.spawn(async move {
            let Ok(_permit) = permits.acquire().await else { return };
            let address = match addresses.of(engine.as_ref(), &query.server_id, &running).await {
                Ok(address) => address,
                Err(problem) => return reply.answer(unknown(problem)),
            };
            let at = SocketAddr::new(address, query.port);
            let asked = tokio::time::timeout(PATIENCE, ask::ask(query.protocol, at)).await;
            let report = match asked {
                Ok(Ok(answer)) => ToPanel::PlayersReport(report(answer)),
                Ok(Err(error)) if error.refused() => unknown(format!(
                    "Nothing answers on port {}: the game may not be that far yet, or use another port.",
                    query.port
                )),
                Ok(Err(error)) => unknown(format!("The game could not be asked who plays: {error}.")),
                Err(_) => unknown(format!(
                    "The game did not answer on port {} within {} seconds.",
                    query.port,
                    PATIENCE.as_secs()
                )),
            };
            reply.answer(report);
        }));
    }
}

fn unknown(problem: String) -> ToPanel {
    ToPanel::PlayersReport(PlayersReport { problem: Some(problem), ..PlayersReport::default() })
}

fn report(answer: Answer) -> PlayersReport {
    let Answer { online, max, players, name, version, map } = answer;
    let entry = |queries::Player { name, seconds }| PlayerEntry { name, seconds };
    let players = players.into_iter().map(entry).collect();
    PlayersReport { online: Some(online), max, players, name, version, map, problem: None }
}

/// The addresses of running containers. Asking the engine for one costs more than asking the game, and it stays the same
/// as long as the process runs.
#[derive(Clone, Default)]
struct Addresses(Arc<Mutex<HashMap<ServerId, (Running, IpAddr)>>>);

impl Addresses {
    async fn of(
        &self,
        engine: &dyn Runtime,
        server_id: &ServerId,
        running: &Running,
    ) -> Result<IpAddr, String> {
        let known = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(server_id).filter(|(of, _)| of == running).map(|(_, address)| *address)
        };
        if let Some(address) = known {
            return Ok(address);
        }
        let seen = engine.inspect(&running.container_id).await.map_err(|error| {
            format!("The engine was asked for the container's address, and that failed: {error}.")
        })?;
        let address = seen
            .and_then(|seen| seen.address)
            .ok_or("The engine tells no address of the container, so the game cannot be asked.")?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ADDRESSES {
            known.clear();
        }
        known.insert(server_id.clone(), (running.clone(), address));
        Ok(address)
    }
}
