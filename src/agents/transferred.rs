//! A server that lives on another node from now on.

use agent::protocol::{ServerStatus, Status, ToAgent};
use jiff::Timestamp;

use super::registry::{Agents, ServerState};

impl Agents {
    /// A server has moved: what its new node says of it counts from now on, and whoever looks at it looks there.
    pub fn moved(&self, server_id: &str, node_id: &str) {
        let mut state = self.lock();
        let mut server = ServerState::new(node_id.to_owned(), true);
        // Until its new agent says more: it was made there just now, and never started.
        let mut status = ServerStatus::new(server_id, Status::Stopped);
        status.since = Some(Timestamp::now());
        server.status = Some(status);
        if let Some(node) = state.nodes.get_mut(node_id) {
            node.differences.remove(server_id);
        }
        let before = state.servers.insert(server_id.to_owned(), server);
        drop(state);
        self.changes().server(server_id);
        self.changes().node(node_id);
        self.refresh_interest(node_id);
        if let Some(before) = before {
            self.changes().node(&before.node_id);
            self.refresh_interest(&before.node_id);
        }
        if let Ok(session) = self.session(node_id) {
            self.follow_again(&session);
            // Its answer is followed by all that the node has.
            drop(session.tell(ToAgent::SystemInfoRequest));
        }
    }
}
