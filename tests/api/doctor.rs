//! The doctor: in the page, and on the command line with a panel that runs, has stopped, or never ran.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::{Panel, binary};

fn doctor(folder: &Path, more: &[&str]) -> Output {
    Command::new(binary())
        .arg("doctor")
        .args(more)
        .env("DATA_DIR", folder)
        .env("PORT", "0")
        .env("WEBSOCKET_PORT", "0")
        .env("HEALTH_PORT", "off")
        .output()
        .unwrap()
}

fn report(output: &Output) -> Value {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(report["version"], 1);
    let problems = report["summary"]["problem"].as_u64().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(problems > 0)), "{report:#}");
    report
}

fn finding<'r>(report: &'r Value, code: &str) -> Option<&'r Value> {
    report["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == code)
}

fn found<'r>(report: &'r Value, code: &str) -> &'r Value {
    finding(report, code).unwrap_or_else(|| panic!("no {code}: {report:#}"))
}

#[tokio::test]
async fn in_the_page() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    assert_eq!(admin.get("/api/doctor").await.expect(200).json, json!({}), "nobody has looked yet");
    let first = admin.post("/api/doctor", json!({})).await.expect(200);
    assert_eq!(found(&first.json, "database")["level"], "ok", "{first:#?}");
    assert!(found(&first.json, "ports")["detail"].as_str().unwrap().contains("listens on"));
    assert_eq!(found(&first.json, "nodes")["level"], "ok");
    for finding in first.json["findings"].as_array().unwrap() {
        assert_eq!(finding["level"] == "ok", finding["advice"].is_null(), "what to do: {finding}");
    }
    for secret in ["secrets/jwt", "instance.json"] {
        let secret = std::fs::read_to_string(panel.folder().join(secret)).unwrap();
        assert!(!first.text.contains(secret.trim()));
    }
    assert_eq!(admin.get("/api/doctor").await.expect(200).json["report"], first.json);
    let kept = panel.folder().join("doctor.json");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);

    // An offline node is reported as new.
    admin.post("/api/nodes", json!({ "id": "shed" })).await.expect(201);
    let second = admin.post("/api/doctor", json!({})).await.expect(200).json;
    assert_eq!(second["since"], first.json["at"]);
    let offline = found(&second, "node_offline");
    assert_eq!((&offline["about"], &offline["new"]), (&json!("shed"), &json!(true)));
    let third = admin.post("/api/doctor", json!({})).await.expect(200).json;
    assert_eq!(found(&third, "node_offline")["new"], Value::Null, "known by now");
    admin.delete("/api/nodes/shed").await.expect(204);
    let fourth = admin.post("/api/doctor", json!({})).await.expect(200).json;
    assert_eq!(fourth["gone"][0]["about"], "shed");
    let left = std::fs::read_dir(panel.folder()).unwrap().flatten();
    let left: Vec<_> = left
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().starts_with(".doctor"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn one_at_a_time() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let (a, b, c) = tokio::join!(
        admin.post("/api/doctor", json!({})),
        admin.post("/api/doctor", json!({})),
        admin.post("/api/doctor", json!({}))
    );
    let mut statuses = [a.status, b.status, c.status];
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[2]), (200, 409), "{statuses:?}");
    admin.post("/api/doctor", json!({})).await.expect(200);
}

#[tokio::test]
async fn by_command_line_while_it_runs_and_when_it_has_stopped() {
    let mut panel = Panel::start().await;
    let running = report(&doctor(panel.folder(), &["--json"]));
    assert_eq!(found(&running, "database")["level"], "ok");
    assert!(found(&running, "bind_loopback")["advice"].as_str().unwrap().contains("BIND"));
    assert!(finding(&running, "panel_stopped").is_none());

    panel.stop().await;
    let stopped = report(&doctor(panel.folder(), &["--json"]));
    assert_eq!(found(&stopped, "panel_stopped")["level"], "warning");
    assert_eq!(found(&stopped, "database")["level"], "ok");
    assert_eq!(stopped["since"], running["at"]);

    let text = doctor(panel.folder(), &[]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("WARNING   The panel does not run") && !text.contains('\u{1b}'), "{text}");

    let database = panel.folder().join("panel.redb");
    std::fs::write(&database, "no database at all").unwrap();
    let broken = report(&doctor(panel.folder(), &["--json"]));
    assert_eq!(found(&broken, "database_broken")["level"], "problem");
    assert_eq!(std::fs::read(&database).unwrap(), b"no database at all");
}

#[test]
fn of_a_folder_that_is_not_there_or_closed() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("none");
    let none = report(&doctor(&nowhere, &["--json"]));
    assert_eq!(found(&none, "folder_missing")["level"], "note");
    assert!(!nowhere.exists());

    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::write(closed.join("panel.redb"), "x").unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // A copy that every user can execute, since the checkout may be in a private folder.
    let program = folder.path().join("program");
    std::fs::copy(binary(), &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut nobody = Command::new(if is_root() { "setpriv" } else { "sudo" });
    if !is_root() {
        nobody.args(["-n", "setpriv"]);
    }
    let output = nobody
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "env"])
        .arg(format!("DATA_DIR={}", closed.display()))
        .args(["PORT=0", "WEBSOCKET_PORT=0", "HEALTH_PORT=off"])
        .arg(&program)
        .args(["doctor", "--json"])
        .output()
        .unwrap();
    let unseen = report(&output);
    for code in ["folder_unseen", "database_unseen", "firewall_unseen"] {
        assert_eq!(found(&unseen, code)["level"], "note");
        assert!(found(&unseen, code)["advice"].as_str().unwrap().contains("sudo ctrl-alt-play doctor"));
    }
    assert!(found(&unseen, "engine_forbidden")["advice"].as_str().unwrap().contains("usermod -aG docker"));
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn settings_that_can_not_be_used_are_no_check_up() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor(folder.path(), &["--bind", "nonsense"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--bind"));
}

#[test]
fn a_taken_port_is_a_problem_that_names_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let taken = report(&doctor(folder.path(), &["--json", "--port", &port]));
    let finding = found(&taken, "port_taken");
    assert_eq!((&finding["level"], &finding["about"]), (&json!("problem"), &json!(port)));
    let own = format!("process {}", std::process::id());
    assert!(finding["detail"].as_str().unwrap().contains(&own), "{finding}");
}
