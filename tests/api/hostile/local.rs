//! Other users of the same machine: the control socket for lost passwords, and what a kill leaves in the data folder.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;

use crate::harness::{PASSWORD, Panel, as_root, binary, seconds};

/// Runs `user password NAME` with the password on stdin. Returns whether it succeeded, and its output.
async fn set_password(before: &[&str], folder: &Path, name: &str, password: &str) -> (bool, String) {
    let words = [before, &[binary(), "user", "password", name]].concat();
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .env("DATA_DIR", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).await;
    let output = tokio::time::timeout(seconds(30), child.wait_with_output()).await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn a_password_that_cannot_be_set_is_said_and_changes_nothing() {
    let mut panel = Panel::start().await;
    for (name, password, word) in [
        ("nobody", "a whole new one", "no such user"),
        ("admin", "short", "10"),
        ("admin", &"x".repeat(1025), "1024"),
    ] {
        let (fine, said) = set_password(&[], panel.folder(), name, password).await;
        assert!(!fine, "{name}: {said}");
        assert!(said.replace(',', "").contains(word) && !said.contains("panicked"), "{name}: {said}");
        assert!(!said.contains("a whole new one"), "the password came back: {said}");
    }
    panel.admin().get("/api/me").await.expect(200);
    panel.sign_in("admin").await;
    panel.stop().await;
    let (fine, said) = set_password(&[], panel.folder(), "admin", "a whole new one").await;
    assert!(!fine && said.contains("admin.sock"), "{said}");
}

#[tokio::test]
async fn somebody_elses_process_is_not_heard() {
    let panel = Panel::start().await;
    // Refused even if the socket's permissions were opened by mistake.
    let socket = panel.folder().join("admin.sock");
    std::fs::set_permissions(panel.folder(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(as_root("true", &[]), "this test changes the user: run it as root, or with sudo");
    let sudo: &[&str] = if is_root() { &[] } else { &["sudo", "-n", "--preserve-env=DATA_DIR"] };
    let other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let (fine, said) =
        set_password(&[sudo, &other].concat(), panel.folder(), "admin", "a whole new one").await;
    assert!(!fine && said.contains("Only root"), "{said}");
    panel.admin().get("/api/me").await.expect(200);
    panel.sign_in("admin").await;
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0)
}

#[tokio::test]
async fn garbage_on_the_local_socket_is_answered_or_dropped() {
    let panel = Panel::start().await;
    let path = panel.folder().join("admin.sock");
    let long = format!("{}\n", "x".repeat(100_000));
    for line in [
        "\n",
        "{}\n",
        "nonsense\n",
        "{\"ask\":\"drop_everything\"}\n",
        "{\"ask\":\"set_password\",\"username\":\"admin\"}\n",
        "{\"ask\":\"set_password\",\"username\":\"admin\",\"password\":\"a whole new one\",\"role\":\"admin\"}\n",
        "{\"ask\":\"set_password\",\"username\":5,\"password\":[\"a whole new one\"]}\n",
        &long,
    ] {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let _ = stream.write_all(line.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(seconds(10), stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let short = &line[..line.len().min(80)];
        assert!(read.is_ok(), "{short:?} holds the socket");
        assert!(answer.is_empty() || answer.contains("error"), "{short:?}: {answer}");
        assert!(!answer.contains("\"error\":null"), "{short:?}: {answer}");
        assert!(!answer.contains("a whole new one"), "{short:?}: {answer}");
    }
    panel.sign_in("admin").await;
    let (fine, said) = set_password(&[], panel.folder(), "ADMIN", "found again at last").await;
    assert!(fine, "{said}");
}

#[tokio::test]
async fn whatever_a_kill_left_of_the_first_account_heals() {
    let mut panel = Panel::builder().fresh().await;
    let token = panel.setup_token();
    let marker = panel.folder().join("instance.json");
    let body = json!({ "setupToken": token, "username": "admin", "password": PASSWORD });
    panel.anonymous().post("/api/setup", body.clone()).await.expect(201);
    assert!(marker.exists(), "the marker of a claimed folder");
    // The account exists, but the token file has not been removed.
    panel.kill().await;
    let file = panel.folder().join("setup-token");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    panel.again().await;
    assert!(!file.exists());
    panel.anonymous().post("/api/setup", body.clone()).await.refused(409, "already_set_up");
    // The account exists, but the marker has not been set.
    panel.kill().await;
    std::fs::remove_file(&marker).unwrap();
    panel.again().await;
    assert!(marker.exists(), "the next start writes it");
    assert!(!file.exists(), "no new token for a panel that has its account");
    panel.anonymous().post("/api/setup", body).await.refused(409, "already_set_up");
    panel.sign_in("admin").await;
}
