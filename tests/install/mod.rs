//! install.sh, run for real in throw-away roots made of Debian's packages: containers without systemd, some with a
//! stand-in for OpenRC. `tests/images/roots` makes the roots, `stubs/` has what stands in.

mod broken;
mod killed;
mod others;
mod place;
mod refused;
mod release;
mod remove;
mod server;
mod service;
mod simple;

use place::Place;
use release::Release;
use server::{Fault, Server};

/// A port that is free at this moment, on all addresses.
fn free_port() -> u16 {
    std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}
