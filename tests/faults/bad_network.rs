//! A slow and lossy network: everything works, with delays.

use std::time::Duration;

use serde_json::json;

use super::heard;
use crate::docker::game::Game;
use crate::docker::viewer::Viewer;
use crate::harness::netns::Network;
use crate::harness::node::{Node, online};
use crate::harness::proxy::{Proxy, Weather};
use crate::harness::{Panel, docker, free_port, seconds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_with_300_ms_and_5_percent_lost() {
    let network = Network::new();
    let port = free_port();
    let panel = Panel::builder().env("WEBSOCKET_PORT", port.to_string()).start().await;
    let delay = Duration::from_millis(150);
    let far = Proxy::on(&network.here, format!("127.0.0.1:{port}"), move |_| Weather {
        delay,
        ..Weather::default()
    })
    .await;
    network.loses(0.05);
    let node = Node::builder()
        .under(&network.wrapper())
        .through(far.address.as_str())
        .join(&panel, "far-away")
        .await;
    online(&panel, &node.id, true, seconds(40)).await;
    let game = Game::with(&panel, "game", json!({ "nodeId": node.id })).await;
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    game.start().await;
    viewer.wait("it is ready", seconds(20), |text| text == "Ready").await;
    for n in 0..10 {
        let began = std::time::Instant::now();
        game.command(&format!("number {n}")).await;
        assert!(began.elapsed() >= delay * 2, "the proxy does not delay: {:?}", began.elapsed());
    }
    viewer.wait("it has heard all", seconds(20), |text| text == "You said: number 9").await;
    for n in 0..10 {
        assert_eq!(heard(&game, &format!("number {n}")).await, 1, "number {n}");
    }
    game.power("restart").await.expect(202);
    viewer.wait("it is ready again", seconds(40), |text| text == "Ready").await;
    game.becomes("running", seconds(20)).await;
    game.power("stop").await.expect(202);
    assert_eq!(game.becomes("stopped", seconds(30)).await["exitCode"], 0);
    game.admin.delete(&game.path("")).await.expect(204);
    assert!(docker::inspect(&game.id).await.is_none());
    assert_eq!(far.connections(), 1, "one connection lasted: {}", node.log());
}
