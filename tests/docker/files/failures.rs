//! Full disks and deaths in the middle: the old file or the new one, never half.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::super::game::Game;
use super::world;
use crate::harness::{Panel, as_root, seconds};

/// A small file system of its own, gone when it is dropped.
pub(super) struct Small(tempfile::TempDir);

impl Small {
    pub(super) fn new(mebibytes: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("cap-small-").tempdir().unwrap();
        let size = format!("size={mebibytes}m");
        let path = folder.path().to_str().unwrap();
        assert!(as_root("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", path]), "mounting needs root");
        Self(folder)
    }

    pub(super) fn path(&self) -> &std::path::Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = as_root("umount", &["-l", self.0.path().to_str().unwrap()]);
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_leaves_no_part() {
    let small = Small::new(96);
    let panel = Panel::builder().folder(small.0.path()).start().await;
    let game = Game::new(&panel, "game").await;
    game.put("/a.bin", vec![1; 1 << 20]).await.expect(204);
    for _ in 0..3 {
        let refused = game.put("/a.bin", vec![2; 110 << 20]).await;
        assert!(matches!(refused.status, 413 | 507), "{} {}", refused.status, refused.text);
    }
    let new = game.put("/new.bin", vec![2; 110 << 20]).await;
    assert!(matches!(new.code(), "disk_full" | "over_quota"), "{new:?}");
    assert_eq!(game.names("/").await, ["a.bin"]);
    assert_eq!(std::fs::read(game.file(&panel, "a.bin")).unwrap(), vec![1; 1 << 20]);
    game.put("/b.bin", vec![3; 20 << 20]).await.expect(204);
    let copied = game.act("copy", json!({ "path": "/b.bin", "to": "/c.bin" })).await.expect(200).json;
    assert_eq!(copied["bytes"], 20 << 20, "room is given back: {copied}");
}

#[tokio::test]
async fn a_kill_leaves_the_old_file_or_the_new_one() {
    let (mut panel, mut game) = world().await;
    let old = vec![b'o'; 300_000];
    game.put("/world.dat", old.clone()).await.expect(204);
    for round in 0..5_u64 {
        let new = vec![b'n'; 3_000_000];
        let pieces = {
            let new = new.clone();
            futures_util::stream::unfold(0, move |at| {
                let piece = new[at..(at + 200_000).min(new.len())].to_vec();
                async move {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    (!piece.is_empty()).then(|| (Ok::<_, std::io::Error>(piece), at + 200_000))
                }
            })
        };
        let request = game
            .admin
            .request(Method::PUT, &game.content("/world.dat"))
            .body(reqwest::Body::wrap_stream(pieces));
        let sending = super::super::beside(request.send());
        tokio::time::sleep(Duration::from_millis(40 * (round + 1))).await;
        panel.kill().await;
        // Answered or not.
        let _ = sending.await;
        let found = std::fs::read(game.file(&panel, "world.dat")).unwrap();
        assert!(found == old || found == new, "round {round}: {} bytes", found.len());
        panel.again().await;
        game.admin = panel.admin();
        game.becomes("stopped", seconds(20)).await;
        assert_eq!(game.names("/").await, ["world.dat"], "nothing half is left");
        game.put("/world.dat", old.clone()).await.expect(204);
    }
}
