//! Differences between the servers an agent has and the servers the store says it should have. `reconcile` resolves
//! them.

use protocol::{NodeId, ServerStatus};

/// Kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The agent had the server and lost it.
    Missing,
    /// The agent has the server, but the store does not place it there.
    Unknown,
    /// The agent has the server with other settings, and refused the stored ones.
    Changed,
}

/// A server on which agent and store disagree.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Kind of difference.
    pub kind: Kind,
    /// Explanation for the user, one sentence.
    pub detail: String,
    /// What the agent reports; only for a server that is unknown to the store on this node.
    pub status: Option<ServerStatus>,
    /// The node on which the store places the server, if it is another one.
    pub elsewhere: Option<NodeId>,
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

    /// Drops short-lived fields of `status` to save memory: a node may report a thousand unknown servers.
    pub(super) fn unknown(status: &ServerStatus, elsewhere: Option<NodeId>) -> Self {
        let detail = match &elsewhere {
            Some(node) => format!("The node has a copy of a server that lives on {node}."),
            None => "The node has this server, and the panel does not know it: it was forgotten here while the node \
                     was away, or belongs to another panel."
                .to_owned(),
        };
        let status = ServerStatus { stats: None, progress: None, ..status.clone() };
        Self { kind: Kind::Unknown, detail, status: Some(status), elsewhere }
    }

    pub(super) fn changed(reason: &str) -> Self {
        let detail = format!("The node did not take the changed settings: {reason}");
        Self { kind: Kind::Changed, detail, status: None, elsewhere: None }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{
        Ack, ErrorCode, ErrorReport, ServerCreate, ServerDescription, Status, Sync, SystemInfo, ToAgent,
        ToPanel, capability,
    };

    use super::*;
    use crate::agents::tests::{FakeAgent, World, until};

    fn kind(world: &World, id: &str) -> Option<Kind> {
        world.agents.difference(&"local".into(), &id.into()).map(|difference| difference.kind)
    }

    async fn refuse(agent: &mut FakeAgent, message: &str) {
        let asked = agent.hear().await;
        let report =
            ErrorReport { code: ErrorCode::Invalid, message: message.into(), ..ErrorReport::default() };
        agent.answer(&asked.message_id.unwrap(), ToPanel::Error(report));
    }

    #[tokio::test]
    async fn what_was_handed_over_and_is_gone_is_missing_and_only_made_again_when_asked() {
        let world = World::new().await;
        let server = world.place("a").await;
        let mut agent = world.connect(&"local".into());
        agent.sync(&[]);
        agent.hear_and_ack(|message| matches!(message, ToAgent::ServerCreate(_)).then_some(())).await;
        until(|| {
            world.store.read_now(|tx| storage::servers::get(tx, "a")).unwrap().filter(|a| a.handed_over)
        })
        .await;
        drop(agent);
        until(|| (!world.agents.node(&"local".into()).online).then_some(())).await;

        // A restarted panel knows too that the server had been there.
        let mut agent = world.connect(&"local".into());
        agent.sync(&[]);
        until(|| kind(&world, "a")).await;
        assert_eq!(kind(&world, "a"), Some(Kind::Missing));
        assert!(world.agents.server(&"a".into()).missing);
        let agents = world.agents.clone();
        let asked = world.tasks.spawn("recreate", async move { agents.recreate(&server).await });
        // Nothing else was sent before this.
        agent.hear_and_ack(|message| matches!(message, ToAgent::ServerCreate(_)).then_some(())).await;
        asked.await.unwrap().unwrap();
        assert_eq!(kind(&world, "a"), None);
        assert!(!world.agents.server(&"a".into()).missing);
    }

    #[tokio::test]
    async fn a_status_of_a_missing_server_says_that_it_is_there() {
        let world = World::new().await;
        world.place("a").await;
        let agent = world.connect(&"local".into());
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
        let mut agent = world.connect(&"local".into());
        agent.sync(&[("a", Status::Stopped)]);
        refuse(&mut agent, "The image has no name.").await;
        until(|| kind(&world, "a")).await;
        let detail = world.agents.difference(&"local".into(), &"a".into()).unwrap().detail;
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
        world.agents.add_node(&"other".into(), "Other");
        let liar = world.connect(&"other".into());
        let many = (0..3000).map(|n| ServerStatus::new(format!("s{n}"), Status::Running));
        let bad = ["../x", "", "A"].map(|id| ServerStatus::new(id, Status::Running));
        let servers = [ServerStatus::new("a", Status::Crashed)].into_iter().chain(bad).chain(many).collect();
        liar.say(ToPanel::Sync(Sync { servers }));
        let found =
            until(|| Some(world.agents.node(&"other".into()).differences).filter(|all| !all.is_empty()))
                .await;
        assert_eq!(found.len(), 1000);
        assert_eq!(found["a"].elsewhere.as_deref(), Some("local"));
        assert!(!found.contains_key("../x") && !found.contains_key(""));
        assert!(world.agents.server(&"a".into()).status.is_none(), "its own node has not spoken of it");
    }

    #[tokio::test]
    async fn an_agent_describes_what_it_was_asked_about_and_nothing_else() {
        let world = World::new().await;
        let mut agent = world.connect(&"local".into());
        agent.sync(&[("b", Status::Running)]);
        until(|| kind(&world, "b")).await;
        assert_eq!(
            world.agents.describe(&"local".into(), &"b".into()).await,
            Ok(None),
            "it has no words for it"
        );
        let capabilities = vec![capability::ACK.to_owned(), capability::DESCRIBE.to_owned()];
        agent.say(ToPanel::SystemInfo(Box::new(SystemInfo { capabilities, ..SystemInfo::default() })));
        until(|| world.agents.node(&"local".into()).system).await;
        for (id, fine) in [("c", false), ("b", true)] {
            let agents = world.agents.clone();
            let asked = world
                .tasks
                .spawn("describe", async move { agents.describe(&"local".into(), &"b".into()).await });
            let question = agent.hear().await;
            let spec: ServerCreate =
                serde_json::from_value(serde_json::json!({ "serverId": id, "image": "busybox" })).unwrap();
            let told = ServerDescription { spec, suspended: false };
            agent.answer(&question.message_id.unwrap(), ToPanel::ServerDescription(Box::new(told)));
            let answer = asked.await.unwrap();
            assert_eq!(answer.is_ok(), fine, "{answer:?}");
        }
        world.agents.adopted(&"b".into(), &"local".into());
        assert_eq!(world.agents.server(&"b".into()).status.unwrap().status, Status::Running);
        assert_eq!(kind(&world, "b"), None);
        let (local, z) = ("local".into(), "z".into());
        let removed = world.agents.remove_unknown(&local, &z, std::time::Duration::from_secs(5));
        let gone = async {
            let asked = agent.hear().await;
            agent.answer(&asked.message_id.unwrap(), ToPanel::Ack(Ack::default()));
        };
        let (removed, ()) = tokio::join!(removed, gone);
        removed.unwrap();
    }
}
