//! The agent in this process: the node `local`. It speaks the same messages as any other, over a link without encoding.

use std::sync::Arc;

use agent::link::PanelSide;
use storage::Store;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::registry::Agents;
use super::session::Session;
use crate::clock;

/// Its id.
pub const NODE_ID: &str = "local";
/// Makes the node's record at the first start. The machine's name is its name.
///
/// # Errors
/// Where the store can't be written.
pub async fn make_node(store: &Store) -> storage::Result<()> {
    let there = store.read_now(|tx| storage::nodes::get(tx, NODE_ID))?;
    if there.is_some() {
        return Ok(());
    }
    let node = storage::nodes::Node {
        id: NODE_ID.to_owned(),
        name: hostname().unwrap_or_else(|| "This machine".to_owned()),
        secret_hash: None,
        joined_by_shared_secret: false,
        created_at: clock::now(),
        last_seen: None,
        system: None,
    };
    store.write(move |tx| storage::nodes::insert(tx, &node)).await
}

fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(80).collect();
    Some(name).filter(|name| !name.is_empty() && name != "(none)")
}

/// Carries messages both ways until one side is gone.
pub(super) async fn carry(
    agents: &Agents,
    session: &Arc<Session>,
    mut link: PanelSide,
    mut queue: mpsc::Receiver<agent::protocol::Envelope<agent::protocol::ToAgent>>,
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
                Some(envelope) => agents.receive(session, envelope),
                None => return,
            },
        }
    }
}
