//! Tests of what a socket sends next, over a real link, with a fake agent at the other end.

use protocol::{ConsoleLines, ServerStats, Status, ToAgent, ToPanel};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Live;
use super::topics::Topics;
use crate::agents::tests::{FakeAgent, line, stats};
use crate::auth::{Actor, Permission};
use crate::config::UpgradeSettings;
use crate::nodes::Nodes;
use crate::revision::Expected;
use crate::servers::tests::Games;
use crate::status::Status as PanelStatus;
use crate::transfers::Transfers;
use crate::upgrades::{Parts, Upgrades};

fn live(games: &Games) -> Live {
    let world = &games.world;
    let nodes = Nodes::new(world.store.clone(), world.agents.clone(), games.servers.clone(), None);
    let status = PanelStatus::new(world.store.clone(), 1);
    let mut topics = crate::servers::topics(&games.servers);
    topics.extend(crate::nodes::topics(&nodes));
    topics.extend(crate::status::topics(&status));
    topics.extend(crate::upgrades::topics(&upgrades(games)));
    Live::new(games.auth.clone(), world.agents.clone(), topics, world.tasks.clone())
}

fn upgrades(games: &Games) -> Upgrades {
    let world = &games.world;
    let moves = Transfers::new(
        world.store.clone(),
        world.agents.clone(),
        Default::default(),
        world.tasks.clone(),
        Vec::new(),
        None,
    );
    let parts = Parts {
        data_dir: std::env::temp_dir().join("there-is-none"),
        store: world.store.clone(),
        agents: world.agents.clone(),
        transfers: Default::default(),
        moves: moves.unwrap(),
        tasks: world.tasks.clone(),
    };
    Upgrades::new(&UpgradeSettings::default(), parts)
}

fn follow(live: &Live, actor: &Actor, names: &[&str]) -> Topics {
    let mut topics = Topics::new(live.clone(), actor.clone()).unwrap();
    assert!(topics.client_says(json!({ "subscribe": names }).to_string().as_bytes()));
    topics
}

/// Waits for the next frame.
async fn frame(topics: &mut Topics) -> Utf8Bytes {
    for _ in 0..500 {
        if let Some(text) = topics.next().await {
            return text;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("nothing came within 5 s");
}

async fn next(topics: &mut Topics) -> Value {
    serde_json::from_str(&frame(topics).await).unwrap()
}

async fn answer_console(agent: &mut FakeAgent, id: &str, text: &str) {
    loop {
        let asked = agent.hear().await;
        if let ToAgent::ConsoleTail(_) = asked.message {
            let (server_id, lines) = (id.into(), vec![line(1, text)]);
            let lines = ConsoleLines { server_id, lines, ..ConsoleLines::default() };
            agent.answer(&asked.message_id.unwrap(), ToPanel::ConsoleLines(lines));
            return;
        }
    }
}

#[tokio::test]
async fn topics_are_found_by_their_names() {
    let games = Games::new().await;
    let live = live(&games);
    let found = |name| live.topic(name).map(|(_, topic, id)| (topic.name(), id));
    assert_eq!(found("servers"), Some(("servers", "")));
    assert_eq!(found("upgrade"), Some(("upgrade", "")));
    assert_eq!(found("console:a-1"), Some(("console:{server}", "a-1")));
    assert_eq!(found("stats:a-1"), Some(("stats:{server}", "a-1")));
    for bad in [
        "",
        "server",
        "console",
        "console:",
        "console:../x",
        "console:A",
        "files:a",
        "servers:",
        "servers:a",
        ":",
    ] {
        assert_eq!(found(bad), None, "{bad}");
    }
}

#[tokio::test]
async fn a_list_is_sent_whole_and_then_as_it_changes() {
    let games = Games::new().await;
    let live = live(&games);
    let mut topics = follow(&live, &games.admin, &["servers"]);
    assert_eq!(next(&mut topics).await, json!({ "topic": "servers", "data": { "all": [] } }));
    let made = games.make(r#"{"name":"World","image":"busybox"}"#).await.unwrap();
    let message = next(&mut topics).await;
    assert_eq!(message["data"]["changed"]["id"], made.id);
    games.servers.delete(&games.admin, &made.id.as_str().into(), true, true).await.unwrap();
    assert_eq!(next(&mut topics).await["data"], json!({ "removed": made.id }));
    assert!(topics.next().await.is_none());
}

#[tokio::test]
async fn whoever_may_not_see_a_server_never_hears_of_it() {
    let games = Games::new().await;
    let live = live(&games);
    let jo = games.user("jo").await;
    let mut topics = follow(&live, &jo, &["servers"]);
    assert_eq!(next(&mut topics).await["data"]["all"], json!([]));
    let made = games.make(r#"{"name":"World","image":"busybox"}"#).await.unwrap();
    assert!(topics.next().await.is_none());
    games
        .servers
        .grant(&games.admin, &made.id.as_str().into(), "jo", [Permission::Console].into(), Expected::Whatever)
        .await
        .unwrap();
    topics.recheck(jo.clone()).unwrap();
    let seen = next(&mut topics).await["data"]["changed"].clone();
    assert_eq!((&seen["id"], &seen["permissions"]), (&json!(made.id), &json!(["view", "console"])));
    assert!(seen.get("dataDir").is_none());
    let console = format!("console:{}", made.id);
    assert!(topics.client_says(json!({ "subscribe": [console] }).to_string().as_bytes()));
    assert_eq!(next(&mut topics).await["topic"], console);

    games.servers.revoke(&games.admin, &made.id.as_str().into(), "jo", Expected::Whatever).await.unwrap();
    topics.recheck(jo).unwrap();
    let told = [next(&mut topics).await, next(&mut topics).await];
    assert!(
        told.iter().any(|one| one["topic"] == console && one["error"]["code"] == "not_found"),
        "{told:?}"
    );
    assert!(told.iter().any(|one| one["data"] == json!({ "removed": made.id })), "{told:?}");
    games.servers.delete(&games.admin, &made.id.as_str().into(), true, true).await.unwrap();
    assert!(topics.next().await.is_none());
}

#[tokio::test]
async fn all_who_follow_a_console_get_the_same() {
    let games = Games::new().await;
    let live = live(&games);
    let mut agent = games.world.connect(&"local".into());
    let made = games.make(r#"{"name":"World","image":"busybox"}"#).await.unwrap();
    let name = format!("console:{}", made.id);
    let mut one = follow(&live, &games.admin, &[&name]);
    answer_console(&mut agent, &made.id, "first").await;
    let mut two = follow(&live, &games.admin, &[&name]);
    for topics in [&mut one, &mut two] {
        assert_eq!(next(topics).await["data"]["lines"][0]["text"], "first");
    }
    agent.lines(&made.id, 2..4, false);
    let (a, b) = (frame(&mut one).await, frame(&mut two).await);
    assert_eq!(a, b);
    let message: Value = serde_json::from_str(&a).unwrap();
    assert_eq!(message["data"]["lines"][1]["seq"], 3);
    assert!(message["data"].get("reset").is_none());
    agent.lines(&made.id, 1..2, true);
    assert_eq!(next(&mut one).await["data"]["reset"], true);
}

#[tokio::test]
async fn stats_come_at_once_and_a_slow_reader_gets_the_newest() {
    let games = Games::new().await;
    let live = live(&games);
    let agent = games.world.connect(&"local".into());
    let made = games.make(r#"{"name":"World","image":"busybox"}"#).await.unwrap();
    let name = format!("stats:{}", made.id);
    agent.status(&made.id, Status::Running);
    let mut topics = follow(&live, &games.admin, &[&name]);
    assert_eq!(next(&mut topics).await, json!({ "topic": name, "data": null }));
    for cpu in 1..=3 {
        let sample = ServerStats { server_id: made.id.clone().into(), stats: stats(f64::from(cpu)) };
        agent.say(ToPanel::ServerStats(sample));
    }
    crate::agents::tests::until(|| {
        let now = games.world.agents.server(&made.id.as_str().into()).stats;
        now.filter(|stats| stats.cpu > 2.5)
    })
    .await;
    assert_eq!(next(&mut topics).await["data"]["cpu"], 3.0);
    assert!(topics.next().await.is_none());
}

#[tokio::test]
async fn what_is_wrong_with_a_wish_is_said() {
    let games = Games::new().await;
    let live = live(&games);
    let mut topics = follow(&live, &games.admin, &["nothing", "console:nosuch", "files:x"]);
    for name in ["nothing", "console:nosuch", "files:x"] {
        let message = next(&mut topics).await;
        assert_eq!((&message["topic"], &message["error"]["code"]), (&json!(name), &json!("not_found")));
    }
    for (bad, code) in
        [("{", "bad_json"), (r#"{"shout":["servers"]}"#, "invalid"), (r#"{"subscribe":5}"#, "invalid")]
    {
        assert!(topics.client_says(bad.as_bytes()));
        assert_eq!(next(&mut topics).await["error"]["code"], code);
    }
}

#[tokio::test]
async fn nodes_and_status_are_told_as_the_caller_may_know_them() {
    let games = Games::new().await;
    let live = live(&games);
    let agent = games.world.connect(&"local".into());
    let info = protocol::SystemInfo {
        arch: "amd64".into(),
        kernel: Some("6.1".into()),
        data_dir: Some("/secret/place".into()),
        ..Default::default()
    };
    agent.say(ToPanel::SystemInfo(Box::new(info)));
    crate::agents::tests::until(|| games.world.agents.node(&"local".into()).system).await;
    let jo = games.user("jo").await;
    let mut mine = follow(&live, &games.admin, &["nodes", "status"]);
    let mut theirs = follow(&live, &jo, &["nodes", "status"]);
    let all = next(&mut mine).await;
    assert_eq!(all["data"]["all"][0]["system"]["dataDir"], "/secret/place");
    assert_eq!(next(&mut mine).await["data"]["readOnly"], false);
    let open = next(&mut theirs).await;
    assert_eq!(open["data"]["all"][0]["system"], json!({ "os": "", "arch": "amd64", "networks": {} }));
    assert!(open["data"]["all"][0].get("problems").is_none());
    assert!(mine.next().await.is_none(), "the status is told again only when it differs");
}

#[tokio::test]
async fn one_socket_follows_a_bounded_number_of_topics() {
    let games = Games::new().await;
    let live = live(&games);
    let names: Vec<String> = (0..600).map(|n| format!("console:s{n}")).collect();
    let nodes = ["local"; 1];
    for name in &names {
        let id = name.trim_start_matches("console:").to_owned();
        games.world.agents.place(&id.as_str().into(), &nodes[0].into());
        let record = storage::servers::Server {
            id: id.into(),
            name: "x".into(),
            node_id: "local".into(),
            template_id: None,
            image: "b".into(),
            startup: String::new(),
            environment: Default::default(),
            limits: Default::default(),
            ports: Vec::new(),
            suspended: false,
            created_at: 1,
            updated_at: 1,
            block_lan: false,
            handed_over: false,
            deleting: None,
            template: None,
            start_when_installed: false,
            behaviour: Default::default(),
        };
        games.world.store.write(move |tx| storage::servers::insert(tx, &record)).await.unwrap();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut topics = follow(&live, &games.admin, &names);
    let mut refused = 0;
    while let Some(text) = topics.next().await {
        let message: Value = serde_json::from_str(&text).unwrap();
        refused += usize::from(message["error"]["code"] == "too_many_requests");
    }
    assert_eq!(refused, 88);
}
