//! Tests of the registry over real links, with a fake agent at the other end.

use std::sync::Arc;
use std::time::Duration;

use agent::link::AgentSide;
use jiff::Timestamp;
use protocol::{
    Ack, ConsoleItem, ConsoleLine, ConsoleLines, Envelope, NodeId, ServerStatus, Stats, Status, Stream, Sync,
    SystemInfo, ToAgent, ToPanel, decode,
};
use storage::Store;
use storage::servers::{Behaviour, Limits, Server};
use tokio::sync::Notify;

use super::{AgentTopic, Agents, ConsoleWatch, Next, legacy, local};
use crate::system::shutdown::Tasks;

/// A store in its own folder, and the agents on top of it.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) tasks: Tasks,
    pub(crate) agents: Agents,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        local::make_node(&store).await.unwrap();
        let tasks = Tasks::new();
        let agents = Agents::new(store.clone(), tasks.clone()).unwrap();
        Self { store, tasks, agents, _folder: folder }
    }

    /// Connects a fake agent.
    pub(crate) fn connect(&self, node_id: &NodeId) -> FakeAgent {
        let (panel_side, side) = agent::link::local(64);
        let (session, queue) = self.agents.attach(node_id);
        let (agents, token) = (self.agents.clone(), self.tasks.token());
        let carried = self.tasks.spawn("link", async move {
            local::carry(&agents, &session, panel_side, queue, &token).await;
            agents.detach(&session);
        });
        drop(carried);
        FakeAgent { side }
    }

    /// Connects a fake legacy agent. Only messages of the protocol's tables reach it, not commands.
    pub(crate) fn connect_legacy(&self, node_id: &NodeId) -> FakeAgent {
        let (mut panel_side, side) = agent::link::local(64);
        let (session, mut queue) = self.agents.attach(node_id);
        let (adapter, mut frames) = legacy::Adapter::new(&self.agents.0.legacy, &session);
        let (agents, token) = (self.agents.clone(), self.tasks.token());
        drop(self.tasks.spawn("legacy-link", async move {
            loop {
                tokio::select! {
                    () = token.cancelled() => break,
                    Some(envelope) = queue.recv() => adapter.send(envelope),
                    Some(frame) = frames.recv() => {
                        let envelope = decode::<ToAgent>(frame.as_bytes()).unwrap();
                        panel_side.to_agent.send(envelope).await.unwrap();
                    }
                    envelope = panel_side.from_agent.recv() => {
                        let Some(envelope) = envelope else { break };
                        adapter.receive(envelope, |envelope| agents.receive(&session, envelope));
                    }
                }
            }
            agents.detach(&session);
        }));
        FakeAgent { side }
    }

    pub(crate) async fn place(&self, id: &str) -> Server {
        let server = server(id);
        let record = server.clone();
        self.store.write(move |tx| storage::servers::insert(tx, &record)).await.unwrap();
        self.agents.place(&id.into(), &server.node_id);
        server
    }
}

fn server(id: &str) -> Server {
    Server {
        id: id.into(),
        name: id.to_uppercase(),
        node_id: "local".into(),
        template_id: None,
        image: "busybox".into(),
        startup: "game".into(),
        environment: Default::default(),
        limits: Limits::default(),
        ports: Vec::new(),
        suspended: false,
        created_at: 1,
        updated_at: 1,
        block_lan: false,
        handed_over: false,
        deleting: None,
        template: None,
        start_when_installed: false,
        behaviour: Behaviour::default(),
    }
}

/// The agent's end of a link.
pub(crate) struct FakeAgent {
    side: AgentSide,
}

impl FakeAgent {
    pub(crate) fn say(&self, message: ToPanel) {
        self.side.to_panel.try_send(Envelope::new(message)).unwrap();
    }

    pub(crate) fn answer(&self, id: &str, message: ToPanel) {
        self.side.to_panel.try_send(Envelope::with_id(message, id)).unwrap();
    }

    pub(crate) async fn hear(&mut self) -> Envelope<ToAgent> {
        let heard = tokio::time::timeout(Duration::from_secs(5), self.side.from_panel.recv()).await;
        heard.expect("the panel said nothing").expect("the panel hung up")
    }

    /// Expects a message that `pick` accepts next, and acknowledges it.
    pub(crate) async fn hear_and_ack<T>(&mut self, pick: impl Fn(ToAgent) -> Option<T>) -> T {
        let envelope = self.hear().await;
        if let Some(id) = &envelope.message_id {
            self.answer(id, ToPanel::Ack(Ack::default()));
        }
        let said = format!("{:?}", envelope.message);
        pick(envelope.message).unwrap_or_else(|| panic!("unexpected: {said}"))
    }

    pub(crate) fn status(&self, id: &str, status: Status) {
        self.say(ToPanel::ServerStatus(Box::new(ServerStatus::new(id, status))));
    }

    pub(crate) fn sync(&self, servers: &[(&str, Status)]) {
        let servers = servers.iter().map(|(id, status)| ServerStatus::new(*id, status.clone())).collect();
        self.say(ToPanel::Sync(Sync { servers }));
    }

    pub(crate) fn lines(&self, id: &str, numbers: std::ops::Range<u64>, reset: bool) {
        let lines = numbers.map(|seq| line(seq, "x")).collect();
        self.say(ToPanel::ConsoleLines(ConsoleLines { server_id: id.into(), lines, reset, partial: None }));
    }
}

pub(crate) fn line(seq: u64, text: &str) -> ConsoleItem {
    let (time, stream) = (Timestamp::UNIX_EPOCH, Stream::Stdout);
    ConsoleItem::Line(ConsoleLine { seq, time, stream, text: text.into(), truncated: false })
}

pub(crate) fn stats(cpu: f64) -> Stats {
    Stats {
        cpu,
        memory: 1,
        disk: 2,
        network: Default::default(),
        players: None,
        timestamp: Timestamp::UNIX_EPOCH,
    }
}

/// Waits until `look` returns a value.
pub(crate) async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within 5 s");
}

fn status_of(agents: &Agents, id: &str) -> Option<Status> {
    agents.server(&id.into()).status.map(|status| status.status)
}

#[tokio::test]
async fn an_agents_word_counts_for_its_own_servers_only() {
    let world = World::new().await;
    world.place("a").await;
    let other = storage::nodes::Node::new("other", "other", 1);
    world.store.write(move |tx| storage::nodes::insert(tx, &other)).await.unwrap();
    world.agents.add_node(&"other".into(), "other");
    let mine = world.connect(&"local".into());
    let stranger = world.connect(&"other".into());
    mine.status("a", Status::Running);
    until(|| (status_of(&world.agents, "a") == Some(Status::Running)).then_some(())).await;
    stranger.status("a", Status::Crashed);
    stranger.say(ToPanel::SystemInfo(Box::new(SystemInfo { arch: "arm64".into(), ..SystemInfo::default() })));
    until(|| world.agents.node(&"other".into()).system).await;
    assert_eq!(status_of(&world.agents, "a"), Some(Status::Running));
}

#[tokio::test]
async fn a_sync_makes_what_is_missing_and_updates_what_is_there() {
    let world = World::new().await;
    world.place("a").await;
    world.place("b").await;
    let mut agent = world.connect(&"local".into());
    agent.sync(&[("b", Status::Running), ("stranger", Status::Running)]);
    let made = agent
        .hear_and_ack(|message| match message {
            ToAgent::ServerCreate(create) => Some(create),
            _ => None,
        })
        .await;
    assert_eq!((made.server_id.as_str(), made.image.as_str()), ("a", "busybox"));
    let updated = agent
        .hear_and_ack(|message| match message {
            ToAgent::ServerUpdate(update) => Some(update),
            _ => None,
        })
        .await;
    assert_eq!((updated.server_id.as_str(), updated.startup.as_deref()), ("b", Some("game")));
    assert_eq!(status_of(&world.agents, "b"), Some(Status::Running));
    let differences = world.agents.node(&"local".into()).differences;
    assert_eq!(differences.keys().collect::<Vec<_>>(), ["stranger"], "{differences:?}");
}

#[tokio::test]
async fn a_lost_link_voids_what_was_known_but_a_replaced_one_does_not() {
    let world = World::new().await;
    world.place("a").await;
    let first = world.connect(&"local".into());
    let second = world.connect(&"local".into());
    second.status("a", Status::Running);
    until(|| status_of(&world.agents, "a")).await;
    drop(first);
    tokio::task::yield_now().await;
    assert!(world.agents.server(&"a".into()).online);
    drop(second);
    until(|| (!world.agents.node(&"local".into()).online).then_some(())).await;
    assert!(world.agents.server(&"a".into()).status.is_none());
    assert!(world.agents.session(&"local".into()).is_err());
}

#[tokio::test]
async fn a_console_is_followed_while_somebody_watches_and_once_for_all() {
    let world = World::new().await;
    world.place("a").await;
    let mut agent = world.connect(&"local".into());
    let reader = Arc::new(Notify::new());
    let one = world.agents.watch_console(&"a".into(), &"local".into(), Arc::clone(&reader));
    let asked = agent.hear().await;
    assert!(matches!(&asked.message, ToAgent::ConsoleTail(wish) if wish.server_id == "a"), "{asked:?}");
    let (server_id, lines) = ("a".into(), vec![line(7, "x")]);
    let lines = ConsoleLines { server_id, lines, ..ConsoleLines::default() };
    agent.answer(&asked.message_id.unwrap(), ToPanel::ConsoleLines(lines));
    let followed = agent.hear().await.message;
    assert!(matches!(&followed, ToAgent::ConsoleSubscribe(wish) if wish.after == Some(7)), "{followed:?}");
    let encoded =
        |items: &[ConsoleItem]| serde_json::to_string(items).unwrap().trim_matches(['[', ']']).to_owned();
    let next =
        |watch: &ConsoleWatch| if let Next::Lines(lines) = watch.next() { Some(lines.items) } else { None };
    assert_eq!(until(|| next(&one)).await, encoded(&[line(7, "x")]));
    let two = world.agents.watch_console(&"a".into(), &"local".into(), Arc::clone(&reader));
    assert_eq!(next(&two).unwrap(), encoded(&[line(7, "x")]), "the second one waits for nobody");
    agent.lines("a", 8..10, false);
    assert_eq!(until(|| next(&one)).await, encoded(&[line(8, "x"), line(9, "x")]));

    // The link breaks and is restored: the subscription continues where it stopped.
    drop(agent);
    until(|| (!world.agents.node(&"local".into()).online).then_some(())).await;
    let mut agent = world.connect(&"local".into());
    agent.sync(&[("a", Status::Running)]);
    let mut again = agent.hear().await.message;
    if !matches!(again, ToAgent::ConsoleSubscribe(_)) {
        again = agent.hear().await.message;
    }
    assert!(matches!(&again, ToAgent::ConsoleSubscribe(wish) if wish.after == Some(9)), "{again:?}");

    drop(one);
    assert!(!world.agents.0.subscriptions.is_idle());
    drop(two);
    loop {
        if let ToAgent::ConsoleUnsubscribe(reference) = agent.hear().await.message {
            assert_eq!(reference.server_id, "a");
            break;
        }
    }
    assert!(world.agents.0.subscriptions.is_idle());
}

/// The messages that an agent receives in this time.
async fn heard(agent: &mut FakeAgent, within: Duration) -> Vec<ToAgent> {
    let mut heard = Vec::new();
    let until = tokio::time::Instant::now() + within;
    while let Ok(Some(envelope)) = tokio::time::timeout_at(until, agent.side.from_panel.recv()).await {
        if let (ToAgent::ConsoleTail(_), Some(id)) = (&envelope.message, &envelope.message_id) {
            let lines = ConsoleLines { server_id: "a".into(), ..ConsoleLines::default() };
            agent.answer(id, ToPanel::ConsoleLines(lines));
        }
        heard.push(envelope.message);
    }
    heard
}

#[tokio::test]
async fn looking_and_looking_away_is_gathered() {
    let world = World::new().await;
    world.place("a").await;
    let mut agent = world.connect(&"local".into());
    let reader = Arc::new(Notify::new());
    for _ in 0..2_000 {
        drop(world.agents.watch_console(&"a".into(), &"local".into(), Arc::clone(&reader)));
        drop(world.agents.watch_stats(&"a".into(), &"local".into(), Arc::clone(&reader)));
        drop(world.agents.watch_list(AgentTopic::Servers));
        drop(world.agents.watch_list(AgentTopic::Nodes));
        drop(world.agents.watch_some(["a".into(), "no-such".into()].into_iter()));
        tokio::task::yield_now().await;
    }
    let first = heard(&mut agent, Duration::from_millis(100)).await;
    assert!(first.len() <= 8, "{} messages: {first:?}", first.len());
    let rest = heard(&mut agent, Duration::from_secs(3)).await;
    assert!(rest.len() <= 4, "{rest:?}");
    assert!(world.agents.0.subscriptions.is_idle());
    assert!(lock_listed(&world.agents).is_empty());

    // A subscriber that stays is still served.
    let (console, list) = (
        world.agents.watch_console(&"a".into(), &"local".into(), Arc::clone(&reader)),
        world.agents.watch_some(["a".into()].into_iter()),
    );
    let words = heard(&mut agent, Duration::from_secs(2)).await;
    assert!(words.iter().any(|word| matches!(word, ToAgent::ConsoleSubscribe(_))), "{words:?}");
    assert!(
        words.iter().any(|word| matches!(word, ToAgent::StatsSubscribe(wish) if wish.server_ids == ["a"])),
        "{words:?}"
    );
    drop((console, list));
}

fn lock_listed(agents: &Agents) -> Vec<protocol::ServerId> {
    agents.0.subscriptions.listed()
}

#[tokio::test]
async fn stats_are_wanted_of_exactly_what_is_watched() {
    let world = World::new().await;
    world.place("a").await;
    world.place("b").await;
    let mut agent = world.connect(&"local".into());
    let wanted = |message: ToAgent| match message {
        ToAgent::StatsSubscribe(wish) => Some((wish.server_ids, wish.node)),
        _ => None,
    };
    let reader = Arc::new(Notify::new());
    let one = world.agents.watch_stats(&"a".into(), &"local".into(), Arc::clone(&reader));
    assert_eq!(agent.hear_and_ack(wanted).await, (vec!["a".into()], false));
    let list = world.agents.watch_list(AgentTopic::Servers);
    assert_eq!(agent.hear_and_ack(wanted).await, (vec!["a".into(), "b".into()], false));
    let sample = protocol::ServerStats { server_id: "a".into(), stats: stats(50.0) };
    agent.say(ToPanel::ServerStats(sample));
    let mut seen = 0;
    let got = until(|| one.feed().next(&mut seen)).await;
    assert!((got.stats.cpu - 50.0).abs() < 0.1);
    assert!(one.feed().next(&mut seen).is_none(), "each sample once");
    let nodes = world.agents.watch_list(AgentTopic::Nodes);
    assert!(agent.hear_and_ack(wanted).await.1);
    drop((list, nodes, one));
    let mut last = (vec!["".into()], true);
    while last != (vec![], false) {
        last = agent.hear_and_ack(wanted).await;
    }
}

#[tokio::test]
async fn system_info_is_kept_for_when_the_node_is_away() {
    let world = World::new().await;
    let agent = world.connect(&"local".into());
    let info = SystemInfo { arch: "arm64".into(), os: "linux".into(), ..SystemInfo::default() };
    agent.say(ToPanel::SystemInfo(Box::new(info)));
    until(|| {
        let node = world.store.read_now(|tx| storage::nodes::get(tx, "local")).unwrap().unwrap();
        node.system.filter(|system| system.contains("arm64"))
    })
    .await;
    let again = Agents::new(world.store.clone(), world.tasks.clone()).unwrap();
    assert_eq!(again.architectures(), [("local".into(), "arm64".to_owned())]);
}
