//! What brings the program to a machine and keeps it there.
//!
//! `install.sh` runs for real in throw-away roots made of Debian's packages: containers without systemd, some with a stand-in
//! for OpenRC. `tests/images/roots` makes the roots, `stubs/` has what stands in. The same under a booted systemd
//! is in `tests/service`.

mod broken;
mod engine;
mod https;
mod killed;
mod others;
mod place;
mod real;
mod refused;
pub(crate) mod release;
mod remove;
mod service;
mod simple;

pub(crate) use place::Place;
pub(crate) use release::Release;

/// A port that is free at this moment, on all addresses.
fn free_port() -> u16 {
    std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

/// Waits until a panel answers there.
async fn answers(port: u16) {
    crate::harness::until("the panel answers", crate::harness::seconds(20), async || {
        let answer = reqwest::get(format!("http://127.0.0.1:{port}/health")).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
}
