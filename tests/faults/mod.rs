//! No network fault, crash or restart may lose a command, a reply or the true state of a server: real panels, real
//! agents, real games, and a network that the test breaks. Tests that wait for the protocol's timeouts run both
//! programs ten times as fast; `--long` uses the real timeouts.

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
mod router;
mod stale;

use std::time::Duration;

use serde_json::json;

use crate::docker::game::Game;
use crate::harness::node::{Node, NodeBuilder};
use crate::harness::{Panel, docker, free_port, long};

/// By how much the protocol's timeouts are shortened.
fn pace() -> u32 {
    if long() { 1 } else { 10 }
}

/// A timeout of the protocol in this run, plus some time for a busy machine.
fn paced(seconds: u64) -> Duration {
    Duration::from_secs(seconds) / pace() + Duration::from_millis(2_500)
}

/// The environment variable that shortens a program's timeouts.
fn pace_variable() -> (&'static str, String) {
    let times =
        [("ping", 15), ("silence", 45), ("quiet", 60), ("blocked", 30), ("most_wait", 30), ("refused", 60)];
    let times: Vec<String> =
        times.iter().map(|(name, time)| format!("{name}={}", time * 1_000 / pace())).collect();
    ("LINK_TIMES", times.join(","))
}

/// A panel with a fixed port, so that agents find it again after a restart.
async fn panel() -> Panel {
    panel_at("127.0.0.1", free_port()).await
}

/// The same with this address and port for agents.
async fn panel_at(bind: &str, port: u16) -> Panel {
    let (name, value) = pace_variable();
    let panel = Panel::builder().env("BIND", bind).env("WEBSOCKET_PORT", port.to_string());
    panel.env("LOG_LEVEL", "info").env(name, value).start().await
}

/// An agent with the same timeouts, not started yet.
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

/// How often the game received this command, according to its container's log.
async fn heard(game: &Game, text: &str) -> usize {
    let log = docker::docker(&["logs", &format!("ctrl-alt-play-{}", game.id)]).await;
    let answer = format!("You said: {text}");
    log.lines().filter(|line| line.trim_end() == answer).count()
}
