//! The join command of a node, run as it is. The files it would change on this machine are in a separate mount
//! namespace without systemd, so the agent runs in the foreground.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::harness::{Panel, seconds, until};

/// The shell that runs the command, with all its child processes.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", "--", &format!("-{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn one_line_makes_a_machine_a_node() {
    let panel = Panel::start().await;
    let made = panel.admin().post("/api/nodes", json!({ "id": "attic-pi" })).await.expect(201).json;
    let line = made["joinCommand"].as_str().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let root = elsewhere.path().display();
    // The engine's socket has to stay reachable; everything else is covered.
    let cover = format!(
        "set -e; mkdir -p /var/lib/ctrl-alt-play-agent; for d in /usr/local/bin /etc/default /var/lib/ctrl-alt-play-agent; do \
         mkdir -p {root}$d; mount --bind {root}$d $d; done; \
         if [ -d /run/systemd/system ]; then mount -t tmpfs none /run/systemd; fi"
    );
    let log = elsewhere.path().join("log");
    let out = std::fs::File::create(&log).unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "sh", "-c", &format!("{cover}; {line}")])
        .env("HEALTH_PORT", crate::harness::free_port().to_string())
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .process_group(0);
    let mut shell = Shell(command.spawn().unwrap());
    until("the node is there", seconds(60), async || {
        if let Some(status) = shell.0.try_wait().unwrap() {
            panic!("{status}: {}", std::fs::read_to_string(&log).unwrap());
        }
        let node = panel.admin().get("/api/nodes/attic-pi").await.expect(200).json;
        (node["online"] == true && node["engine"]["available"] == true).then_some(())
    })
    .await;
    let settings = elsewhere.path().join("etc/default/ctrl-alt-play-agent");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&settings).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(std::fs::read_to_string(&settings).unwrap().contains("NODE_ID=attic-pi\n"));
    assert!(elsewhere.path().join("usr/local/bin/ctrl-alt-play").exists());
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("This will happen") && said.contains("a Docker engine answers"), "{said}");
}
