//! Published ports.

use std::net::TcpListener;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::game::{Game, body};
use crate::harness::{Panel, docker, seconds, until};

fn port(internal: u16, external: u16) -> Value {
    json!({ "internal": internal, "external": external, "protocol": "tcp" })
}

async fn greeting(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let mut text = String::new();
    tokio::time::timeout(seconds(2), stream.read_to_string(&mut text)).await.ok()?.ok()?;
    (!text.is_empty()).then_some(text)
}

#[tokio::test]
async fn a_published_port_answers() {
    let panel = Panel::start().await;
    let (same, other) = (crate::harness::free_port(), crate::harness::free_port());
    for (internal, external) in [(same, same), (7777, other)] {
        let game = Game::with(&panel, "greet", json!({ "ports": [port(internal, external)] })).await;
        assert!(greeting(external).await.is_none(), "nobody is there before the start");
        game.start().await;
        let hello = until("somebody answers", seconds(10), async || greeting(external).await).await;
        assert_eq!(hello.trim(), "Hello from a test game");
        game.power("kill").await.expect(202);
        game.becomes("stopped", seconds(10)).await;
        until("the port is free again", seconds(5), async || TcpListener::bind(("0.0.0.0", external)).ok())
            .await;
    }
}

#[tokio::test]
async fn a_port_that_another_program_has_is_refused_at_the_start() {
    let panel = Panel::start().await;
    let number = crate::harness::free_port();
    let game = Game::with(&panel, "greet", json!({ "ports": [port(7777, number)] })).await;
    let other = TcpListener::bind(("0.0.0.0", number)).unwrap();
    let answer = game.power("start").await.refused(409, "port_in_use");
    assert!(answer.text.contains(&number.to_string()), "{answer:?}");
    game.shows("still stopped", seconds(5), |view| view["status"] == "stopped").await;
    drop(other);
    game.start().await;
    until("it answers", seconds(10), async || greeting(number).await).await;
}

#[tokio::test]
async fn of_fifty_creations_with_one_port_one_is_taken() {
    docker::image().await;
    let panel = Panel::start().await;
    let number = crate::harness::free_port();
    let mut all = Vec::new();
    for n in 0..50 {
        let admin = panel.admin();
        let body = body("game", &json!({ "name": format!("World {n}"), "ports": [port(7777, number)] }));
        all.push(super::beside(async move { admin.post("/api/servers", body).await }));
    }
    let mut made = Vec::new();
    for one in all {
        let answer = one.await.unwrap();
        if answer.status == 201 {
            made.push(answer.id());
        } else {
            answer.refused(409, "port_in_use");
        }
    }
    assert_eq!(made.len(), 1);
    let list = panel.admin().get("/api/servers").await.expect(200).json;
    assert_eq!(list.as_array().map(Vec::len), Some(1), "the refused ones left nothing: {list}");
}

#[tokio::test]
async fn a_port_of_the_panel_is_not_given_away() {
    let panel = Panel::start().await;
    let own: u16 = panel.address.rsplit(':').next().unwrap().parse().unwrap();
    let answer =
        panel.admin().post("/api/servers", body("game", &json!({ "ports": [port(7777, own)] }))).await;
    answer.refused(409, "port_in_use");
}

#[tokio::test]
async fn a_game_does_not_reach_another_ones_ports() {
    let panel = Panel::start().await;
    let external = crate::harness::free_port();
    let greeter = Game::with(&panel, "greet", json!({ "ports": [port(7777, external)] })).await;
    greeter.start().await;
    until("it answers the world", seconds(10), async || greeting(external).await).await;
    let inside = docker::inspect(&greeter.id).await.unwrap();
    let address =
        inside["NetworkSettings"]["Networks"]["ctrl-alt-play"]["IPAddress"].as_str().unwrap().to_owned();
    let neighbour = Game::running(&panel, "game").await;
    let name = format!("ctrl-alt-play-{}", neighbour.id);
    let knock = format!("nc -w 2 {address} 7777 </dev/null; true");
    let heard = docker::docker(&["exec", &name, "sh", "-c", &knock]).await;
    assert!(!heard.contains("Hello"), "{address} answered a neighbour: {heard}");
    // The connection attempt itself works: the game answers from within its own container.
    let own = format!("ctrl-alt-play-{}", greeter.id);
    let knock = "nc -w 2 127.0.0.1 7777 </dev/null; true";
    let heard = docker::docker(&["exec", &own, "sh", "-c", knock]).await;
    assert!(heard.contains("Hello"), "{heard}");
}
