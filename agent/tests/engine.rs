//! The agent on a real engine, spoken to as the panel does: over a link, by messages. Needs Docker; every container
//! carries a name of its own and goes with its test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests are tests")]

#[path = "engine/adoption.rs"]
mod adoption;
#[path = "engine/away.rs"]
mod away;
#[path = "engine/by_hand.rs"]
mod by_hand;
#[path = "engine/console.rs"]
mod console;
#[path = "engine/container.rs"]
mod container;
#[path = "engine/crash.rs"]
mod crash;
#[path = "engine/files.rs"]
mod files;
#[path = "engine/harness.rs"]
mod harness;
#[path = "engine/install.rs"]
mod install;
#[path = "engine/life.rs"]
mod life;
#[path = "engine/own_engine.rs"]
mod own_engine;
#[path = "engine/proxy.rs"]
mod proxy;
#[path = "engine/stop.rs"]
mod stop;
#[path = "engine/templates.rs"]
mod templates;
#[path = "engine/terminal.rs"]
mod terminal;
#[path = "engine/unfinished.rs"]
mod unfinished;
#[path = "engine/watch.rs"]
mod watch;
