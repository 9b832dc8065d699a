//! Remote agents are upgraded only when that interrupts nothing, and their games keep running.

use serde_json::{Value, json};

use super::game::Game;
use crate::api::upgrades::nodes::{Newer, of};
use crate::api::upgrades::{NEXT, TIMES, shown, view};
use crate::harness::download::{VERSION, as_version};
use crate::harness::guarded::Guarded;
use crate::harness::{docker, free_port, seconds};

/// Whether the view shows that a node is waited for, with these words.
fn waits(view: &Value, id: &str, words: &str) -> bool {
    let node = of(view, id);
    let detail = node["detail"].as_str().unwrap_or_default();
    node["step"] == "waiting" && detail.contains(words)
}

#[tokio::test]
async fn a_busy_machine_is_waited_for_and_its_games_run_on() {
    let folder = tempfile::tempdir().unwrap();
    // Slow enough for the transfer to be in progress when the upgrade round reaches the node.
    let env = [
        ("WEBSOCKET_PORT", free_port().to_string()),
        ("MOVE_LIMIT", "5".to_owned()),
        ("UPGRADE_TIMES", TIMES.replace("idle=15000", "idle=6000")),
    ];
    let newer = Newer::start(&folder, &env).await;
    let panel = &newer.panel;
    let admin = panel.admin();
    let service = Guarded::new(&as_version(VERSION));
    let attic = newer.joined("attic", &service, &[]).await;
    let game = Game::with(panel, "count 0.02", json!({ "nodeId": "attic" })).await;
    game.start().await;
    let started = docker::inspect(&game.id).await.unwrap()["State"]["StartedAt"].clone();
    let stubborn = Game::with(panel, "stubborn", json!({ "nodeId": "attic" })).await;
    stubborn.start().await;
    stubborn.says("Ready", seconds(20)).await;

    // A server is stopping: the round waits, and can be canceled before anything is done.
    stubborn.power("stop").await.expect(202);
    stubborn.becomes("stopping", seconds(5)).await;
    admin.post("/api/upgrade/nodes", json!({})).await.expect(202);
    let stops = format!("Waits: the server {} stops.", stubborn.id);
    shown(&admin, "it is waited for", |view| waits(view, "attic", &stops)).await;
    admin.delete("/api/upgrade/nodes").await.expect(204);
    let after = shown(&admin, "it is called off", |view| view["nodesRunning"] == false).await;
    assert_eq!((&of(&after, "attic")["step"], &after["nodesFailure"]), (&Value::Null, &Value::Null));

    // The wait takes too long: the round ends with an error, and the node is unchanged.
    admin.post("/api/upgrade/nodes", json!({})).await.expect(202);
    let after = shown(&admin, "it took too long", |view| view["nodesRunning"] == false).await;
    let why = after["nodesFailure"].as_str().unwrap();
    assert!(
        why.contains(&format!("attic: It was busy for too long: the server {} stops", stubborn.id)),
        "{why}"
    );
    assert_eq!((of(&after, "attic")["step"].as_str(), service.version().as_str()), (Some("failed"), VERSION));
    stubborn.power("kill").await.expect(202);
    stubborn.becomes("stopped", seconds(10)).await;

    // A server is being transferred: the upgrade starts only after that.
    let world = attic.data().join("servers").join(&stubborn.id).join("world");
    std::fs::write(world, vec![7; 10 << 20]).unwrap();
    let moved = stubborn.path("/move");
    admin.post(&moved, json!({ "nodeId": "local" })).await.expect(202);
    admin.post("/api/upgrade/nodes", json!({})).await.expect(202);
    let moves = format!("Waits: the server {} moves.", stubborn.id);
    shown(&admin, "the move is waited for", |view| waits(view, "attic", &moves)).await;
    let after = shown(&admin, "it is done", |view| view["nodesRunning"] == false).await;
    assert_eq!(
        (of(&after, "attic")["step"].as_str(), &after["nodesFailure"]),
        (Some("done"), &Value::Null),
        "{after}"
    );
    assert_eq!(admin.get(&moved).await.expect(200).json["step"], "done");
    assert_eq!(service.version(), NEXT);

    // The other game counted throughout, and the console has every number.
    game.becomes("running", seconds(10)).await;
    assert_eq!(docker::inspect(&game.id).await.unwrap()["State"]["StartedAt"], started);
    let far = crate::harness::until("it counts on", seconds(10), async || {
        let numbers = numbers(&game.console(1_000).await);
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
        numbers.last().copied().filter(|last| numbers.len() > 100 && *last > 400)
    });
    far.await;
    assert!(view(&admin).await["nodesFailure"].is_null());
}

fn numbers(lines: &[Value]) -> Vec<u64> {
    lines.iter().filter_map(|line| line["text"].as_str()?.parse().ok()).collect()
}
