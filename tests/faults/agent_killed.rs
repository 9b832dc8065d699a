//! The agent is killed while games, viewers and requests are active, and comes back.

use std::time::Duration;

use serde_json::{Value, json};

use super::{game_on, panel};
use crate::docker::game::Game;
use crate::docker::viewer::{Viewer, texts};
use crate::harness::node::{Node, online};
use crate::harness::{docker, long, seconds, until};

/// The numbers that the game printed, from the lines.
fn numbers(lines: &[Value]) -> Vec<u64> {
    texts(lines).iter().filter_map(|text| text.trim().parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_goes_on_with_no_line_twice_and_none_lost() {
    let panel = panel().await;
    let mut node = Node::joined(&panel, "attic-pi").await;
    let game = game_on(&panel, &node.id, "count 0.05").await;
    let begun = game.started_at().await;
    // Connected throughout. Checks that no line number is missing or repeated.
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    let mut seen = numbers(&viewer.wait("it counts", seconds(10), |text| text.trim() == "10").await);
    for round in 0..if long() { 20 } else { 4 } {
        node.kill().await;
        online(&panel, &node.id, false, seconds(5)).await;
        game.becomes("unknown", seconds(2)).await;
        node.again();
        online(&panel, &node.id, true, seconds(10)).await;
        game.becomes("running", seconds(5)).await;
        let now: u64 = game.says("1", seconds(5)).await["seq"].as_u64().unwrap();
        assert!(now > 0, "round {round}");
        let last = seen[seen.len() - 1] + 30;
        seen.extend(numbers(
            &viewer
                .wait("it counts on", seconds(15), |text| text.trim().parse().is_ok_and(|n: u64| n >= last))
                .await,
        ));
        assert_eq!(game.started_at().await, begun, "round {round}: the game was started again");
    }
    let wrong: Vec<_> = seen.windows(2).filter(|two| two[1] != two[0] + 1).collect();
    assert!(wrong.is_empty() && viewer.skipped == 0 && viewer.resets == 0, "lost or twice: {wrong:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_over_an_action_leaves_nothing_stuck_and_nothing_twice() {
    let panel = panel().await;
    let mut node = Node::joined(&panel, "attic-pi").await;
    let game = Game::with(&panel, "game", json!({ "nodeId": node.id })).await;
    for round in 0..if long() { 40 } else { 8 } {
        let action = ["start", "stop", "install", "start", "restart", "kill", "install", "start"][round % 8];
        let asked = if action == "install" {
            game.admin.call(reqwest::Method::POST, &game.path("/install"), None).await
        } else {
            game.power(action).await
        };
        assert!(matches!(asked.status, 202 | 409), "round {round}: {action}: {asked:?}");
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..300))).await;
        node.kill().await;
        online(&panel, &node.id, false, seconds(5)).await;
        node.again();
        online(&panel, &node.id, true, seconds(10)).await;
        // Accepted requests are carried out, and the shown state is the real one. A game that was told to stop just
        // before the kill runs for a moment longer.
        let wanted: &[&str] = match action {
            "start" | "restart" if asked.status == 202 => &["running"],
            "stop" | "kill" if asked.status == 202 => &["stopped"],
            _ => &["running", "stopped", "install_failed"],
        };
        until(&format!("round {round}: at rest and true after {action}"), seconds(45), async || {
            let view = game.view().await;
            let runs = docker::inspect(&game.id).await.is_some_and(|it| it["State"]["Running"] == true);
            let status = view["status"].as_str().unwrap_or_default();
            (wanted.contains(&status) && runs == (status == "running")).then_some(())
        })
        .await;
        let filter = format!("label=ctrl-alt-play.server-id={}", game.id);
        let containers = docker::docker(&["ps", "-aq", "--filter", &filter]).await;
        assert!(containers.lines().count() <= 1, "round {round}: {containers}");
    }
}
