//! No network, crash or restart loses a command, an answer or the truth about a server: real panels, real agents, real
//! games, and a network that the test spoils. Where a test has to wait out the protocol's times it runs both programs ten
//! times as fast; `--long` takes the true ones.

mod agent_killed;
mod bad_network;
mod clocks;
mod commands;
mod doctor;
mod fleet;
mod flood;
mod half_open;
mod hostile_panel;
mod ids;
mod link_cut;
mod malicious_agent;
mod malicious_nodes;
mod mdns;
mod panel_killed;
mod stale;

use std::time::Duration;

use serde_json::json;

use crate::docker::game::Game;
use crate::harness::node::{Node, NodeBuilder};
use crate::harness::{Panel, docker, free_port, long};

/// How much faster than life the protocol's times run.
fn pace() -> u32 {
    if long() { 1 } else { 10 }
}

/// A time of the protocol, at the pace of this run, and what a busy machine adds to it.
fn paced(seconds: u64) -> Duration {
    Duration::from_secs(seconds) / pace() + Duration::from_millis(2_500)
}

/// The variable that sets the pace of a program.
fn pace_variable() -> (&'static str, String) {
    let times =
        [("ping", 15), ("silence", 45), ("quiet", 60), ("blocked", 30), ("most_wait", 30), ("refused", 60)];
    let times: Vec<String> =
        times.iter().map(|(name, time)| format!("{name}={}", time * 1_000 / pace())).collect();
    ("LINK_TIMES", times.join(","))
}

/// A panel whose agents find it again after it was restarted.
async fn panel() -> Panel {
    panel_at("127.0.0.1", free_port()).await
}

/// The same on an address and a port for agents.
async fn panel_at(bind: &str, port: u16) -> Panel {
    let (name, value) = pace_variable();
    let panel = Panel::builder().env("BIND", bind).env("WEBSOCKET_PORT", port.to_string());
    panel.env("LOG_LEVEL", "info").env(name, value).start().await
}

/// An agent at this pace, yet to be started.
fn node() -> NodeBuilder {
    let (name, value) = pace_variable();
    Node::builder().env(name, value)
}

/// A running game on a node.
async fn game_on(panel: &Panel, node: &str, startup: &str) -> Game {
    let game = Game::with(panel, startup, json!({ "nodeId": node })).await;
    game.start().await;
    game
}

/// How often the game itself says that it was told this, by its container's own log.
async fn heard(game: &Game, text: &str) -> usize {
    let log = docker::docker(&["logs", &format!("ctrl-alt-play-{}", game.id)]).await;
    let answer = format!("You said: {text}");
    log.lines().filter(|line| line.trim_end() == answer).count()
}
