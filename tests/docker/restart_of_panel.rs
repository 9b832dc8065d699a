//! The panel stops, cleanly or not, and comes back: games are not affected, consoles continue.

use std::time::{Duration, Instant};

use super::game::Game;
use super::viewer::{Viewer, texts};
use crate::harness::{Panel, docker, long, seconds, until};

/// The numbers that the game printed, from the lines.
fn numbers(lines: &[serde_json::Value]) -> Vec<u64> {
    texts(lines).iter().filter_map(|text| text.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_the_panel_cost_no_game_and_no_line() {
    let mut panel = Panel::start().await;
    let mut games = Vec::new();
    for _ in 0..3 {
        games.push(Game::running(&panel, "count 0.05").await);
    }
    let mut started = Vec::new();
    let mut last = vec![0; games.len()];
    for game in &games {
        started.push(game.started_at().await);
    }
    for round in 0..if long() { 50 } else { 10 } {
        panel.kill().await;
        let began = Instant::now();
        panel.again().await;
        for game in &mut games {
            game.again(&panel);
            game.becomes("running", seconds(5)).await;
        }
        assert!(began.elapsed() < seconds(5), "round {round}: running again after {:?}", began.elapsed());
        for ((game, started), last) in games.iter().zip(&started).zip(&mut last) {
            assert_eq!(&game.started_at().await, started, "round {round}");
            let mut viewer = Viewer::open(&game.admin, &game.id).await;
            let mut all = viewer.batch(seconds(5)).await.unwrap();
            let first = all.len();
            while all.len() < first + 5 {
                all.extend(viewer.batch(seconds(5)).await.unwrap());
            }
            let seen = numbers(&all);
            assert!(seen.len() > 3, "round {round}: {all:?}");
            let in_order = seen.windows(2).all(|two| two[1] == two[0] + 1);
            assert!(in_order, "round {round}: a line is missing or came twice: {seen:?}");
            assert!(seen[0] <= *last + 1, "round {round}: lines are missing between {last} and {}", seen[0]);
            assert!(seen[seen.len() - 1] > *last, "round {round}: old lines only");
            assert_eq!(viewer.skipped, 0);
            *last = seen[seen.len() - 1];
        }
    }
    for game in &games {
        game.power("stop").await.expect(202);
        game.becomes("stopped", seconds(15)).await;
    }
}

#[tokio::test]
async fn an_adopted_game_obeys_as_before() {
    let mut panel = Panel::start().await;
    let mut game = Game::running(&panel, "game").await;
    let started = game.started_at().await;
    game.command("before").await;
    game.says("You said: before", seconds(5)).await;
    assert!(panel.stop().await.success());
    assert_eq!(game.started_at().await, started, "a stop of the panel stops no game");
    panel.again().await;
    game.again(&panel);
    let view = game.becomes("running", seconds(5)).await;
    assert!(view["startedAt"].is_string(), "{view}");
    game.says("You said: before", seconds(5)).await;
    game.power("start").await.refused(409, "already_running");
    game.command("after").await;
    game.says("You said: after", seconds(5)).await;
    assert_eq!(game.said("You said: before").await, 1, "{:#?}", game.lines().await);
    game.power("stop").await.expect(202);
    let view = game.becomes("stopped", seconds(15)).await;
    assert_eq!(view["exitCode"], 0, "{view}");
    assert_eq!(game.said("World saved (SIGTERM)").await, 1, "{:#?}", game.lines().await);
}

#[tokio::test]
async fn what_ended_meanwhile_is_seen() {
    let mut panel = Panel::start().await;
    let mut crashing = Game::running(&panel, "game").await;
    let mut stopped = Game::running(&panel, "game").await;
    stopped.power("stop").await.expect(202);
    stopped.becomes("stopped", seconds(15)).await;
    let started = crashing.started_at().await;
    panel.kill().await;
    docker::docker(&["kill", &format!("ctrl-alt-play-{}", crashing.id)]).await;
    panel.again().await;
    crashing.again(&panel);
    stopped.again(&panel);
    // The server should run: it waits for its restart or runs in a new container, and the old run is never shown as
    // current.
    until("its end is seen", seconds(30), async || {
        let container = docker::inspect(&crashing.id).await?;
        let anew =
            container["State"]["Running"] == true && container["State"]["StartedAt"] != started.as_str();
        (anew && crashing.status().await == "running").then_some(())
    })
    .await;
    let view = stopped.becomes("stopped", seconds(5)).await;
    assert_eq!(view["exitCode"], 0, "how it ended is remembered: {view}");
}

#[tokio::test]
async fn a_kill_over_an_action_leaves_nothing_stuck() {
    let mut panel = Panel::start().await;
    let mut game = Game::new(&panel, "game").await;
    for round in 0..if long() { 60 } else { 12 } {
        let action = ["start", "restart", "stop", "kill"][round % 4];
        let status = game.power(action).await.status;
        assert!(matches!(status, 202 | 409), "round {round}: {action} answered {status}");
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..400))).await;
        panel.kill().await;
        panel.again().await;
        game.again(&panel);
        let view = game
            .shows(&format!("round {round}: it came to rest after {action}"), seconds(45), |view| {
                matches!(view["status"].as_str(), Some("running" | "stopped"))
            })
            .await;
        // The last request is the one that takes effect.
        let wanted = if matches!(action, "start" | "restart") { "running" } else { "stopped" };
        assert_eq!(view["status"], wanted, "round {round}: {action} was answered {status}: {view}");
        let filter = format!("label=ctrl-alt-play.server-id={}", game.id);
        let containers = docker::docker(&["ps", "-aq", "--filter", &filter]).await;
        assert!(containers.lines().count() <= 1, "round {round}: {containers}");
        let running =
            docker::inspect(&game.id).await.is_some_and(|container| container["State"]["Running"] == true);
        assert_eq!(running, wanted == "running", "round {round}: what is shown is what is");
    }
    game.admin.delete(&game.path("")).await.expect(204);
    panel.kill().await;
    panel.again().await;
    assert_eq!(panel.admin().get("/api/servers").await.expect(200).json, serde_json::json!([]));
    game.gone(seconds(15)).await;
    let folder = game.file(&panel, "");
    until("the data is removed", seconds(10), async || (!folder.exists()).then_some(())).await;
}

#[tokio::test]
async fn a_panel_leaves_containers_of_another_folder_alone() {
    let first = Panel::start().await;
    let game = Game::running(&first, "game").await;
    let started = game.started_at().await;
    let mut second = Panel::start().await;
    assert_eq!(second.admin().get("/api/servers").await.expect(200).json, serde_json::json!([]));
    let own = Game::running(&second, "game").await;
    own.admin.delete(&own.path("")).await.expect(204);
    second.kill().await;
    second.again().await;
    assert!(second.stop().await.success());
    assert_eq!(game.started_at().await, started);
    game.command("hello").await;
    game.says("You said: hello", seconds(5)).await;
}
