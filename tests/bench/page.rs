//! The page in a real browser: a panel with 60 servers, on a slow line with a slow processor, and on a LAN.

use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::Result;
use crate::panel::{self, Panel};
use crate::report::Report;

const SERVERS: usize = 60;

/// Medians of the values from `tests/e2e/speed.mjs`. Requires Chromium and its driver.
pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e");
    if !folder.join("node_modules/@playwright/test").exists() {
        println!("no figures of the page: `npm --prefix tests/e2e ci` brings the browser's driver");
        return Ok(());
    }
    panel::make_image()?;
    let panel = Panel::start().await?;
    for number in 0..SERVERS {
        let body = json!({
            "name": format!("Server {number}"),
            "image": panel::IMAGE,
            "startup": "while read word; do :; done",
            "limits": { "memory": 64 << 20 },
            "ports": [{ "internal": 25565, "external": 31_000 + number, "protocol": "tcp" }],
        });
        panel.call(reqwest::Method::POST, "/api/servers", Some(body)).await?;
    }
    let mut script = Command::new("node");
    script.arg("speed.mjs").current_dir(folder).kill_on_drop(true);
    script.env("PANEL", format!("http://{}", panel.address)).env("SERVERS", SERVERS.to_string());
    script.env("USERNAME", panel::USERNAME).env("PASSWORD", panel::PASSWORD);
    let output = script.output().await?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let seen: Value = serde_json::from_slice(&output.stdout)?;
    let figure = |name: &str| seen[name].as_f64().ok_or_else(|| format!("no {name} in {seen}"));
    let requests = Some((figure("slow.requests")?, "requests"));
    report.row("page, 60 servers: all that is loaded", "kB", figure("slow.bytes")? / 1e3, 150.0, requests);
    let paint = Some((figure("slow.paint")?, "ms to the frame"));
    report.row("page, slow 3G, processor / 4: usable", "ms", figure("slow.usable")?, 2500.0, paint);
    let paint = Some((figure("lan.paint")?, "ms to the frame"));
    report.row("page, LAN: usable", "ms", figure("lan.usable")?, 300.0, paint);
    let shift = figure("slow.shift")?.max(figure("lan.shift")?);
    report.row("page: layout shift", "", shift, 0.01, None);
    report.row("page, slow: click on start to its effect", "ms", figure("click.button")?, 100.0, None);
    report.row("page, slow: click on a link to its effect", "ms", figure("click.link")?, 100.0, None);
    panel.remove_servers().await?;
    panel.stop().await
}
