//! The agent on a real engine, spoken to as the panel does: over a link, by messages. Needs Docker; every container
//! carries a name of its own and goes with its test.

#[path = "engine/harness.rs"]
mod harness;
#[path = "engine/life.rs"]
mod life;
