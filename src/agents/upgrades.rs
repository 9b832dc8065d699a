//! What the registry knows of a node that is to get another program.

use std::time::Duration;

use agent::protocol::{Status, SystemInfo, ToAgent, ToPanel};

use super::Agents;

const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

impl Agents {
    /// What goes on at a node that must not be broken off, in the middle of a sentence.
    pub fn busy(&self, node_id: &str) -> Option<String> {
        let state = self.lock();
        let here = state.servers.iter().filter(|(_, server)| server.node_id == node_id);
        here.filter_map(|(id, server)| Some((id, &server.status.as_ref()?.status))).find_map(
            |(id, status)| {
                let does = match status {
                    Status::Installing => "installs",
                    Status::Starting => "starts",
                    Status::Stopping => "stops",
                    _ => return None,
                };
                Some(format!("the server {id} {does}"))
            },
        )
    }

    /// Servers of a node that run.
    pub fn running_on(&self, node_id: &str) -> usize {
        let state = self.lock();
        let here = state.servers.values().filter(|server| server.node_id == node_id);
        here.filter(|server| server.status.as_ref().is_some_and(|told| told.status == Status::Running))
            .count()
    }

    /// Which connection of a node this is.
    pub fn connection(&self, node_id: &str) -> Option<u64> {
        self.session(node_id).ok().map(|session| session.number())
    }

    /// What a node says of itself now, not what it said once.
    pub async fn ask_system(&self, node_id: &str) -> Option<SystemInfo> {
        match self.ask(node_id, ToAgent::SystemInfoRequest, ANSWERS_WITHIN).await {
            Ok(ToPanel::SystemInfo(info)) => Some(*info),
            _ => None,
        }
    }
}
