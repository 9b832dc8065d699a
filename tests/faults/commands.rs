//! Many commands through a network that breaks repeatedly: each is executed once, or its sender gets an error. The game
//! itself counts them.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::{game_on, panel};
use crate::harness::node::online;
use crate::harness::proxy::{Fate, Proxy, Weather};
use crate::harness::{docker, long, seconds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_done_once_or_refused() {
    let seed: u64 =
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    let panel = panel().await;
    let mut dice = StdRng::seed_from_u64(seed);
    let proxy = Proxy::new(panel.agents_address(), move |_| {
        const FATES: [Fate; 12] = [
            Fate::Cut,
            Fate::Cut,
            Fate::Cut,
            Fate::Cut,
            Fate::Reset,
            Fate::Reset,
            Fate::Reset,
            Fate::Reset,
            Fate::HalfClose,
            Fate::HalfClose,
            Fate::Dribble,
            Fate::Hole,
        ];
        Weather {
            delay: Duration::from_millis(dice.random_range(0..10)),
            after: Some(dice.random_range(3_000..9_000)),
            then: FATES[dice.random_range(0..FATES.len())],
        }
    })
    .await;
    let node = super::node().through(proxy.address.as_str()).join(&panel, "far-away").await;
    online(&panel, &node.id, true, seconds(30)).await;
    let game = game_on(&panel, &node.id, "game").await;
    let begun = game.started_at().await;

    let count = if long() { 1_000 } else { 200 };
    let send = async |n: u32| {
        let text = format!("number {n}");
        let answer = game.admin.post(&game.path("/command"), json!({ "command": text })).await;
        match answer.status {
            204 => (text, true),
            // Refused for now. Waits until the node is online again.
            409 | 503 | 504 => {
                assert!(!answer.code().is_empty(), "{answer:?}");
                online(&panel, &node.id, true, seconds(40)).await;
                (text, false)
            }
            other => panic!("{text}: {other}: {answer:?}"),
        }
    };
    let sent: Vec<(String, bool)> =
        futures_util::stream::iter(0..count).map(send).buffer_unordered(4).collect().await;
    // The last commands may still be in flight.
    online(&panel, &node.id, true, seconds(40)).await;
    game.becomes("running", seconds(10)).await;
    let log = docker::docker(&["logs", &format!("ctrl-alt-play-{}", game.id)]).await;
    let mut heard: HashMap<&str, usize> = HashMap::new();
    for line in log.lines() {
        if let Some(text) = line.trim_end().strip_prefix("You said: ") {
            *heard.entry(text).or_default() += 1;
        }
    }
    for (text, acknowledged) in &sent {
        let times = heard.get(text.as_str()).copied().unwrap_or_default();
        assert!(times <= 1, "SEED={seed}: {text} was done {times} times");
        assert!(!acknowledged || times == 1, "SEED={seed}: {text} was acknowledged and lost");
    }
    let done = sent.iter().filter(|(_, acknowledged)| *acknowledged).count();
    let breaks = proxy.connections() - 1;
    println!("{count} commands over {breaks} breaks: {done} acknowledged and done, the others refused");
    assert!(breaks >= 4, "SEED={seed}: the network was too good: {breaks} breaks");
    assert!(done * 10 >= sent.len() * 3, "SEED={seed}: only {done} of {count} got through");
    assert_eq!(game.started_at().await, begun);
}
