//! Rules for game servers. The store has the intended state, the agents report the actual state.

mod adopt;
mod behaviour;
mod behaviour_body;
mod body;
mod change;
mod conflicts;
mod copy;
mod create;
mod delete;
mod deletions;
mod draft;
mod eula;
mod first_start;
mod follow_up;
mod grants;
mod image;
mod image_reports;
mod list;
mod list_cache;
mod placement;
mod ports;
mod preview;
mod preview_template;
mod readable;
mod reason;
mod routes;
mod run_settings;
mod template_version;
mod told_ports;
mod topics;
mod trends;
mod validate;
mod views;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

use protocol::{
    ConsoleLines, ConsoleTail, NodeId, PowerAction, ServerCommand, ServerPower, ServerRef, ServerReinstall,
    Status, ToAgent, ToPanel, capability,
};
use storage::Store;
use storage::servers::Server;

pub use placement::AUTO;
pub use ports::OwnPorts;
pub use routes::routes;
pub use topics::topics;
pub use views::{ServerStatus, ServerView, StatsView};

use crate::agents::{AgentTopic, Agents, RequestError, ServerSnapshot};
use crate::auth::{Actor, Auth, Permission, Permissions, Permit, Visible, need};
use crate::error::{ApiError, Code};
use crate::system::shutdown::Tasks;
use crate::templates::{self, Template, Templates};
use crate::transfers::Transfers;
use deletions::Deletions;
use image_reports::ImageReports;
use list_cache::ListCache;
use views::{PowerAnswer, StatsHistoryView};

/// Time for an agent to accept or refuse an action, not to carry it out.
const ANSWER: Duration = Duration::from_secs(15);
/// Number of console lines if the caller does not specify it.
const TAIL: u32 = 100;
const MOST_TAIL: u32 = 1000;

/// All operations on servers. Cheap to clone.
#[derive(Clone)]
pub struct Servers {
    store: Store,
    auth: Auth,
    agents: Agents,
    moves: Transfers,
    templates: Templates,
    tasks: Tasks,
    own_ports: Arc<OwnPorts>,
    deletions: Deletions,
    lists: Arc<ListCache>,
    images: ImageReports,
}

impl Servers {
    /// Creates the handle, and resumes deletions and first starts of an earlier run. `own_ports` are the ports of this
    /// process.
    pub fn new(
        store: Store,
        auth: Auth,
        agents: Agents,
        moves: Transfers,
        templates: Templates,
        tasks: Tasks,
        own_ports: OwnPorts,
    ) -> Self {
        let (own_ports, deletions, lists) = (Arc::new(own_ports), Deletions::default(), Arc::default());
        let images = ImageReports::default();
        let servers =
            Self { store, auth, agents, moves, templates, tasks, own_ports, deletions, lists, images };
        servers.resume_deletions();
        servers.resume_first_starts();
        servers
    }

    /// A server, if it exists and is visible.
    pub fn get_visible(&self, id: &str, visible: &Visible) -> Result<Option<ServerView>, ApiError> {
        let record = self.store.read_now(|tx| storage::servers::get(tx, id))?;
        Ok(record.and_then(|record| self.seen_by(record, visible)))
    }

    /// One server.
    pub fn get(&self, permit: &Permit<need::View>) -> Result<ServerView, ApiError> {
        self.agents.keep_fresh(AgentTopic::Servers);
        let record = self.record(permit.server_id())?;
        Ok(self.put_together(record, permit.permissions()))
    }

    /// Starts, stops, restarts, kills or resumes a server.
    pub async fn power(
        &self,
        permit: &Permit<need::Power>,
        action: PowerAction,
    ) -> Result<PowerAnswer, ApiError> {
        let server = self.acted_on(permit.server_id())?;
        self.moves.allows(&server.id)?;
        if action == PowerAction::Resume && self.agents.lacks(&server.node_id, capability::PAUSE) {
            // Agents that do not support this never report a server as paused.
            return Err(ApiError::new(Code::NotPaused, "The server is not paused."));
        }
        let message = ToAgent::ServerPower(ServerPower { server_id: server.id.clone(), action });
        let answer = self.ask(&server, message).await?;
        tracing::info!(server = %server.id, ?action, by = %permit.actor(), "power");
        let begun = match action {
            PowerAction::Start => ServerStatus::Starting,
            PowerAction::Stop | PowerAction::Restart | PowerAction::Kill => ServerStatus::Stopping,
            PowerAction::Resume => ServerStatus::Running,
        };
        Ok(PowerAnswer::new(answered_status(&answer).unwrap_or(begun)))
    }

    /// Sends one line to the game's console.
    pub async fn command(&self, permit: &Permit<need::Console>, command: String) -> Result<(), ApiError> {
        validate::command(&command)?;
        let server = self.acted_on(permit.server_id())?;
        let message = ToAgent::ServerCommand(ServerCommand { server_id: server.id.clone(), command });
        self.ask(&server, message).await.map(drop)
    }

    /// The last console lines and the unfinished line.
    pub async fn console(
        &self,
        permit: &Permit<need::Console>,
        tail: Option<u32>,
    ) -> Result<ConsoleLines, ApiError> {
        let tail = tail.unwrap_or(TAIL);
        if !(1..=MOST_TAIL).contains(&tail) {
            return Err(ApiError::field("tail", format!("must be from 1 to {MOST_TAIL}")));
        }
        let server = self.record(permit.server_id())?;
        let message = ToAgent::ConsoleTail(ConsoleTail { server_id: server.id.clone(), tail });
        match self.ask(&server, message).await? {
            ToPanel::ConsoleLines(lines) => Ok(lines),
            _ => Err(RequestError::Unfitting.into()),
        }
    }

    /// Stats of the last 10 minutes.
    pub async fn stats(&self, permit: &Permit<need::View>) -> Result<StatsHistoryView, ApiError> {
        let server = self.record(permit.server_id())?;
        let message = ToAgent::StatsHistory(ServerRef { server_id: server.id.clone() });
        match self.ask(&server, message).await? {
            ToPanel::StatsHistory(history) => {
                Ok(StatsHistoryView { samples: history.samples.iter().map(StatsView::from).collect() })
            }
            _ => Err(RequestError::Unfitting.into()),
        }
    }

    /// Pulls the image again.
    pub async fn install(&self, permit: &Permit<need::Configure>) -> Result<PowerAnswer, ApiError> {
        self.install_again(permit.server_id(), false).await
    }

    /// Pulls the image again and runs the install script. With `wipe` the server's files are deleted first.
    pub async fn reinstall(
        &self,
        permit: &Permit<need::Configure>,
        wipe: bool,
    ) -> Result<PowerAnswer, ApiError> {
        let answer = self.install_again(permit.server_id(), wipe).await?;
        tracing::info!(server = %permit.server_id(), wipe, by = %permit.actor(), "reinstall");
        Ok(answer)
    }

    async fn install_again(&self, id: &str, wipe: bool) -> Result<PowerAnswer, ApiError> {
        let server = self.can_install(id, wipe)?;
        let message = ToAgent::ServerReinstall(ServerReinstall { server_id: server.id.clone(), wipe });
        let answer = self.ask(&server, message).await?;
        Ok(PowerAnswer::new(answered_status(&answer).unwrap_or(ServerStatus::Installing)))
    }

    fn can_install(&self, id: &str, wipe: bool) -> Result<Server, ApiError> {
        let server = self.acted_on(id)?;
        self.moves.allows(&server.id)?;
        if wipe && self.agents.lacks(&server.node_id, capability::TEMPLATES) {
            let sentence =
                "The agent of this node is too old to throw a server's files away. Update it first.";
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        Ok(server)
    }

    /// Output of the last installation.
    pub async fn install_log(&self, permit: &Permit<need::Console>) -> Result<String, ApiError> {
        let server = self.record(permit.server_id())?;
        if self.agents.lacks(&server.node_id, capability::TEMPLATES) {
            return Err(ApiError::not_found("install log"));
        }
        let message = ToAgent::InstallLog(ServerRef { server_id: server.id.clone() });
        match self.ask(&server, message).await {
            Ok(ToPanel::FileContent(file)) => file.content.ok_or_else(|| RequestError::Unfitting.into()),
            Ok(_) => Err(RequestError::Unfitting.into()),
            Err(error) if error.code() == Code::NotFound => Err(ApiError::not_found("install log")),
            Err(error) => Err(error),
        }
    }

    /// Cancels a running installation.
    pub async fn cancel_install(&self, permit: &Permit<need::Configure>) -> Result<(), ApiError> {
        let server = self.acted_on(permit.server_id())?;
        let message = ToAgent::InstallCancel(ServerRef { server_id: server.id.clone() });
        self.ask(&server, message).await?;
        self.forget_first_start(&server.id).await;
        Ok(())
    }

    fn seen_by(&self, record: Server, visible: &Visible) -> Option<ServerView> {
        let permissions = visible.of(&record.id)?;
        Some(self.put_together(record, &permissions))
    }

    fn put_together(&self, record: Server, permissions: &Permissions) -> ServerView {
        let seen = self.agents.server(&record.id);
        self.put_together_with(record, &seen, permissions)
    }

    fn put_together_with(
        &self,
        record: Server,
        seen: &ServerSnapshot,
        permissions: &Permissions,
    ) -> ServerView {
        let mut moving = self.moves.shown(&record.id);
        if !permissions.allow(Permission::Configure) {
            moving = moving.map(readable::general_move);
        }
        let template = self.template(record.template_id.as_deref());
        ServerView { moving, ..ServerView::new(record, seen, template.as_deref(), permissions) }
    }

    fn template(&self, id: Option<&str>) -> Option<Arc<Template>> {
        id.and_then(|id| self.templates.get(id))
    }

    fn view(&self, record: Server, actor: &Actor) -> Result<ServerView, ApiError> {
        let visible = self.auth.visible(actor)?;
        self.seen_by(record, &visible).ok_or_else(|| ApiError::not_found("server"))
    }

    fn record(&self, id: &str) -> Result<Server, ApiError> {
        self.store.read_now(|tx| storage::servers::get(tx, id))?.ok_or_else(|| ApiError::not_found("server"))
    }

    /// The record of a server, if actions on it are allowed now.
    fn acted_on(&self, id: &str) -> Result<Server, ApiError> {
        let server = self.record(id)?;
        deletions::not_deleting(&server)?;
        Ok(server)
    }

    async fn ask(&self, server: &Server, message: ToAgent) -> Result<ToPanel, ApiError> {
        if self.agents.server(&server.id).missing {
            let sentence = "The node has lost this server. An administrator can make it again under Nodes.";
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        self.agents.ask(&server.node_id, message, ANSWER).await.map_err(ApiError::from)
    }
}

fn answered_status(answer: &ToPanel) -> Option<ServerStatus> {
    match answer {
        ToPanel::Ack(ack) => {
            ack.status.as_ref().filter(|status| **status != Status::Unknown).map(ServerStatus::of)
        }
        _ => None,
    }
}

fn template_runs(agents: &Agents, template: &Template, node_id: &NodeId) -> bool {
    let system = agents.node(node_id).system;
    templates::runs_on(template, system.as_ref().map_or("", |system| system.arch.as_str()))
}
