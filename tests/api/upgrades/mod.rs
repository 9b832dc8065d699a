//! Upgrades: only signed versions are offered, downloaded, verified and staged; the way through the guard and back;
//! remote nodes, one after another; and the same on the command line.

mod command;
mod here;
mod https;
pub(crate) mod nodes;
mod seen;
mod taken_over;

use serde_json::Value;

use crate::harness::download::{Downloads, Signer};
use crate::harness::guarded::Guarded;
use crate::harness::{Client, Panel, seconds, until};

/// A version above the tested one, of the same length.
pub(crate) const NEXT: &str = "0.1.9";
/// Shorter intervals for tests.
pub(crate) const TIMES: &str = "stall=700,ask=0,settle=500,back=15000,idle=15000";

/// A panel with this release host.
fn knowing(downloads: &Downloads, signer: &Signer) -> crate::harness::Builder {
    Panel::builder()
        .env("CTRL_ALT_PLAY_DOWNLOAD", &downloads.base)
        .env("CTRL_ALT_PLAY_KEY", signer.key())
        .env("UPGRADE_TIMES", TIMES)
}

/// Runs a panel under a guard, on ports that stay the same over a restart.
fn guarded(mut builder: crate::harness::Builder, guarded: &Guarded) -> crate::harness::Builder {
    for (name, value) in Guarded::env() {
        builder = builder.env(name, value);
    }
    let wrapper = guarded.wrapper();
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let port = || crate::harness::free_port().to_string();
    builder.under(&wrapper).env("PORT", port()).env("WEBSOCKET_PORT", port())
}

/// Upgrades as the administrator sees them.
pub(crate) async fn view(admin: &Client) -> Value {
    admin.get("/api/upgrade").await.expect(200).json
}

/// Waits until the panel shows it, also over restarts.
pub(crate) async fn shown(admin: &Client, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    until(what, seconds(60), async || {
        let answer = admin.try_get("/api/upgrade").await.filter(|answer| answer.status == 200)?;
        is(&answer.json).then_some(answer.json)
    })
    .await
}
