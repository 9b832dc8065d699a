//! Where what an agent has is not what the store says it should have, and the acts that mend it.

use agent::protocol::{ServerDescription, ServerRef, ServerStatus, Status, ToAgent, ToPanel, capability};
use storage::servers::Server;

use super::convert::{create_message, update_message};
use super::reconcile::TAKE_OVER;
use super::registry::{Agents, ServerState, State};
use super::session::RequestError;

/// How the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The agent had it, and has it no more.
    Missing,
    /// The agent has it, and the store knows nothing of it there.
    Unknown,
    /// The agent has it with other settings, and would not take ours.
    Changed,
}

/// One server that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// How.
    pub kind: Kind,
    /// In a sentence.
    pub detail: String,
    /// What the agent says of one that is unknown here.
    pub status: Option<ServerStatus>,
    /// The node that it belongs to by our books, where that is another one.
    pub elsewhere: Option<String>,
}

impl Difference {
    pub(super) fn missing() -> Self {
        Self {
            kind: Kind::Missing,
            detail:
                "The node had this server and has it no more: its disk or its data folder is another one."
                    .to_owned(),
            status: None,
            elsewhere: None,
        }
    }

    /// What is true only for the moment is not kept: there may be a thousand of them.
    pub(super) fn unknown(status: &ServerStatus, elsewhere: Option<String>) -> Self {
        let detail = match &elsewhere {
            Some(node) => format!("The node has a copy of a server that lives on {node}."),
            None => "The node has this server, and the panel does not know it: it was forgotten here while the node \
                     was away, or belongs to another panel."
                .to_owned(),
        };
        let status = ServerStatus { stats: None, progress: None, ..status.clone() };
        Self { kind: Kind::Unknown, detail, status: Some(status), elsewhere }
    }

    fn changed(reason: &str) -> Self {
        let detail = format!("The node did not take the changed settings: {reason}");
        Self { kind: Kind::Changed, detail, status: None, elsewhere: None }
    }
}

impl State {
    /// A server that was missing is there again.
    pub(super) fn settle_missing(&mut self, node_id: &str, server_id: &str) -> bool {
        let Some(node) = self.nodes.get_mut(node_id) else { return false };
        let missing = node.differences.get(server_id).is_some_and(|known| known.kind == Kind::Missing);
        if missing {
            node.differences.remove(server_id);
        }
        missing
    }
}

impl Agents {
    /// How a server of a node differs.
    pub fn difference(&self, node_id: &str, server_id: &str) -> Option<Difference> {
        self.lock().nodes.get(node_id).and_then(|node| node.differences.get(server_id).cloned())
    }

    /// Makes a server that its node has lost again, with nothing in its folder.
    ///
    /// # Errors
    /// [`RequestError`]; it is still missing then.
    pub async fn recreate(&self, server: &Server) -> Result<(), RequestError> {
        let message = ToAgent::ServerCreate(Box::new(create_message(server)));
        self.ask(&server.node_id, message, TAKE_OVER).await?;
        self.settled(&server.node_id, &server.id);
        self.note_handed_over(vec![server.id.clone()]);
        Ok(())
    }

    /// Gives a node settings that it would not take before.
    ///
    /// # Errors
    /// [`RequestError`]; the difference stands then.
    pub async fn apply(&self, server: &Server) -> Result<(), RequestError> {
        let outcome = self
            .ask(&server.node_id, ToAgent::ServerUpdate(Box::new(update_message(server))), TAKE_OVER)
            .await;
        self.note_update(server, outcome.as_ref().err());
        outcome.map(drop)
    }

    /// Has a node delete a server that is unknown here.
    ///
    /// # Errors
    /// [`RequestError`]; it is still there then.
    pub async fn remove_unknown(
        &self,
        node_id: &str,
        server_id: &str,
        within: std::time::Duration,
    ) -> Result<(), RequestError> {
        let message = ToAgent::ServerDelete(ServerRef { server_id: server_id.to_owned() });
        match self.ask(node_id, message, within).await {
            Ok(_) => {}
            Err(RequestError::Refused(report)) if report.code == "not_found" => {}
            Err(error) => return Err(error),
        }
        self.settled(node_id, server_id);
        Ok(())
    }

    /// What a node says of a server that is unknown here. `None` from an agent that has no words for it.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn describe(
        &self,
        node_id: &str,
        server_id: &str,
    ) -> Result<Option<ServerDescription>, RequestError> {
        let able = self
            .node(node_id)
            .system
            .is_some_and(|system| system.capabilities.iter().any(|word| word == capability::DESCRIBE));
        if !able {
            return Ok(None);
        }
        let message = ToAgent::ServerDescribe(ServerRef { server_id: server_id.to_owned() });
        match self.ask(node_id, message, TAKE_OVER).await? {
            ToPanel::ServerDescription(told) if told.spec.server_id == server_id => Ok(Some(*told)),
            _ => Err(RequestError::Unfitting),
        }
    }

    /// A server that was unknown here is one of ours now.
    pub fn adopted(&self, server_id: &str, node_id: &str) {
        let mut state = self.lock();
        let mut server = ServerState::new(node_id.to_owned(), true);
        if let Some(node) = state.nodes.get_mut(node_id) {
            server.status = node.differences.remove(server_id).and_then(|difference| difference.status);
        }
        state.servers.insert(server_id.to_owned(), server);
        drop(state);
        self.0.changes.server(server_id);
        self.0.changes.node(node_id);
        self.refresh_interest(node_id);
    }

    /// What became of an attempt to give a node a server's settings.
    pub(super) fn note_update(&self, server: &Server, failure: Option<&RequestError>) {
        let reason = match failure {
            // It comes with the next sync.
            Some(RequestError::Offline) => return,
            Some(RequestError::Refused(report)) => Some(report.message.clone()),
            Some(error) => Some(format!("{error}.")),
            None => None,
        };
        let mut state = self.lock();
        let Some(node) = state.nodes.get_mut(&server.node_id) else { return };
        let known = node.differences.get(&server.id).map(|known| known.kind);
        let changed = match (reason, known) {
            (_, Some(Kind::Missing | Kind::Unknown)) | (None, None) => false,
            (Some(reason), _) => {
                node.differences.insert(server.id.clone(), Difference::changed(&reason));
                true
            }
            (None, Some(Kind::Changed)) => node.differences.remove(&server.id).is_some(),
        };
        drop(state);
        if changed {
            self.0.changes.node(&server.node_id);
        }
    }

    /// Notes in memory and on the disk that agents have these servers.
    pub(super) fn note_handed_over(&self, ids: Vec<String>) {
        if ids.is_empty() {
            return;
        }
        let mut state = self.lock();
        for id in &ids {
            if let Some(server) = state.servers.get_mut(id) {
                server.handed_over = true;
            }
        }
        drop(state);
        let store = self.0.store.clone();
        drop(self.0.tasks.spawn("handed-over", async move {
            let write = store.write(move |tx| storage::servers::set_handed_over_many(tx, &ids));
            if let Err(error) = write.await {
                tracing::debug!(%error, "could not keep which servers their nodes have");
            }
        }));
    }

    /// A node has no more what was unknown here.
    pub(super) fn gone_there(&self, node_id: &str, server_id: &str) {
        let mut state = self.lock();
        let Some(node) = state.nodes.get_mut(node_id) else { return };
        let unknown = node.differences.get(server_id).is_some_and(|known| known.kind == Kind::Unknown);
        if unknown {
            node.differences.remove(server_id);
        }
        drop(state);
        if unknown {
            self.0.changes.node(node_id);
        }
    }

    fn settled(&self, node_id: &str, server_id: &str) {
        let mut state = self.lock();
        if let Some(node) = state.nodes.get_mut(node_id) {
            node.differences.remove(server_id);
        }
        if let Some(server) = state.servers.get_mut(server_id)
            && server.node_id == node_id
            && server.status.is_none()
        {
            server.status = Some(ServerStatus::new(server_id, Status::Installing));
        }
        drop(state);
        self.0.changes.server(server_id);
        self.0.changes.node(node_id);
    }
}

#[cfg(test)]
mod tests {
    use agent::protocol::{Ack, ErrorReport, ServerCreate, Sync, SystemInfo};

    use super::*;
    use crate::agents::tests::{FakeAgent, World, until};

    fn kind(world: &World, id: &str) -> Option<Kind> {
        world.agents.difference("local", id).map(|difference| difference.kind)
    }

    async fn refuse(agent: &mut FakeAgent, message: &str) {
        let asked = agent.hear().await;
        let report =
            ErrorReport { code: "invalid".into(), message: message.into(), ..ErrorReport::default() };
        agent.answer(&asked.message_id.unwrap(), ToPanel::Error(report));
    }

    #[tokio::test]
    async fn what_was_handed_over_and_is_gone_is_missing_and_only_made_again_when_asked() {
        let world = World::new().await;
        let server = world.place("a").await;
        let mut agent = world.connect("local");
        agent.sync(&[]);
        agent.hear_and_ack(|message| matches!(message, ToAgent::ServerCreate(_)).then_some(())).await;
        until(|| {
            world.store.read_now(|tx| storage::servers::get(tx, "a")).unwrap().filter(|a| a.handed_over)
        })
        .await;
        drop(agent);
        until(|| (!world.agents.node("local").online).then_some(())).await;

        // Also a panel that was started anew knows that it had been there.
        let mut agent = world.connect("local");
        agent.sync(&[]);
        until(|| kind(&world, "a")).await;
        assert_eq!(kind(&world, "a"), Some(Kind::Missing));
        assert!(world.agents.server("a").missing);
        let agents = world.agents.clone();
        let asked = world.tasks.spawn("recreate", async move { agents.recreate(&server).await });
        // Nothing was sent before this.
        agent.hear_and_ack(|message| matches!(message, ToAgent::ServerCreate(_)).then_some(())).await;
        asked.await.unwrap().unwrap();
        assert_eq!(kind(&world, "a"), None);
        assert!(!world.agents.server("a").missing);
    }

    #[tokio::test]
    async fn a_status_of_a_missing_server_says_that_it_is_there() {
        let world = World::new().await;
        world.place("a").await;
        let agent = world.connect("local");
        agent.sync(&[("a", Status::Running)]);
        agent.sync(&[]);
        until(|| kind(&world, "a")).await;
        agent.status("a", Status::Deleted);
        agent.status("a", Status::Running);
        until(|| kind(&world, "a").is_none().then_some(())).await;
    }

    #[tokio::test]
    async fn settings_that_a_node_would_not_take_stay_a_difference_until_it_does() {
        let world = World::new().await;
        let server = world.place("a").await;
        let mut agent = world.connect("local");
        agent.sync(&[("a", Status::Stopped)]);
        refuse(&mut agent, "The image has no name.").await;
        until(|| kind(&world, "a")).await;
        let detail = world.agents.difference("local", "a").unwrap().detail;
        assert!(detail.ends_with("The image has no name."), "{detail}");
        let agents = world.agents.clone();
        let asked = world.tasks.spawn("apply", async move { agents.apply(&server).await });
        agent.hear_and_ack(|message| matches!(message, ToAgent::ServerUpdate(_)).then_some(())).await;
        asked.await.unwrap().unwrap();
        assert_eq!(kind(&world, "a"), None);
    }

    #[tokio::test]
    async fn strangers_are_bounded_and_one_of_another_node_is_told_apart() {
        let world = World::new().await;
        world.place("a").await;
        let other = storage::nodes::Node::new("other", "Other", 1);
        world.store.write(move |tx| storage::nodes::insert(tx, &other)).await.unwrap();
        world.agents.add_node("other", "Other");
        let liar = world.connect("other");
        let many = (0..3000).map(|n| ServerStatus::new(format!("s{n}"), Status::Running));
        let bad = ["../x", "", "A"].map(|id| ServerStatus::new(id, Status::Running));
        let servers = [ServerStatus::new("a", Status::Crashed)].into_iter().chain(bad).chain(many).collect();
        liar.say(ToPanel::Sync(Sync { servers }));
        let found =
            until(|| Some(world.agents.node("other").differences).filter(|all| !all.is_empty())).await;
        assert_eq!(found.len(), 1000);
        assert_eq!(found["a"].elsewhere.as_deref(), Some("local"));
        assert!(!found.contains_key("../x") && !found.contains_key(""));
        assert!(world.agents.server("a").status.is_none(), "its own node has not spoken of it");
    }

    #[tokio::test]
    async fn an_agent_describes_what_it_was_asked_about_and_nothing_else() {
        let world = World::new().await;
        let mut agent = world.connect("local");
        agent.sync(&[("b", Status::Running)]);
        until(|| kind(&world, "b")).await;
        assert_eq!(world.agents.describe("local", "b").await, Ok(None), "it has no words for it");
        let capabilities = vec![capability::ACK.to_owned(), capability::DESCRIBE.to_owned()];
        agent.say(ToPanel::SystemInfo(Box::new(SystemInfo { capabilities, ..SystemInfo::default() })));
        until(|| world.agents.node("local").system).await;
        for (id, fine) in [("c", false), ("b", true)] {
            let agents = world.agents.clone();
            let asked = world.tasks.spawn("describe", async move { agents.describe("local", "b").await });
            let question = agent.hear().await;
            let spec: ServerCreate =
                serde_json::from_value(serde_json::json!({ "serverId": id, "image": "busybox" })).unwrap();
            let told = ServerDescription { spec, suspended: false };
            agent.answer(&question.message_id.unwrap(), ToPanel::ServerDescription(Box::new(told)));
            let answer = asked.await.unwrap();
            assert_eq!(answer.is_ok(), fine, "{answer:?}");
        }
        world.agents.adopted("b", "local");
        assert_eq!(world.agents.server("b").status.unwrap().status, Status::Running);
        assert_eq!(kind(&world, "b"), None);
        let removed = world.agents.remove_unknown("local", "z", std::time::Duration::from_secs(5));
        let gone = async {
            let asked = agent.hear().await;
            agent.answer(&asked.message_id.unwrap(), ToPanel::Ack(Ack::default()));
        };
        let (removed, ()) = tokio::join!(removed, gone);
        removed.unwrap();
    }
}
