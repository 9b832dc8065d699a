//! Clocks that are two hours off, on either side.

use super::heard;
use crate::docker::clock::library;
use crate::docker::game::Game;
use crate::docker::viewer::Viewer;
use crate::harness::node::{Node, online};
use crate::harness::{Panel, seconds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hours_change_nothing_that_is_true() {
    let off = |offset: &str| {
        [
            ("LD_PRELOAD", library()),
            ("FAKETIME", offset.to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    };
    // An agent's clock that is behind, one that is ahead, then a panel's clock that is ahead.
    for (panels, agents) in [("+0", "-2h"), ("+0", "+2h"), ("+2h", "+0")] {
        let mut building = Panel::builder();
        for (name, value) in off(panels) {
            building = building.env(name, value);
        }
        let panel = building.start().await;
        let mut joining = Node::builder();
        for (name, value) in off(agents) {
            joining = joining.env(name, value);
        }
        let mut node = joining.join(&panel, "attic-pi").await;
        online(&panel, &node.id, true, seconds(20)).await;
        let game = Game::with(&panel, "game", serde_json::json!({ "nodeId": node.id })).await;
        let mut viewer = Viewer::open(&game.admin, &game.id).await;
        game.start().await;
        viewer.wait("it is ready", seconds(10), |text| text == "Ready").await;
        game.command("what time is it").await;
        viewer.wait("it answers", seconds(10), |text| text == "You said: what time is it").await;
        assert_eq!(heard(&game, "what time is it").await, 1);
        // After a disconnect the state is still right, and the newest lines come last.
        node.kill().await;
        game.becomes("unknown", seconds(5)).await;
        node.again();
        game.becomes("running", seconds(10)).await;
        game.command("and now").await;
        viewer.wait("it goes on", seconds(10), |text| text == "You said: and now").await;
        assert_eq!((viewer.skipped, viewer.resets), (0, 0), "{panels} {agents}");
        game.power("stop").await.expect(202);
        assert_eq!(game.becomes("stopped", seconds(20)).await["exitCode"], 0, "{panels} {agents}");
        assert!(!panel.log().contains("panicked") && !node.log().contains("panicked"));
    }
}
