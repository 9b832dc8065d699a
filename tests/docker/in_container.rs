//! The panel in a container with the engine's socket mounted. The games it starts beside itself get the right folders.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::game::{Game, body};
use crate::harness::{Panel, binary, docker, seconds, until};

/// A panel's container and volume, by name. Both are removed when this is dropped.
struct PanelBox {
    name: String,
}

impl PanelBox {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("cap-test-panel-{}-{number}", std::process::id()) }
    }

    /// The `docker run …` arguments before the program. The libraries of a program that is not static come from this
    /// machine.
    fn run(&self, mounts: &[&str], data_dir: &str) -> Vec<String> {
        let program = format!("{0}:{0}:ro", binary());
        let mut words: Vec<String> = ["docker", "run", "--rm", "--network", "host", "--name", &self.name]
            .iter()
            .map(ToString::to_string)
            .collect();
        let mut also = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
        also("-v", "/var/run/docker.sock:/var/run/docker.sock");
        also("-v", &program);
        for library in ["/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64"] {
            if std::path::Path::new(library).exists() {
                also("-v", &format!("{library}:{library}:ro"));
            }
        }
        for variable in ["BIND", "PORT", "WEBSOCKET_PORT", "HEALTH_PORT", "MDNS", "LOG_LEVEL"] {
            also("-e", variable);
        }
        for mount in mounts {
            also("-v", mount);
        }
        also("-e", &format!("DATA_DIR={data_dir}"));
        words.push(docker::BUSYBOX.to_owned());
        words
    }

    async fn panel(&self, folder: PathBuf, mounts: &[&str], data_dir: &str) -> Panel {
        docker::image().await;
        let words = self.run(mounts, data_dir);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Panel::builder().under(&words).folder(folder).fresh().await
    }
}

impl Drop for PanelBox {
    fn drop(&mut self) {
        for words in [["rm", "-f", "-v"].as_slice(), &["volume", "rm", "-f"]] {
            let _ = std::process::Command::new("docker").args(words).arg(&self.name).output();
        }
    }
}

/// Host path that the engine mounts as the game's folder.
fn source(container: &Value) -> &str {
    let mounts = container["Mounts"].as_array().unwrap();
    // The time zone file may be mounted too.
    let data = mounts.iter().find(|mount| mount["RW"] == true);
    data.and_then(|mount| mount["Source"].as_str()).expect("a mount")
}

#[tokio::test]
async fn a_folder_of_the_host_is_where_games_keep_their_files() {
    let host = tempfile::tempdir().unwrap();
    let own = PanelBox::new();
    // A folder within the mount: the rest of the path has to be appended.
    let folder = host.path().join("deep/panel");
    std::fs::create_dir_all(&folder).unwrap();
    let mount = format!("{}:/srv/all", host.path().display());
    let mut panel = own.panel(folder, &[&mount], "/srv/all/deep/panel").await;
    panel.set_up().await;
    let mut game = Game::running(&panel, "game").await;
    let files = game.file(&panel, "");
    let container = game.container().await;
    assert_eq!(source(&container), files.to_str().unwrap().trim_end_matches('/'));
    let labels = &container["Config"]["Labels"];
    assert_eq!(
        labels["ctrl-alt-play.data-dir"],
        panel.folder().to_str().unwrap(),
        "told apart by the host's path"
    );
    assert_eq!(game.view().await["dataDir"], files.to_str().unwrap().trim_end_matches('/'), "shown so too");
    let node = panel.admin().get("/api/nodes/local").await.expect(200).json;
    let servers = panel.folder().join("servers");
    assert_eq!(node["system"]["dataDir"], servers.to_str().unwrap(), "{node}");
    game.command("save").await;
    until("the world is on the host", seconds(10), async || files.join("world.txt").exists().then_some(()))
        .await;

    // The panel's container is replaced. The game keeps running and is still recognized.
    let started = game.started_at().await;
    panel.stop().await;
    until("the panel's container is gone", seconds(20), async || {
        docker::docker(&["ps", "-aq", "--filter", &format!("name={}", own.name)])
            .await
            .is_empty()
            .then_some(())
    })
    .await;
    panel.again().await;
    game.again(&panel);
    game.becomes("running", seconds(20)).await;
    assert_eq!(game.started_at().await, started);
    game.command("still here").await;
    game.says("You said: still here", seconds(10)).await;
    assert_eq!(game.power("stop").await.expect(202).json["status"], "stopping");
    game.becomes("stopped", seconds(20)).await;
    game.admin.delete(&game.path("")).await.expect(204);
    until("the data is removed", seconds(10), async || (!files.exists()).then_some(())).await;
}

#[tokio::test]
async fn a_volume_does_as_well() {
    let own = PanelBox::new();
    docker::docker(&["volume", "create", &own.name]).await;
    let at = docker::docker(&["volume", "inspect", "-f", "{{.Mountpoint}}", &own.name]).await;
    let mut panel = own.panel(at.into(), &[&format!("{}:/data", own.name)], "/data").await;
    panel.set_up().await;
    let game = Game::running(&panel, "game").await;
    let container = game.container().await;
    assert_eq!(source(&container), game.file(&panel, "").to_str().unwrap().trim_end_matches('/'));
    game.power("stop").await.expect(202);
    game.becomes("stopped", seconds(20)).await;
    let world = std::fs::read_to_string(game.file(&panel, "world.txt")).unwrap();
    assert!(world.contains("saved"), "{world}");
}

#[tokio::test]
async fn without_a_mount_no_server_is_made_and_it_says_what_to_do() {
    let host = tempfile::tempdir().unwrap();
    let own = PanelBox::new();
    let mut panel = own.panel(host.path().to_owned(), &[], "/data").await;
    let from = format!("{}:/data/setup-token", own.name);
    docker::docker(&["cp", &from, host.path().join("setup-token").to_str().unwrap()]).await;
    panel.set_up().await;
    let problem = until("the problem is shown", seconds(20), async || {
        let node = panel.admin().get("/api/nodes/local").await.expect(200).json;
        let problems = node["problems"].as_array()?.clone();
        problems.into_iter().find(|problem| problem["code"] == "no_host_path")
    })
    .await;
    assert!(problem["message"].as_str().unwrap().contains("/data"), "{problem}");
    assert!(problem["hint"].as_str().unwrap().contains("-v ctrl-alt-play:/data"), "{problem}");
    let refused = panel.admin().post("/api/servers", body("game", &json!({}))).await;
    refused.refused(409, "conflict");
    let auto = panel.admin().post("/api/servers", body("game", &json!({ "nodeId": "auto" }))).await;
    auto.refused(409, "conflict");
    assert_eq!(panel.admin().get("/api/servers").await.expect(200).json, json!([]));
}
