//! What a game can reach on this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::beside;
use super::game::Game;
use crate::harness::{Panel, as_root, docker, free_port, raw, seconds, until};

/// The firewall rules are those of the whole machine, so only one test runs at a time.
static RULES: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A game that connects to each of these (`HOST PORT`) repeatedly, and prints the answers.
fn asking(places: &[String]) -> String {
    let places: Vec<_> = places.iter().map(|place| format!("'{place}'")).collect();
    format!(
        "echo Ready; while true; do for to in {}; do set -- $to; \
         (printf 'GET /health HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n'; sleep 1) | timeout 3 nc $1 $2 >/tmp/said 2>/dev/null; \
         echo \"$1 $2 [$(head -c 8 /tmp/said | tr -d '\\r\\n')]\"; done; sleep 0.2; done",
        places.join(" ")
    )
}

/// Removes the rules, also those of another panel on this machine.
fn forget_rules() {
    let nft = as_root("sh", &["-c", "command -v nft >/dev/null"]);
    if nft {
        as_root("sh", &["-c", "nft delete table inet ctrl_alt_play 2>/dev/null || true"]);
    } else {
        let rule = "iptables -w 2 -D INPUT -i ctrl-alt-play0 -j CTRL-ALT-PLAY 2>/dev/null || true";
        as_root("sh", &["-c", rule]);
    }
}

async fn texts(game: &Game) -> Vec<String> {
    game.console(200).await.iter().filter_map(|line| line["text"].as_str().map(ToOwned::to_owned)).collect()
}

#[tokio::test]
async fn the_panels_ports_refuse_games() {
    let _alone = RULES.lock().await;
    let health = free_port();
    let panel = Panel::builder()
        .env("BIND", "0.0.0.0")
        .env("HEALTH_PORT", health.to_string())
        .env("GAMES_FIREWALL", "off")
        .start()
        .await;
    let host = docker::gateway();
    let port = |address: &str| address.rsplit_once(':').unwrap().1.to_owned();
    let ports = [port(&panel.address), port(&panel.agents_address()), health.to_string()];
    let game = Game::new(&panel, &asking(&ports.clone().map(|port| format!("{host} {port}")))).await;
    game.start().await;
    for port in &ports {
        let line = format!("port={port}");
        until(&format!("{port} refuses the game"), seconds(40), async || {
            forget_rules();
            let log = panel.log();
            log.lines()
                .any(|entry| entry.contains("from a network of games was refused") && entry.contains(&line))
                .then_some(())
        })
        .await;
    }
    until("the game has tried each", seconds(20), async || {
        let said = texts(&game).await;
        ports.iter().all(|port| said.iter().any(|line| line.ends_with(&format!(" {port} []")))).then_some(())
    })
    .await;
    assert!(!texts(&game).await.iter().any(|line| line.contains("[HTTP")), "{:?}", texts(&game).await);
    // The machine itself gets an answer at the same address.
    let address = format!("{host}:{}", ports[0]);
    let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let (answer, _) = raw::exchange(&address, request.as_bytes(), seconds(5)).await;
    assert_eq!(raw::status(&answer), 200, "{answer}");
}

#[tokio::test]
async fn games_reach_of_this_machine_what_is_published_and_no_more() {
    let _alone = RULES.lock().await;
    let panel = Panel::start().await;
    let host = docker::gateway();
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let private = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&came);
    beside(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            let _ = stream.write_all(b"HTTP/1.0 private").await;
        }
    });
    let published = free_port();
    let serving = "echo Ready; while true; do echo HTTP/1.0 public | nc -l -p 7777; done";
    let more = json!({ "ports": [{ "internal": 7777, "external": published, "protocol": "tcp" }] });
    let other = Game::with(&panel, serving, more).await;
    other.start().await;
    other.says("Ready", seconds(20)).await;
    let game =
        Game::new(&panel, &asking(&[format!("{host} {private}"), format!("{host} {published}")])).await;
    game.start().await;
    let says = async |line: String| {
        until(&line, seconds(40), async || texts(&game).await.contains(&line).then_some(())).await;
    };
    says(format!("{host} {published} [HTTP/1.0]")).await;
    says(format!("{host} {private} []")).await;
    assert_eq!(came.load(Ordering::Relaxed), 0, "the game reached a port of this machine");
    // Without the rules the game gets through. They are restored when ports change, and within a minute.
    until("the game comes through", seconds(30), async || {
        forget_rules();
        (came.load(Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    other.power("kill").await.expect(202);
    other.becomes("stopped", seconds(20)).await;
    other.start().await;
    let third = Game::with(
        &panel,
        serving,
        json!({ "ports": [{ "internal": 7777, "external": free_port(), "protocol": "tcp" }] }),
    )
    .await;
    third.start().await;
    until("the rules are back", seconds(30), async || {
        let before = came.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(6)).await;
        (came.load(Ordering::Relaxed) == before).then_some(())
    })
    .await;
}
