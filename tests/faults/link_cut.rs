//! A silently broken link: packets are dropped, and neither side gets an end.

use std::time::Instant;

use serde_json::{Value, json};

use super::{game_on, heard, paced, panel_at};
use crate::docker::beside;
use crate::harness::netns::Network;
use crate::harness::node::online;
use crate::harness::{docker, free_port, seconds, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_noticed_on_both_sides_and_heals_and_nothing_is_done_twice() {
    let network = Network::new();
    let port = free_port();
    let panel = panel_at("0.0.0.0", port).await;
    let node = super::node()
        .under(&network.wrapper())
        .through(format!("{}:{port}", network.here))
        .join(&panel, "attic-pi")
        .await;
    online(&panel, &node.id, true, seconds(20)).await;
    let game = game_on(&panel, &node.id, "game").await;
    let ending = game_on(&panel, &node.id, "game").await;
    let begun = game.started_at().await;
    game.command("before").await;

    for round in 0..2 {
        let before = node.log().matches("the connection to the panel ended").count();
        network.cut();
        let cut = Instant::now();
        // A command sent meanwhile fails with an error, and does not wait forever.
        let admin = panel.admin();
        let path = game.path("/command");
        let typed = beside(async move {
            let mut statuses: Vec<(String, u16)> = Vec::new();
            for n in 0..3 {
                let text = format!("during {round} {n}");
                let answer = admin.post(&path, json!({ "command": text })).await;
                statuses.push((text, answer.status));
            }
            statuses
        });
        online(&panel, &node.id, false, paced(45)).await;
        println!("cut {round}: the panel notices after {:?}", cut.elapsed());
        game.becomes("unknown", seconds(2)).await;
        until("the agent notices", paced(45), async || {
            (node.log().matches("the connection to the panel ended").count() > before).then_some(())
        })
        .await;
        println!("cut {round}: the agent has noticed after {:?}", cut.elapsed());
        let typed = typed.await.unwrap();
        assert!(typed.iter().all(|(_, status)| matches!(status, 503 | 504)), "{typed:?}");
        game.power("stop").await.refused(503, "node_offline");
        // What happens meanwhile is shown afterwards.
        let ended = format!("ctrl-alt-play-{}", ending.id);
        let running_since = ending.started_at().await;
        docker::docker(&["kill", &ended]).await;
        network.mend();
        let mended = Instant::now();
        online(&panel, &node.id, true, paced(35)).await;
        println!("cut {round}: healed {:?} after the link's return", mended.elapsed());
        game.becomes("running", seconds(5)).await;
        until("what ended meanwhile is seen", seconds(30), async || {
            let view: Value = ending.view().await;
            let anew = docker::inspect(&ending.id).await?["State"]["StartedAt"] != running_since.as_str();
            (anew && view["status"] == "running").then_some(())
        })
        .await;
        let after = format!("after {round}");
        game.command(&after).await;
        game.says(&format!("You said: {after}"), seconds(5)).await;
        assert_eq!(heard(&game, &after).await, 1);
        for (text, _) in &typed {
            assert!(heard(&game, text).await <= 1, "{text} was done twice");
        }
    }
    assert_eq!(heard(&game, "before").await, 1);
    assert_eq!(game.started_at().await, begun, "no game was started again");
}
