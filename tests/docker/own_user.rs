//! Panel and agent as an unprivileged user, with only the three capabilities of the service. The games' files belong to
//! other users, and everything still works.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use serde_json::json;

use super::game::{Game, body};
use crate::harness::fake::{FakePanel, Peer};
use crate::harness::node::{self, Node};
use crate::harness::{Panel, docker, free_port, seconds, until};

/// An unused user id.
const OWN: u32 = 61_234;
const AS: [&str; 9] = [
    "setpriv",
    "--reuid=61234",
    "--regid=61234",
    "--clear-groups",
    "--no-new-privs",
    "--inh-caps=-all,+chown,+dac_override,+fowner",
    "--ambient-caps=-all,+chown,+dac_override,+fowner",
    "--bounding-set=-all,+chown,+dac_override,+fowner",
    "--",
];

/// Creates private files as a careful game does, then plays.
const PRIVATE: &str = "umask 077; mkdir -p private; [ -e private/key ] || echo secret > private/key; \
                       ln -sf key private/link; chmod 500 private; exec game";

fn owner(path: &Path) -> (u32, u32, u32) {
    let found = std::fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (found.uid(), found.gid(), found.permissions().mode() & 0o777)
}

async fn ask(peer: &mut Peer, kind: &str, data: serde_json::Value) -> serde_json::Value {
    let id = format!("{kind}-{}", rand::random::<u32>());
    assert!(peer.say_with(&id, kind, data).await);
    peer.find(kind, seconds(20), |message| message["messageId"] == id.as_str()).await
}

#[tokio::test]
async fn a_games_files_are_read_and_written_and_stay_the_games() {
    docker::image().await;
    let panel = FakePanel::new().await;
    let node = Node::builder().under(&AS).start(&panel.address, "own", "a secret of ours");
    let mut peer = panel.agent(seconds(20)).await;
    let id = format!("own-{:08x}", rand::random::<u32>());
    let game = Removed(id.clone());
    let made = json!({ "serverId": id, "image": docker::BUSYBOX, "startup": PRIVATE, "environment": {},
                       "limits": { "memory": 0, "swap": 0, "disk": 0, "io": 500, "cpu": 0 } });
    assert_eq!(ask(&mut peer, "server_create", made).await["type"], "ack");
    // The agent looks for the image first.
    let mut peer = Some(peer);
    until("it can be started", seconds(20), async || {
        let answer = ask(peer.as_mut()?, "server_start", json!({ "serverId": id })).await;
        (answer["type"] == "ack").then_some(())
    })
    .await;
    let mut peer = peer.take().unwrap();
    let folder = node.data().join("servers").join(&id);
    until("it has made its files", seconds(20), async || {
        folder.join("private/link").is_symlink().then_some(())
    })
    .await;
    assert_eq!(owner(&folder.join("private/key")), (988, 988, 0o600));
    until("it has closed its folder", seconds(5), async || {
        (owner(&folder.join("private")).2 == 0o500).then_some(())
    })
    .await;

    let read = ask(&mut peer, "file_read", json!({ "serverId": id, "path": "private/key" })).await;
    assert_eq!(read["data"]["content"], "secret\n", "{read}");
    for path in ["private/key", "private/new"] {
        let write = json!({ "serverId": id, "path": path, "content": "ours" });
        let wrote = ask(&mut peer, "file_write", write).await;
        assert_eq!(wrote["type"], "file_content", "{wrote}");
        assert_eq!(std::fs::read_to_string(folder.join(path)).unwrap(), "ours");
    }
    assert_eq!(owner(&folder.join("private/key")), (988, 988, 0o600));
    assert_eq!(owner(&folder.join("private/new")), (988, 988, 0o644));
    std::os::unix::fs::symlink("../../../../agent.lock", folder.join("out")).unwrap();
    let refused = ask(&mut peer, "file_read", json!({ "serverId": id, "path": "out" })).await;
    assert_eq!(refused["type"], "error", "{refused}");
    let refused = ask(&mut peer, "file_read", json!({ "serverId": id, "path": "../../agent.lock" })).await;
    assert_eq!(refused["type"], "error", "its rights lead nobody out: {refused}");

    assert_eq!(ask(&mut peer, "server_delete", json!({ "serverId": id })).await["type"], "ack");
    until("the folder is gone", seconds(30), async || (!folder.exists()).then_some(())).await;
    let left = || std::fs::read_dir(node.data().join("servers")).unwrap().count();
    until("all of it", seconds(10), async || (left() == 0).then_some(())).await;
    drop(game);
}

#[tokio::test]
async fn a_world_moves_between_two_of_them() {
    let kept = tempfile::Builder::new().prefix("cap-own-").tempdir().unwrap();
    chown(kept.path(), Some(OWN), Some(OWN)).unwrap();
    let panel = Panel::builder()
        .under(&AS)
        .folder(kept.path())
        .env("WEBSOCKET_PORT", free_port().to_string())
        .start()
        .await;
    let node = Node::builder().under(&AS).join(&panel, "own").await;
    node::online(&panel, "own", true, seconds(20)).await;
    let game = Game::ask_as(panel.admin(), body(PRIVATE, &json!({}))).await;
    game.becomes("stopped", seconds(30)).await;
    game.start().await;
    let here = game.file(&panel, "");
    until("it has made its files", seconds(20), async || {
        here.join("private/link").is_symlink().then_some(())
    })
    .await;
    // Counted even in a folder that is closed to others.
    std::fs::write(here.join("private/ballast"), vec![1; 3 << 20]).unwrap();
    game.shows("what it takes of the disk", seconds(30), |view| {
        view["stats"]["disk"].as_u64().is_some_and(|bytes| bytes > 3 << 20)
    })
    .await;
    let moving = json!({ "nodeId": "own" });
    game.admin.post(&game.path("/move"), moving).await.expect(202);
    until("it has moved", seconds(60), async || {
        let moving = game.admin.get(&game.path("/move")).await.expect(200).json;
        assert_ne!(moving["step"], "failed", "{moving}");
        (moving["step"] == "done").then_some(())
    })
    .await;
    game.becomes("running", seconds(30)).await;
    let there = node.data().join("servers").join(&game.id);
    assert_eq!(owner(&there).0, 988);
    assert_eq!(owner(&there.join("private")), (988, 988, 0o500));
    assert_eq!(owner(&there.join("private/key")), (988, 988, 0o600));
    assert_eq!(std::fs::read_link(there.join("private/link")).unwrap(), Path::new("key"));
    until("nothing is left here", seconds(20), async || (!here.exists()).then_some(())).await;
    assert_eq!(game.container().await["Config"]["User"], "988:988");
    game.power("stop").await.expect(202);
    game.becomes("stopped", seconds(20)).await;
    assert!(std::fs::read_to_string(there.join("world.txt")).unwrap().starts_with("saved 1 times"));
}

/// A container by its server's id, removed when dropped.
struct Removed(String);

impl Drop for Removed {
    fn drop(&mut self) {
        let name = format!("ctrl-alt-play-{}", self.0);
        let _ = std::process::Command::new("docker").args(["rm", "-f", "-v", &name]).output();
    }
}
