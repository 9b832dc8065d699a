//! `ctrl-alt-play agent`: settings by flag, environment and file, and its health check.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::node_where;
use super::process::AgentProcess;
use super::raw_agent;
use crate::harness::{Panel, binary, free_port, raw, seconds, until};

async fn health(address: &str, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let (answer, _) = raw::exchange(address, request.as_bytes(), seconds(5)).await;
    (raw::status(&answer), answer)
}

#[tokio::test]
async fn health_tells_whether_the_panel_is_there() {
    let agents_port = free_port();
    let panel = Panel::builder().env("WEBSOCKET_PORT", agents_port.to_string());
    let health_port = free_port();
    let address = format!("127.0.0.1:{health_port}");
    let (url, port) = (format!("ws://127.0.0.1:{agents_port}"), health_port.to_string());
    let secret = "a shared secret of ours";
    let _agent = AgentProcess::start(&[
        ("PANEL_URL", &url),
        ("AGENT_SECRET", secret),
        ("HEALTH_PORT", &port),
        ("LINK_TIMES", "first_wait=50,most_wait=100"),
    ]);
    let report =
        |answer: &str| serde_json::from_str::<Value>(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let listens = async || tokio::net::TcpStream::connect(&address).await.ok().map(drop);
    until("it listens", seconds(20), listens).await;
    let (status, answer) = health(&address, "/health").await;
    assert_eq!(status, 503);
    let told = report(&answer);
    assert_eq!((&told["status"], &told["connected"]), (&Value::from("degraded"), &Value::from(false)));
    for key in ["timestamp", "version", "nodeId", "uptime"] {
        assert!(!told[key].is_null(), "{key}: {told}");
    }
    let (status, answer) = health(&address, "/").await;
    assert!(
        (300..400).contains(&status) && answer.to_ascii_lowercase().contains("location: /health"),
        "{answer}"
    );
    assert_eq!(health(&address, "/api/command").await.0, 404);
    let _panel = panel.env("AGENT_SECRET", secret).start().await;
    let told = until("it is healthy", seconds(20), async || {
        let (status, answer) = health(&address, "/health").await;
        (status == 200).then(|| report(&answer))
    })
    .await;
    assert_eq!((&told["status"], &told["connected"]), (&Value::from("healthy"), &Value::from(true)));
    assert_eq!(told["nodeId"], "node-1");
}

#[tokio::test]
async fn settings_stand_in_a_file_too() {
    let panel = Panel::start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let kept = folder.path().join("secret");
    std::fs::write(&kept, format!("{secret}\n")).unwrap();
    let file = folder.path().join("config.toml");
    let text = format!(
        "panel_url = \"ws://{}\"\nnode_id = \"attic\"\nagent_secret_file = \"{}\"\nhealth_port = \"off\"\n",
        panel.agents_address(),
        kept.display()
    );
    std::fs::write(&file, text).unwrap();
    let mut agent = tokio::process::Command::new(binary())
        .args(["agent", "--data-dir"])
        .arg(folder.path())
        .env_remove("AGENT_SECRET")
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    node_where(&panel, "attic", "it is online", |node| node["online"] == true).await;
    agent.kill().await.unwrap();
    // A file with a secret has to be readable by its owner only.
    std::fs::write(&file, "agent_secret = \"a shared secret of ours\"\n").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(refused(folder.path(), &[]), (77, true));
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(
        refused(folder.path(), &["--panel-url", "http://x"]),
        (78, true),
        "a flag goes before the file"
    );
    std::fs::remove_file(&file).unwrap();
    assert_eq!(refused(folder.path(), &["--agent-secret-file", "/nowhere"]), (78, true));
    assert_eq!(refused(folder.path(), &[]), (78, true), "no secret at all");
}

/// Exit code of the agent, and whether it printed an error.
fn refused(folder: &Path, flags: &[&str]) -> (i32, bool) {
    let output = Command::new(binary())
        .args(["agent", "--data-dir"])
        .arg(folder)
        .args(flags)
        .env_remove("AGENT_SECRET")
        .output()
        .unwrap();
    (output.status.code().unwrap_or(-1), output.stderr.len() > 20)
}
