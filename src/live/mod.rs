//! `/api/live`: one WebSocket per page, on which it follows what it shows.
//!
//! Nothing is queued for a reader. Each topic keeps a place (a number in a log, a cursor into a console's ring) and is
//! asked for what is newer when the socket can take more. So a slow reader gets fewer, newer things, and costs nothing.

mod limits;
mod message;
mod pending;
mod routes;
mod socket;
mod topics;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use routes::routes;

use crate::agents::Agents;
use crate::auth::Auth;
use crate::nodes::Nodes;
use crate::servers::Servers;
use crate::status::Status;
use crate::system::shutdown::Tasks;
use crate::upgrades::Upgrades;
use limits::Slots;
use pending::Pending;

/// What the live connections stand on. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    auth: Auth,
    agents: Agents,
    servers: Servers,
    nodes: Nodes,
    status: Status,
    upgrades: Upgrades,
    tasks: Tasks,
    slots: Arc<Slots>,
    pending: Arc<Pending>,
}

impl Live {
    /// Over the features that it shows.
    pub fn new(
        auth: Auth,
        agents: Agents,
        servers: Servers,
        nodes: Nodes,
        status: Status,
        upgrades: Upgrades,
        tasks: Tasks,
    ) -> Self {
        let live = Self {
            auth,
            agents,
            servers,
            nodes,
            status,
            upgrades,
            tasks,
            slots: Arc::default(),
            pending: Arc::default(),
        };
        live.follow_status();
        live
    }

    /// A change of the panel's own state rings the same bell as all else.
    fn follow_status(&self) {
        let (agents, token, mut changes) = (self.agents.clone(), self.tasks.token(), self.status.changes());
        drop(self.tasks.spawn("live-status", async move {
            loop {
                tokio::select! {
                    () = token.cancelled() => return,
                    changed = changes.changed() => if changed.is_err() { return },
                }
                agents.changes().notify();
            }
        }));
    }
}
