//! The disk of the data folder becomes full, and is freed again.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use super::game::Game;
use crate::harness::{PASSWORD, Panel, as_root, seconds, until};

/// A small file system. Unmounted when dropped.
pub(crate) struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    pub(crate) fn new(megabytes: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("cap-disk-").tempdir().unwrap();
        let options = format!("size={megabytes}m,mode=0777");
        let path = folder.path().to_str().unwrap();
        assert!(
            as_root("mount", &["-t", "tmpfs", "-o", &options, "cap-test", path]),
            "mounting needs root or sudo"
        );
        Self { folder }
    }

    /// The panel's data folder on it.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }

    /// Fills the remaining space.
    pub(crate) fn fill(&self) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(self.ballast()).unwrap();
        for size in [1 << 16, 1 << 12, 1 << 8, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    /// Frees it again.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let path = self.folder.path().to_str().unwrap();
        if !as_root("umount", &[path]) {
            as_root("umount", &["-l", path]);
        }
    }
}

fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(leftovers(&path));
        } else if matches!(path.extension().and_then(|name| name.to_str()), Some("part" | "tmp" | "new")) {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn writes_are_refused_reads_go_on_and_it_heals() {
    let disk = SmallDisk::new(16);
    std::fs::create_dir(disk.data()).unwrap();
    let mut panel = Panel::builder().folder(disk.data()).start().await;
    let game = Game::running(&panel, "game").await;
    let admin = panel.admin();
    let user = |name: &str| json!({ "username": name, "password": PASSWORD, "role": "user" });
    admin.post("/api/users", user("before")).await.expect(201);

    disk.fill();
    let mut names = 0..;
    // The database file may have free space inside at first.
    until("a write is refused", seconds(30), async || {
        disk.fill();
        let answer = admin.post("/api/users", user(&format!("user{}", names.next().unwrap()))).await;
        match answer.status {
            201 => None,
            _ => Some(answer.refused(507, "disk_full")),
        }
    })
    .await;
    admin.patch(&game.path(""), json!({ "name": "Another" })).await.refused(507, "disk_full");
    let status = admin.get("/api/status").await.expect(200).json;
    assert_eq!(status["readOnly"], true, "{status}");
    for path in ["/health", "/api/me", "/api/servers", "/api/users", "/api/nodes", &game.path("/console")] {
        admin.get(path).await.expect(200);
    }
    panel.sign_in("admin").await;
    panel.sign_in("before").await;
    // A running game can still be used and stopped.
    game.command("hello").await;
    game.says("You said: hello", seconds(5)).await;
    game.power("kill").await.expect(202);
    game.shows("it ended", seconds(15), |view| view["status"] == "stopped").await;
    assert!(!panel.log().contains("panicked"), "{}", panel.log());

    disk.free();
    let began = Instant::now();
    until("writes work again", seconds(10), async || {
        let answer = admin.post("/api/users", user("after")).await;
        (answer.status == 201).then_some(())
    })
    .await;
    println!("healed after {:?}", began.elapsed());
    until("the banner goes", seconds(5), async || {
        (admin.get("/api/status").await.expect(200).json["readOnly"] == false).then_some(())
    })
    .await;
    admin.patch(&game.path(""), json!({ "name": "Another" })).await.expect(200);
    game.start().await;
    game.says("Ready", seconds(10)).await;
    assert_eq!(leftovers(&disk.data()), Vec::<PathBuf>::new());

    // Everything that was answered is there after a restart.
    let users = admin.get("/api/users").await.expect(200).json;
    assert!(panel.stop().await.success());
    panel.again().await;
    let again = panel.admin().get("/api/users").await.expect(200).json;
    let names = |list: &serde_json::Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&again), names(&users));
    assert!(names(&again).contains(&"after".to_owned()));
}

#[tokio::test]
async fn a_full_disk_at_the_start_is_said() {
    let disk = SmallDisk::new(4);
    std::fs::create_dir(disk.data()).unwrap();
    disk.fill();
    let output = tokio::time::timeout(
        seconds(20),
        tokio::process::Command::new(crate::harness::binary())
            .arg("serve")
            .env("DATA_DIR", disk.data())
            .envs([
                ("BIND", "127.0.0.1"),
                ("PORT", "0"),
                ("WEBSOCKET_PORT", "0"),
                ("HEALTH_PORT", "off"),
                ("MDNS", "off"),
            ])
            .kill_on_drop(true)
            .output(),
    )
    .await
    .expect("it ends")
    .unwrap();
    assert_eq!(output.status.code(), Some(74));
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("full") && said.contains(disk.data().to_str().unwrap()), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
