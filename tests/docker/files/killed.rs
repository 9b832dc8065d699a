//! `kill -9` in the middle of everything that works on files: afterwards each is as it was, or done, and never half.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::super::beside;
use super::super::game::Game;
use super::{sent, world};
use crate::harness::node::{self, Node};
use crate::harness::{Panel, docker, free_port, long, seconds, until};

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
/// Files of the tree that is copied, packed and unpacked, and the size of each.
const TREE: (usize, usize) = (120, 40_000);
/// Bytes of what is written and uploaded.
const LARGE: usize = 6_000_000;
/// A round's kill comes after so many milliseconds.
const AFTER: [u64; 5] = [15, 60, 140, 260, 450];

fn rounds() -> usize {
    if long() { 50 } else { AFTER.len() }
}

fn noise(size: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..size).map(step).collect()
}

/// The files below a folder by their paths and sizes.
fn seen(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        for entry in std::fs::read_dir(here).unwrap() {
            let entry = entry.unwrap();
            match entry.metadata().unwrap() {
                about if about.is_dir() => folders.push(entry.path()),
                about => {
                    all.push((entry.path().strip_prefix(folder).unwrap().to_owned(), about.len()));
                }
            }
        }
    }
    all.sort();
    all
}

/// What is there before any round.
async fn prepare(game: &Game, root: &Path) {
    for n in 0..TREE.0 {
        std::fs::create_dir_all(root.join(format!("tree/{}", n % 7))).unwrap();
        std::fs::write(root.join(format!("tree/{}/{n}", n % 7)), noise(TREE.1, n as u32)).unwrap();
    }
    game.act("archive", json!({ "paths": ["/tree"], "to": "/tree.zip" })).await.expect(200);
    game.put("/world.dat", noise(LARGE, 1)).await.expect(204);
    game.put("/edited.txt", noise(100_000, 1)).await.expect(204);
    game.put("/moved-0/x/file", "moved").await.expect(204);
}

/// What one round has for itself.
async fn prepare_round(game: &Game, n: usize) -> (Value, String) {
    for name in ["thrown", "back", "gone"] {
        game.put(&format!("/{name}-{n}/a/file"), name).await.expect(204);
    }
    let thrown = game.act("delete", json!({ "paths": [format!("/back-{n}")] })).await.expect(200).json;
    let path = BASE64_STANDARD.encode(format!("/up-{n}.bin"));
    let (size, metadata) = (LARGE.to_string(), format!("path {path}"));
    let headers = [TUS, ("upload-length", size.as_str()), ("upload-metadata", metadata.as_str())];
    let begun = sent(&game.admin, Method::POST, &game.files("/uploads"), "", &headers).await.expect(201);
    (thrown["trashed"][0]["id"].clone(), begun.header("location").to_owned())
}

/// Begins everything at once; nobody waits for the answers.
fn begin(game: &Game, n: usize, (trashed, upload): &(Value, String)) {
    let send = |request: reqwest::RequestBuilder| drop(beside(request.send()));
    let post = |op: &str, body: Value| {
        send(game.admin.request(Method::POST, &game.files(&format!("/{op}"))).json(&body));
    };
    send(game.admin.request(Method::PUT, &game.content("/world.dat")).body(noise(LARGE, n as u32 + 2)));
    send(game.admin.request(Method::PUT, &game.content("/edited.txt")).body(noise(100_000, n as u32 + 2)));
    let patch = game.admin.request(Method::PATCH, upload).header(TUS.0, TUS.1);
    let patch = patch.header("content-type", "application/offset+octet-stream").header("upload-offset", "0");
    send(patch.body(noise(LARGE, 7)));
    post("copy", json!({ "path": "/tree", "to": format!("/copy-{n}") }));
    post("rename", json!({ "path": format!("/moved-{n}"), "to": format!("/moved-{}", n + 1) }));
    post("extract", json!({ "path": "/tree.zip", "to": format!("/out-{n}") }));
    post("archive", json!({ "paths": ["/tree"], "to": format!("/packed-{n}.zip") }));
    post("delete", json!({ "paths": [format!("/thrown-{n}")] }));
    post("delete", json!({ "paths": [format!("/gone-{n}")], "permanent": true }));
    post("trash/restore", json!({ "ids": [trashed] }));
}

/// Looks at everything after the kill.
async fn check(game: &Game, root: &Path, n: usize, upload: &str) {
    let tree = seen(&root.join("tree"));
    assert_eq!(tree.len(), TREE.0);
    let known = |bytes: &[u8], size: usize| (1..=n as u32 + 2).any(|seed| bytes == noise(size, seed));
    assert!(known(&std::fs::read(root.join("world.dat")).unwrap(), LARGE), "round {n}: half a file");
    assert!(known(&std::fs::read(root.join("edited.txt")).unwrap(), 100_000), "round {n}: half a file");
    let versions = game.admin.get(&game.files("/versions?path=/edited.txt")).await.expect(200).json;
    for version in versions.as_array().unwrap() {
        let id = version["id"].as_str().unwrap();
        let address = game.files(&format!("/versions/{id}?path=/edited.txt"));
        let bytes = game.admin.request(Method::GET, &address).send().await.unwrap().bytes().await.unwrap();
        assert!(known(&bytes, 100_000), "round {n}: half a version");
    }
    for name in [format!("copy-{n}"), format!("out-{n}/tree")] {
        let copy = root.join(&name);
        assert!(!copy.exists() || seen(&copy) == tree, "round {n}: half of {name}");
    }
    let packed = root.join(format!("packed-{n}.zip"));
    if packed.exists() {
        let tested = std::process::Command::new("unzip").args(["-tqq"]).arg(&packed).status().unwrap();
        assert!(tested.success(), "round {n}: half an archive");
    }
    let places = [root.join(format!("moved-{n}")), root.join(format!("moved-{}", n + 1))];
    let there: Vec<_> = places.iter().filter(|place| place.exists()).collect();
    assert_eq!(there.len(), 1, "round {n}: moved to one place");
    assert_eq!(std::fs::read(there[0].join("x/file")).unwrap(), b"moved");
    for name in ["thrown", "back"] {
        let path = format!("/{name}-{n}");
        until("it is in its place or in the trash", seconds(5), async || {
            let listed = game.admin.get(&game.files("/trash")).await.expect(200).json;
            let trashed = listed.as_array()?.iter().filter(|entry| entry["path"] == path.as_str()).count();
            let here = root.join(&path[1..]).join("a/file").exists();
            (trashed + usize::from(here) == 1).then_some(())
        })
        .await;
    }
    let gone = root.join(format!("gone-{n}"));
    assert!(!gone.exists() || gone.join("a/file").exists(), "round {n}: half removed");
    // An upload is where it was, or whole.
    let uploaded = root.join(format!("up-{n}.bin"));
    if uploaded.exists() {
        assert!(std::fs::read(&uploaded).unwrap() == noise(LARGE, 7), "round {n}: half an upload");
    } else {
        let at = sent(&game.admin, Method::HEAD, upload, "", &[TUS]).await.expect(200);
        assert!(at.header("upload-offset").parse::<usize>().unwrap() <= LARGE);
    }
    let strange: Vec<_> =
        seen(root).into_iter().filter(|(path, _)| path.to_string_lossy().contains(".writing-")).collect();
    assert!(strange.is_empty(), "round {n}: {strange:?}");
    let names: BTreeSet<String> = game.names("/").await.into_iter().collect();
    let ours = ["tree", "world", "edited", "moved", "thrown", "back", "gone", "up", "copy", "out", "packed"];
    let other: Vec<_> = names.iter().filter(|name| !ours.iter().any(|our| name.starts_with(our))).collect();
    assert!(other.is_empty(), "round {n}: {other:?}");
}

/// For the next round everything is where that expects it, and not ever more.
async fn clean_up(game: &Game, root: &Path, n: usize) {
    let next = root.join(format!("moved-{}", n + 1));
    if !next.exists() {
        std::fs::rename(root.join(format!("moved-{n}")), next).unwrap();
    }
    let names = game.names("/").await;
    let round = format!("-{n}");
    let old: Vec<_> = names
        .iter()
        .filter(|name| !name.starts_with("moved") && name.trim_end_matches(".zip").ends_with(&round))
        .map(|name| format!("/{name}"))
        .collect();
    if !old.is_empty() {
        game.act("delete", json!({ "paths": old, "permanent": true })).await.expect(200);
    }
}

fn pause(n: usize) -> Duration {
    Duration::from_millis(AFTER[n % AFTER.len()] + (n / AFTER.len()) as u64 * 13)
}

#[tokio::test]
async fn panel_and_node_at_once() {
    let (mut panel, mut game) = world().await;
    let root = game.file(&panel, "");
    prepare(&game, &root).await;
    for n in 0..rounds() {
        let own = prepare_round(&game, n).await;
        begin(&game, n, &own);
        tokio::time::sleep(pause(n)).await;
        panel.kill().await;
        panel.again().await;
        game.again(&panel);
        game.becomes("stopped", seconds(20)).await;
        check(&game, &root, n, &own.1).await;
        clean_up(&game, &root, n).await;
    }
}

#[tokio::test]
async fn a_node_elsewhere_and_a_panel_without_it() {
    let mut panel = Panel::builder().env("WEBSOCKET_PORT", free_port().to_string()).start().await;
    let mut agent = Node::builder().join(&panel, "attic").await;
    node::online(&panel, "attic", true, seconds(40)).await;
    let body = json!({ "name": "Afar", "nodeId": "attic", "image": docker::BUSYBOX, "startup": "game" });
    let mut game = Game::ask(&panel, body).await;
    game.becomes("stopped", seconds(40)).await;
    let root = agent.data().join("servers").join(&game.id);
    prepare(&game, &root).await;
    for n in 0..rounds() * 2 {
        let own = prepare_round(&game, n).await;
        begin(&game, n, &own);
        tokio::time::sleep(pause(n / 2)).await;
        if n % 2 == 0 {
            agent.kill().await;
            agent.again();
        } else {
            panel.kill().await;
            panel.again().await;
            game.again(&panel);
        }
        node::online(&panel, "attic", true, seconds(40)).await;
        game.becomes("stopped", seconds(20)).await;
        check(&game, &root, n, &own.1).await;
        clean_up(&game, &root, n).await;
    }
    game.admin.delete(&game.path("")).await.expect(204);
}
