//! Who may come in, what he may do, and when that is over.

use std::time::{Duration, Instant};

use serde_json::json;

use super::raw::Raw;
use super::{Person, world};
use crate::docker::files::friend;
use crate::docker::game::Game;
use crate::harness::{PASSWORD, Panel, docker};

#[tokio::test]
async fn a_reader_reads_and_a_stranger_does_not_come_in() {
    let (panel, game) = world().await;
    game.put("/a.txt", "to read").await.expect(204);
    let (reader, _) = friend(&panel, &game, "reader", "files_read").await;
    let ann = Person::new(&panel, &reader, &format!("reader.{}", game.id)).await;
    ann.write("b.txt", "mine");
    ann.does("get a.txt\nls").await;
    for commands in [
        "put b.txt",
        "put b.txt a.txt",
        "rm a.txt",
        "rename a.txt c.txt",
        "mkdir d",
        "chmod 777 a.txt",
        "ln -s a.txt link",
    ] {
        ann.fails(commands, "ermission denied").await;
    }
    assert_eq!((game.text("/a.txt").await.as_str(), game.names("/").await.len()), ("to read", 1));
    let viewer = panel.user("viewer").await;
    let bob = Person::new(&panel, &viewer, &format!("viewer.{}", game.id)).await;
    bob.fails("ls", "ermission denied").await;
    let bob = Person { name: "viewer".into(), ..bob };
    let said = bob.does("ls -a").await;
    assert!(!said.contains("world"), "{said}");
    // The other's key is not his.
    let mixed = Person { name: format!("reader.{}", game.id), ..bob };
    mixed.fails("ls", "ermission denied").await;
}

#[tokio::test]
async fn what_a_template_denies_is_denied_here_too() {
    let panel = Panel::builder().env("SFTP_PORT", "0").start().await;
    let template = json!({
        "template": 1,
        "about": { "name": "Kept", "description": "For a test", "licence": "MIT" },
        "images": [{ "label": "One", "reference": docker::BUSYBOX }],
        "run": { "startup_by_shell": true, "file_denylist": ["*.key", "config/secret.yml"] },
    });
    let template = panel.admin().post("/api/templates", template).await.expect(201).id();
    let game = Game::with(&panel, "game", json!({ "templateId": template })).await;
    for path in ["/a.key", "/config/secret.yml", "/open.txt"] {
        game.put(path, "canary").await.expect(204);
    }
    let (writer, _) = friend(&panel, &game, "writer", "files").await;
    let ann = Person::new(&panel, &writer, &format!("writer.{}", game.id)).await;
    for commands in [
        "get a.key",
        "get ./config/../a.key",
        "get config/secret.yml",
        "rm a.key",
        "rename a.key b.txt",
        "rename config other",
        "put batch x.key",
        "chmod 777 a.key",
        "ln -s a.key b.txt",
    ] {
        ann.fails(commands, "ermission denied").await;
    }
    ann.does("get open.txt\nput open.txt open2.txt\nrename open2.txt open3.txt").await;
    assert_eq!(game.text("/a.key").await, "canary");
}

#[tokio::test]
async fn it_ends_with_the_right() {
    let (panel, game) = world().await;
    let admin = panel.admin();
    game.put("/a.txt", "x").await.expect(204);
    for what in ["grant", "less", "role", "password", "key", "account", "server"] {
        let name = format!("u-{what}");
        let (friend, grant) = friend(&panel, &game, &name, "files").await;
        let id = friend.get("/api/me").await.id();
        let ann = Person::new(&panel, &friend, &format!("{name}.{}", game.id)).await;
        let mut raw = Raw::connect(&ann).await;
        assert!(raw.stat("/a.txt").await, "{what}");
        let idle = Raw::connect(&ann).await;
        let began = Instant::now();
        match what {
            "grant" => admin.delete(&grant).await.expect(204),
            "less" => admin.put(&grant, json!({ "permissions": ["files_read"] })).await.expect(204),
            "role" => admin.patch(&format!("/api/users/{id}"), json!({ "role": "admin" })).await.expect(200),
            "password" => {
                let change = json!({ "current": PASSWORD, "new": "another long password" });
                friend.put("/api/me/password", change).await.expect(204)
            }
            "key" => {
                let key = friend.get("/api/account/ssh-keys").await.expect(200).json[0]["id"].clone();
                friend.delete(&format!("/api/account/ssh-keys/{}", key.as_str().unwrap())).await.expect(204)
            }
            "account" => admin.delete(&format!("/api/users/{id}")).await.expect(204),
            _ => admin.delete(&game.path("")).await,
        };
        for connection in [raw, idle] {
            connection.ended(Duration::from_secs(5)).await;
        }
        let took = began.elapsed();
        assert!(took < Duration::from_millis(2_500), "{what}: {took:?}");
    }
}

#[tokio::test]
async fn whoever_guesses_is_slowed_down() {
    let (panel, game) = world().await;
    let mut ann = Person::without_key(&panel, &format!("admin.{}", game.id)).await;
    ann.write("a.txt", "a");
    ann.does("put a.txt").await;
    ann.write("askpass", "#!/bin/sh\necho wrong\n");
    for _ in 0..9 {
        ann.fails("ls", "ermission denied").await;
    }
    // The page counts the same attempts.
    let wrong = json!({ "username": "nobody", "password": "wrong wrong wrong" });
    panel.anonymous().post("/api/session", wrong.clone()).await.refused(401, "bad_credentials");
    let mut refused = 0;
    for _ in 0..8 {
        let answer = panel.anonymous().post("/api/session", wrong.clone()).await;
        refused += usize::from(answer.status == 429);
    }
    assert!(refused > 0);
    ann.name = "nobody".into();
    let (done, said) = ann.sftp("ls").await;
    assert!(
        !done && (said.contains("closed") || said.contains("disconnect")),
        "it is closed, not asked again: {said}"
    );
}
