//! The agent in this process: node `local`. It uses the same messages as any other, over a link without encoding.

use std::sync::Arc;
use std::time::Duration;

use agent::AgentConfig;
use agent::link::PanelSide;
use protocol::{Inbound, ToPanel};
use storage::Store;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Agents;
use super::session::Session;
pub use super::state::LOCAL_NODE_ID as NODE_ID;
use crate::error::Chain;
use crate::system::clock;
use crate::system::shutdown::Tasks;

/// Queue length for console batches and samples; one is up to 64 KiB.
const CAPACITY: usize = 64;
/// After a message with this many console lines, the task yields to others.
const LONG: usize = 100;
/// Delay before an agent that ended by itself is started again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Creates the node's record at the first start, named after the machine.
///
/// # Errors
/// If the store cannot be written.
pub async fn make_node(store: &Store) -> storage::Result<()> {
    let there = store.read_now(|tx| storage::nodes::get(tx, &NODE_ID))?;
    if there.is_some() {
        return Ok(());
    }
    let name = hostname().unwrap_or_else(|| "This machine".to_owned());
    let node = storage::nodes::Node::new(NODE_ID, name, clock::now());
    store.write(move |tx| storage::nodes::insert(tx, &node)).await
}

fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(80).collect();
    Some(name).filter(|name| !name.is_empty() && name != "(none)")
}

/// Starts the agent and connects it. Returns at once. The agent ends with `tasks`; its game servers keep running.
pub fn start(agents: &Agents, config: AgentConfig, tasks: &Tasks) {
    let (agents, all) = (agents.clone(), tasks.clone());
    drop(tasks.spawn("local-agent", async move {
        let token = all.token();
        while !token.is_cancelled() {
            run(&agents, config.clone(), &all, &token).await;
            if token.is_cancelled() {
                return;
            }
            tracing::error!("the local agent does not run; it is started again");
            tokio::select! {
                () = token.cancelled() => {}
                () = tokio::time::sleep(AGAIN_AFTER) => {}
            }
        }
    }));
}

async fn run(agents: &Agents, config: AgentConfig, tasks: &Tasks, token: &CancellationToken) {
    let mine = token.child_token();
    let (panel_side, agent_side) = agent::link::local(CAPACITY);
    let running = match agent::start(config, agent_side, tasks.tracker(), mine.clone()) {
        Ok(running) => running,
        Err(error) => {
            tracing::error!(error = %Chain(&error), "the local agent could not start");
            return;
        }
    };
    let (session, queue) = agents.attach(&NODE_ID);
    carry(agents, &session, panel_side, queue, token).await;
    agents.detach(&session);
    mine.cancel();
    drop(running);
}

/// Forwards messages both ways until one side has ended.
pub(super) async fn carry(
    agents: &Agents,
    session: &Arc<Session>,
    mut link: PanelSide,
    mut queue: mpsc::Receiver<protocol::Envelope<protocol::ToAgent>>,
    token: &CancellationToken,
) {
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            () = session.ended().cancelled() => return,
            envelope = queue.recv() => match envelope {
                Some(envelope) => {
                    if link.to_agent.send(envelope).await.is_err() {
                        return;
                    }
                }
                None => return,
            },
            envelope = link.from_agent.recv() => match envelope {
                Some(mut envelope) => {
                    let long = matches!(&envelope.message, ToPanel::ConsoleLines(of) if of.lines.len() >= LONG);
                    match envelope.message.bound() {
                        Ok(()) => agents.receive(session, envelope),
                        // Only the error is logged: a message may quote output of a game or the engine.
                        Err(error) => tracing::warn!(error, "a message of the local agent is too large"),
                    }
                    if long {
                        tokio::task::yield_now().await;
                    }
                }
                None => return,
            },
        }
    }
}
