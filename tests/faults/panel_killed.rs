//! The panel is killed while many agents with running games are connected, and comes back.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::{game_on, node, paced, panel};
use crate::docker::game::Game;
use crate::harness::node::Node;
use crate::harness::{Panel, docker, long, seconds, until};

const AGENTS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_agents_are_back_and_true() {
    docker::image().await;
    let mut panel = panel().await;
    let names: Vec<String> = (0..AGENTS).map(|n| format!("pi-{n}")).collect();
    let joining = names.iter().map(|name| node().join(&panel, name));
    let nodes: Vec<Node> = join_all(joining).await;
    until("all are online", seconds(30), async || (online(&panel).await == AGENTS).then_some(())).await;
    let mut games: Vec<Game> = Vec::new();
    for some in names.chunks(4) {
        games.extend(join_all(some.iter().map(|name| game_on(&panel, name, "count 1"))).await);
    }
    let begun: Vec<String> = join_all(games.iter().map(Game::started_at)).await;

    let absences: &[(u64, Duration)] = if long() {
        &[(3, Duration::from_secs(5)), (40, Duration::from_secs(35)), (3, Duration::from_secs(5))]
    } else {
        // With shortened timeouts the back-off has grown to its maximum of 3 s by then.
        &[(3, Duration::from_secs(5)), (14, paced(35))]
    };
    for (absence, within) in absences {
        if long() {
            // Waits, because a connection shorter than 2 s does not reset the back-off.
            tokio::time::sleep(seconds(3)).await;
        }
        panel.kill().await;
        tokio::time::sleep(seconds(*absence)).await;
        let began = Instant::now();
        panel.again().await;
        until(&format!("all are back and true after {absence} s"), *within, async || {
            let servers = panel.admin().get("/api/servers").await.expect(200).json;
            let running =
                servers.as_array().unwrap().iter().filter(|server| server["status"] == "running").count();
            (running == AGENTS && online(&panel).await == AGENTS).then_some(())
        })
        .await;
        println!("away for {absence} s: {AGENTS} agents back and true {:?} after the start", began.elapsed());
        let still: Vec<String> = join_all(games.iter().map(Game::started_at)).await;
        assert_eq!(still, begun, "no game was started again");
    }
    drop(nodes);
}

/// Number of remote nodes that are online, with their engine.
async fn online(panel: &Panel) -> usize {
    let nodes = panel.admin().get("/api/nodes").await.expect(200).json;
    let there = |node: &&serde_json::Value| node["online"] == true && node["engine"]["available"] == true;
    nodes.as_array().unwrap().iter().filter(|node| node["local"] == false).filter(there).count()
}
