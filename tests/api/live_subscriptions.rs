//! Subscribing and unsubscribing on `/api/live` as fast as possible: agents receive at most one update per second, and
//! none about refused topics.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::fake::FakeAgent;
use crate::harness::{Client, Live, Panel, long, seconds};

/// All messages that the agent receives until `until`.
async fn heard(agent: &mut FakeAgent, until: Instant) -> Vec<Value> {
    let mut all = Vec::new();
    while let Ok(message) = tokio::time::timeout_at(until, agent.peer.next(seconds(600))).await {
        let message = message.expect("open");
        agent.oblige(&message).await;
        all.push(message);
    }
    all
}

/// Subscribes to and unsubscribes from these topics as fast as possible, many times per message, and reconnects when
/// closed. Returns the number of sockets used.
async fn flicker(client: &Client, topics: &[String], until: Instant) -> usize {
    let names: Vec<&String> = topics.iter().cycle().take(200).collect();
    let both = json!({ "subscribe": names, "unsubscribe": names }).to_string();
    let one = json!({ "subscribe": topics, "unsubscribe": topics }).to_string();
    let mut sockets = 0;
    while Instant::now() < until {
        sockets += 1;
        let mut live = Live::open(client).await;
        let mut said = 0;
        while Instant::now() < until && said < 1_000 {
            let text = if said % 3 == 0 { both.clone() } else { one.clone() };
            if live.stream().feed(Message::text(text)).await.is_err() {
                said = 1_000;
            }
            said += 1;
        }
        let _ = live.stream().flush().await;
        if said >= 1_000 {
            let code = live.closed(seconds(10)).await;
            // If the socket is closed with unread data, the last message may be lost.
            assert!(matches!(code, 1008 | 1006), "{code}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    sockets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_away_and_back_is_gathered_over_a_second() {
    let took = if long() { 8 } else { 3 };
    let panel = Panel::start().await;
    let mut agent = FakeAgent::join(&panel, "far").await;
    agent.introduce(&[]).await;
    let server = agent.server(&panel, "World").await;
    let admin = panel.admin();
    let jo = panel.user("jo").await;
    let console = format!("console:{server}");
    let stats = format!("stats:{server}");
    heard(&mut agent, Instant::now() + seconds(2)).await;

    // A user without permissions: refused topics, and empty lists.
    let topics = [console.clone(), stats.clone(), "servers".to_owned(), "console:other".to_owned()];
    let until = Instant::now() + seconds(took);
    let (words, sockets) = tokio::join!(heard(&mut agent, until), flicker(&jo, &topics, until));
    println!("without rights: {sockets} sockets, the agent heard {} messages", words.len());
    assert!(words.is_empty(), "{words:?}");
    for _ in 0..5 {
        jo.get("/api/servers").await.expect(200);
    }
    assert!(heard(&mut agent, Instant::now() + seconds(1)).await.is_empty());

    // A user who may see everything.
    let topics = [console, stats, "servers".to_owned(), "nodes".to_owned()];
    let until = Instant::now() + seconds(took);
    let (words, sockets) = tokio::join!(heard(&mut agent, until), flicker(&admin, &topics, until));
    println!("with rights: {sockets} sockets, the agent heard {} messages", words.len());
    let of = |kind: &str| words.iter().filter(|word| word["type"] == kind).count() as u64;
    assert!(of("stats_subscribe") <= took + 2, "{words:?}");
    // Sent again only after a second without a subscriber.
    assert!(of("console_subscribe") <= took + 1 && of("console_tail") <= took + 1, "{words:?}");
    assert!(words.len() as u64 <= 4 * took + 8, "{} messages", words.len());

    // A new subscriber gets data at once.
    heard(&mut agent, Instant::now() + seconds(3)).await;
    let mut live = Live::open(&admin).await;
    live.subscribe(&["servers"]).await;
    agent.peer.expect("stats_subscribe", seconds(1)).await;
}
