//! Files of a node elsewhere, and what becomes of an upload that is cut short.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use sftp::{OpenFlags, Request};

use super::raw::Raw;
use super::{Person, bytes, same, world};
use crate::docker::game::Game;
use crate::harness::node::{self, Node};
use crate::harness::{Panel, docker, free_port, seconds, until};

const WRITE: OpenFlags = OpenFlags::WRITE.and(OpenFlags::CREATE).and(OpenFlags::TRUNCATE);

/// Sends the beginning of a file, and gives its connection.
async fn half(person: &Person, all: &[u8], path: &'static [u8]) -> Raw {
    let mut raw = Raw::connect(person).await;
    let handle = raw.open(path, WRITE).await.unwrap();
    for (piece, number) in all[..all.len() / 2].chunks(32_768).zip(0_u64..) {
        let data = Bytes::copy_from_slice(piece);
        raw.answer(Request::Write { handle: handle.clone(), offset: number * 32_768, data }).await;
    }
    raw
}

#[tokio::test]
async fn a_node_elsewhere_serves_its_files_and_may_die() {
    let builder = Panel::builder().env("SFTP_PORT", "0").env("WEBSOCKET_PORT", free_port().to_string());
    let panel = builder.start().await;
    let mut agent = Node::builder().join(&panel, "attic").await;
    node::online(&panel, "attic", true, seconds(40)).await;
    let body = json!({ "name": "Afar", "nodeId": "attic", "image": docker::BUSYBOX, "startup": "game" });
    let game = Game::ask(&panel, body).await;
    game.becomes("stopped", seconds(40)).await;
    let ann = Person::new(&panel, &panel.admin(), &format!("admin.{}", game.id)).await;
    let all = bytes(12_000_000);
    let local = ann.write("large.bin", &all);
    ann.does("mkdir d\nput large.bin d/large.bin\nget d/large.bin back.bin\nls -l d").await;
    same(&local, &ann.path("back.bin"));

    let raw = half(&ann, &all, b"/d/half.bin").await;
    agent.kill().await;
    raw.ended(Duration::from_secs(20)).await;
    ann.fails("get d/large.bin away.bin", "").await;
    agent.again();
    node::online(&panel, "attic", true, seconds(40)).await;
    // What had come is there under its name, as with any server: the client goes on from there.
    let there = agent.data().join("servers").join(&game.id).join("d/half.bin");
    let part = std::fs::read(&there).unwrap();
    assert!(!part.is_empty() && all.starts_with(&part));
    until("the node serves again", seconds(20), async || ann.sftp("ls").await.0.then_some(())).await;
    ann.does("reput large.bin d/half.bin").await;
    same(&local, &there);
    game.admin.delete(&game.path("")).await.expect(204);
}

#[tokio::test]
async fn a_panel_that_is_killed_leaves_a_part_that_resumes() {
    let (mut panel, game) = world().await;
    let mut ann = Person::new(&panel, &panel.admin(), &format!("admin.{}", game.id)).await;
    let all = bytes(8_000_000);
    let local = ann.write("large.bin", &all);
    let fingerprint = game.admin.get(&game.path("/sftp")).await.expect(200).json["fingerprint"].clone();
    let raw = half(&ann, &all, b"/half.bin").await;
    panel.kill().await;
    raw.ended(Duration::from_secs(20)).await;
    panel.again().await;
    ann.port = panel.sftp_port();
    let part = std::fs::read(game.file(&panel, "half.bin")).unwrap();
    assert!(!part.is_empty() && all.starts_with(&part));
    until("its own agent serves again", seconds(30), async || ann.sftp("ls").await.0.then_some(())).await;
    ann.does("reput large.bin half.bin").await;
    same(&local, &game.file(&panel, "half.bin"));
    let admin = panel.admin();
    let after = admin.get(&game.path("/sftp")).await.expect(200).json;
    assert_eq!(after["fingerprint"], fingerprint, "clients know the panel again");
    assert_eq!(after["port"], ann.port);
    assert_eq!(after["username"], format!("admin.{}", game.id));
}
