//! Schedules: kept and run by the node, with real games.

use serde_json::{Value, json};

use super::game::Game;
use crate::harness::{Panel, seconds, until};

fn plan(name: &str, trigger: &Value, steps: &[Value]) -> Value {
    let steps: Vec<Value> = steps.iter().map(|action| json!({ "action": action })).collect();
    json!({ "name": name, "enabled": true, "trigger": trigger, "steps": steps })
}

async fn add(game: &Game, plan: Value) -> String {
    game.admin.post(&game.path("/schedules"), plan).await.expect(201).id()
}

async fn run(game: &Game, id: &str, dry: bool) {
    game.admin.post(&game.path(&format!("/schedules/{id}/run")), json!({ "dry": dry })).await.expect(204);
}

/// The newest run of a schedule that has ended.
async fn ended(game: &Game, id: &str) -> Value {
    until("the run ends", seconds(40), async || {
        let runs = game.admin.get(&game.path("/schedule-runs")).await.expect(200).json;
        let mine = runs.as_array().unwrap().iter().find(|run| run["scheduleId"] == id).cloned()?;
        (mine["outcome"] != "running").then_some(mine)
    })
    .await
}

#[tokio::test]
async fn steps_are_taken_in_order_and_the_history_tells_of_them() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    let daily = json!({ "kind": "cron", "pattern": "0 5 * * *", "zone": "Europe/Berlin" });
    let steps = [
        json!({ "kind": "announce", "command": "restart in {left}", "before": [2, 1] }),
        json!({ "kind": "power", "power": "restart" }),
        json!({ "kind": "wait_line", "pattern": "Ready", "seconds": 30 }),
        json!({ "kind": "wait_status", "status": "running", "seconds": 30 }),
        json!({ "kind": "command", "command": "hello again" }),
    ];
    let id = add(&game, plan("Night", &daily, &steps)).await;
    let listed = game.admin.get(&game.path("/schedules")).await.expect(200).json;
    assert_eq!(listed["schedules"][0]["nextRuns"].as_array().unwrap().len(), 5);
    let before = game.started_at().await;
    run(&game, &id, true).await;
    let dry = ended(&game, &id).await;
    assert_eq!((&dry["cause"], &dry["steps"]), (&json!("dry"), &json!([])));
    assert_eq!(game.started_at().await, before, "nothing was done");

    run(&game, &id, false).await;
    game.says("You said: restart in 2 seconds", seconds(10)).await;
    game.says("You said: restart in 1 second", seconds(10)).await;
    game.says("You said: hello again", seconds(40)).await;
    let done = until("it is done", seconds(20), async || {
        let run = ended(&game, &id).await;
        (run["cause"] == "manual").then_some(run)
    })
    .await;
    assert_eq!((&done["outcome"], done["steps"].as_array().unwrap().len()), (&json!("done"), 5), "{done}");
    assert_ne!(game.started_at().await, before);

    // A step that fails ends the run and says why.
    game.power("stop").await.expect(202);
    game.becomes("stopped", seconds(20)).await;
    let steps = [json!({ "kind": "command", "command": "a" }), json!({ "kind": "power", "power": "start" })];
    let id = add(&game, plan("Fails", &daily, &steps)).await;
    run(&game, &id, false).await;
    let failed = ended(&game, &id).await;
    assert_eq!((&failed["outcome"], failed["steps"].as_array().unwrap().len()), (&json!("failed"), 1));
    assert!(failed["sentence"].as_str().unwrap().contains("not running"), "{failed}");
    assert_eq!(game.status().await, "stopped");

    game.admin.delete(&game.path(&format!("/schedules/{id}"))).await.expect(204);
    game.admin.delete(&game.path(&format!("/schedules/{id}"))).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_console_line_starts_a_schedule() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    let line = json!({ "kind": "line", "pattern": "regex:^You said: pi+ng" });
    let id = add(&game, plan("Pong", &line, &[json!({ "kind": "command", "command": "pong" })])).await;
    game.command("ping").await;
    game.says("You said: pong", seconds(10)).await;
    assert_eq!(ended(&game, &id).await["cause"], "event");
}

#[tokio::test]
async fn a_state_starts_a_schedule() {
    let panel = Panel::start().await;
    let stopped = json!({ "kind": "status", "status": "stopped" });
    let second = Game::running(&panel, "game").await;
    add(&second, plan("Again", &stopped, &[json!({ "kind": "power", "power": "start" })])).await;
    let before = second.started_at().await;
    second.power("stop").await.expect(202);
    until("it is started again", seconds(40), async || {
        let running = second.status().await == "running";
        (running && second.started_at().await != before).then_some(())
    })
    .await;
}

/// Killed while a step goes on: it is not repeated, and the history says so. What else was set runs on.
#[tokio::test]
async fn a_run_that_a_kill_cuts_off_is_said_to_be_so() {
    let mut panel = Panel::start().await;
    let mut game = Game::running(&panel, "game").await;
    let daily = json!({ "kind": "cron", "pattern": "0 5 * * *", "zone": "UTC" });
    let steps = [
        json!({ "kind": "command", "command": "only once" }),
        json!({ "kind": "announce", "command": "soon", "before": [600] }),
        json!({ "kind": "command", "command": "never" }),
    ];
    let id = add(&game, plan("Long", &daily, &steps)).await;
    let started = json!({ "kind": "node_started" });
    add(&game, plan("Back", &started, &[json!({ "kind": "command", "command": "here again" })])).await;
    run(&game, &id, false).await;
    game.says("You said: soon", seconds(10)).await;
    panel.kill().await;
    panel.again().await;
    game.again(&panel);
    game.becomes("running", seconds(20)).await;
    game.says("You said: here again", seconds(30)).await;
    let cut = ended(&game, &id).await;
    assert_eq!(cut["outcome"], "cut_off");
    assert_eq!(
        (&cut["steps"][0]["outcome"], &cut["steps"][1]["outcome"]),
        (&json!("done"), &json!("cut_off"))
    );
    assert_eq!(game.said("You said: only once").await, 1);
    assert_eq!(game.said("You said: never").await, 0);
}

#[tokio::test]
async fn whoever_may_use_schedules_may_do_by_them_only_what_he_may_do() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    let friend = panel.user("friend").await;
    let grant = game.path(&format!("/users/{}", friend.get("/api/me").await.id()));
    panel.admin().put(&grant, json!({ "permissions": ["schedules"] })).await.expect(204);
    let every = json!({ "kind": "every", "minutes": 60 });
    let all = game.path("/schedules");
    let power = plan("P", &every, &[json!({ "kind": "power", "power": "start" })]);
    friend.post(&all, power.clone()).await.refused(403, "forbidden");
    let command = plan("C", &every, &[json!({ "kind": "command", "command": "op me" })]);
    friend.post(&all, command.clone()).await.refused(403, "forbidden");
    let id = add(&game, command.clone()).await;
    friend.post(&format!("{all}/{id}/run"), json!({})).await.refused(403, "forbidden");
    friend.put(&format!("{all}/{id}"), power).await.refused(403, "forbidden");
    friend.post(&all, plan("W", &every, &[json!({ "kind": "wait", "seconds": 1 })])).await.expect(201);

    // A schedule of another server is none of this one.
    let other = Game::new(&panel, "game").await;
    other.admin.put(&other.path(&format!("/schedules/{id}")), command).await.refused(404, "not_found");
    for (trigger, status) in [
        (json!({ "kind": "cron", "pattern": "99 * * * *", "zone": "UTC" }), 422),
        (json!({ "kind": "cron", "pattern": "0 5 * * *", "zone": "../../etc/passwd" }), 422),
        (json!({ "kind": "line", "pattern": "regex:(((" }), 422),
        (json!({ "kind": "every", "minutes": 0 }), 422),
    ] {
        let body = plan("Bad", &trigger, &[json!({ "kind": "wait", "seconds": 1 })]);
        friend.post(&all, body).await.refused(status, "invalid");
    }
}
