//! Two hundred real links, without engines, to a panel that is restarted.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use agent::link::{self, AgentSide};
use agent::remote::{Dialer, LinkState, Remote};
use protocol::{Envelope, Sync, SystemInfo, ToAgent, ToPanel};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::docker::beside;
use crate::harness::netns::Network;
use crate::harness::{Panel, free_port, seconds, until};

const AGENTS: usize = 200;
const SECRET: &str = "a shared secret of the fleet";

/// Answers a panel's first requests. Has no servers.
async fn introduce(mut side: AgentSide, id: String) {
    while let Some(Envelope { message, message_id, .. }) = side.from_panel.recv().await {
        let info = SystemInfo {
            node_id: id.clone().into(),
            os: "linux".into(),
            arch: "amd64".into(),
            capabilities: ["docker", "ack", "sync"].map(Into::into).into(),
            ..SystemInfo::default()
        };
        if matches!(message, ToAgent::SystemInfoRequest) {
            let mut answer = Envelope::new(ToPanel::SystemInfo(Box::new(info)));
            answer.message_id = message_id;
            let _ = side.to_panel.try_send(answer);
            let _ = side.to_panel.try_send(Envelope::new(ToPanel::Sync(Sync::default())));
        }
    }
}

async fn online(panel: &Panel) -> usize {
    let nodes = panel.admin().get("/api/nodes").await.expect(200).json;
    nodes.as_array().unwrap().iter().filter(|node| node["id"] != "local" && node["online"] == true).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_brings_all_back_and_not_in_one_moment() {
    // A separate network, so that its counters show only this test.
    let network = Network::new();
    let port = free_port();
    let mut panel = Panel::builder()
        .under(&network.wrapper())
        .env("BIND", network.there.as_str())
        .env("WEBSOCKET_PORT", port.to_string())
        .env("AGENT_SECRET", SECRET)
        .env("LOG_LEVEL", "warn,ctrl_alt_play=info")
        .start()
        .await;
    let cancel = CancellationToken::new();
    let _end = cancel.clone().drop_guard();
    let came: Arc<Mutex<Vec<Instant>>> = Arc::default();
    for n in 0..AGENTS {
        let id = format!("pi-{n}");
        let remote = Remote {
            panel_url: format!("ws://{}", panel.agents_address()),
            node_id: id.clone().into(),
            secret: SECRET.to_owned(),
            ..Remote::default()
        };
        let dialer = Dialer::new(remote).unwrap();
        let (panel_side, agent_side) = link::local(8);
        let (connected, mut is_connected) = watch::channel(LinkState::Away);
        beside(introduce(agent_side, id));
        beside(dialer.run(panel_side, connected, cancel.clone()));
        let came = Arc::clone(&came);
        beside(async move {
            while is_connected.changed().await.is_ok() {
                if *is_connected.borrow_and_update() == LinkState::Taken {
                    came.lock().unwrap().push(Instant::now());
                }
            }
        });
    }
    until("all have come", seconds(40), async || (online(&panel).await == AGENTS).then_some(())).await;
    // Longer connections reset the back-off. Without random delays, all agents would reconnect at the same time.
    until("their connections are good ones", seconds(10), async || {
        let oldest = came.lock().unwrap().iter().map(Instant::elapsed).min().unwrap();
        (oldest > Duration::from_millis(2_500)).then_some(())
    })
    .await;
    let turned_away = || network.counter("ListenOverflows") + network.counter("ListenDrops");
    let before = turned_away();
    panel.kill().await;
    tokio::time::sleep(seconds(14)).await;
    came.lock().unwrap().clear();
    let began = Instant::now();
    panel.again().await;
    until("all are back", seconds(60), async || (online(&panel).await == AGENTS).then_some(())).await;
    let took = began.elapsed();
    let mut times = came.lock().unwrap().clone();
    times.sort_unstable();
    assert_eq!(times.len(), AGENTS, "each came once");
    let busiest = times
        .iter()
        .map(|from| times.iter().filter(|at| *at >= from && **at < *from + Duration::from_secs(1)).count())
        .max()
        .unwrap();
    println!("{AGENTS} agents back within {took:?}, at most {busiest} in one second");
    assert!(busiest * 4 <= AGENTS, "{busiest} of {AGENTS} came within one second");
    assert_eq!(turned_away() - before, 0, "the kernel turned some away");
}
