//! A disk that is full at each step of each operation: it is said, what was there is as it was, and nothing is left over. With
//! room again everything works, without a restart.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::json;

use super::super::game::Game;
use super::failures::Small;
use super::sent;
use crate::harness::{Answer, Panel};

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
/// Bytes of what is written and copied: more than is ever free.
const LARGE: usize = 6 << 20;
/// What is free at each attempt, in KiB.
const FREE: [u64; 7] = [0, 4, 8, 64, 300, 1_500, 5_000];

/// A path, and for a file its content's length and first byte.
type Seen = (PathBuf, Option<(u64, Option<u8>)>);

/// Everything below a folder.
fn seen(folder: &Path) -> Vec<Seen> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        for entry in std::fs::read_dir(here).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                all.push((path.clone(), None));
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                all.push((path, Some((bytes.len() as u64, bytes.first().copied()))));
            }
        }
    }
    all.sort();
    all
}

/// Takes all of the disk but so many KiB.
fn fill(small: &Small, free: u64) {
    use std::io::Write;
    let mut filler =
        std::fs::File::options().create(true).append(true).open(small.path().join("filler")).unwrap();
    let room = || {
        let stat = rustix::fs::statvfs(small.path()).unwrap();
        stat.f_bavail * stat.f_frsize
    };
    while room() > free << 10 {
        let piece = (room() - (free << 10)).min(1 << 20);
        if filler.write_all(&vec![0; usize::try_from(piece).unwrap()]).is_err() {
            break;
        }
    }
}

async fn upload(game: &Game, path: &str) -> Answer {
    let metadata = format!("path {}", BASE64_STANDARD.encode(path));
    let size = LARGE.to_string();
    let headers = [TUS, ("upload-length", size.as_str()), ("upload-metadata", metadata.as_str())];
    let begun = sent(&game.admin, Method::POST, &game.files("/uploads"), "", &headers).await;
    if begun.status != 201 {
        return begun;
    }
    let piece = [TUS, ("content-type", "application/offset+octet-stream"), ("upload-offset", "0")];
    let upload = begun.header("location").to_owned();
    let answer = sent(&game.admin, Method::PATCH, &upload, vec![5; LARGE], &piece).await;
    // What came is kept, so that one can go on; here nobody does.
    sent(&game.admin, Method::DELETE, &upload, "", &[TUS]).await.expect(204);
    answer
}

#[tokio::test]
async fn at_each_step_of_each_operation() {
    let small = Small::new(64);
    let panel = Panel::builder().folder(small.path()).start().await;
    let game = Game::new(&panel, "game").await;
    game.put("/large.bin", vec![1; LARGE]).await.expect(204);
    game.put("/text.txt", vec![b't'; 200_000]).await.expect(204);
    game.put("/tree/a/one", vec![2; LARGE / 2]).await.expect(204);
    game.put("/tree/b/two", vec![3; LARGE / 2]).await.expect(204);
    game.act("archive", json!({ "paths": ["/tree"], "to": "/tree.zip" })).await.expect(200);
    let root = game.file(&panel, "");
    let before = seen(&root);
    let store = panel.folder().join("servers").join(format!(".files-{}", game.id));
    for free in FREE {
        fill(&small, free);
        let answers = [
            ("replace", game.put("/large.bin", vec![9; LARGE]).await),
            ("write", game.put("/new.bin", vec![9; LARGE]).await),
            ("upload", upload(&game, "/up.bin").await),
            ("copy a file", game.act("copy", json!({ "path": "/large.bin", "to": "/copy.bin" })).await),
            ("copy a tree", game.act("copy", json!({ "path": "/tree", "to": "/copies" })).await),
            (
                "archive",
                game.act("archive", json!({ "paths": ["/large.bin", "/tree"], "to": "/a.tar" })).await,
            ),
            ("extract", game.act("extract", json!({ "path": "/tree.zip", "to": "/out" })).await),
        ];
        for (what, answer) in &answers {
            let fits = matches!(answer.code(), "disk_full" | "over_quota" | "archive_too_large");
            assert!(fits && matches!(answer.status, 413 | 507), "{what} with {free} KiB free: {answer:?}");
        }
        // What needs next to nothing works, or says why not; each is taken back.
        let small_ones = [
            (
                "rename",
                json!({ "path": "/text.txt", "to": "/renamed.txt" }),
                json!({ "path": "/renamed.txt", "to": "/text.txt" }),
            ),
            (
                "chmod",
                json!({ "path": "/text.txt", "mode": "600" }),
                json!({ "path": "/text.txt", "mode": "644" }),
            ),
        ];
        for (op, there, back) in small_ones {
            let answer = game.act(op, there).await;
            assert!(answer.status == 204 || answer.code() == "disk_full", "{op} with {free} KiB: {answer:?}");
            if answer.status == 204 {
                game.act(op, back).await.expect(204);
            }
        }
        let thrown = game.act("delete", json!({ "paths": ["/tree"] })).await;
        assert!(thrown.status == 200 || thrown.code() == "disk_full", "{free} KiB: {thrown:?}");
        if thrown.status == 200 {
            let ids = json!({ "ids": [thrown.json["trashed"][0]["id"]] });
            game.act("trash/restore", ids).await.expect(200);
        }
        assert_eq!(game.text("/text.txt").await.len(), 200_000, "what is there can be read");
        let after = seen(&root);
        assert_eq!(after, before, "with {free} KiB free something is left, or gone");
        for part in ["parts", "removed"] {
            let left = std::fs::read_dir(store.join(part)).map_or(0, Iterator::count);
            assert_eq!(left, 0, "{part} with {free} KiB free");
        }
        std::fs::remove_file(small.path().join("filler")).unwrap();
    }
    game.put("/new.bin", vec![9; LARGE]).await.expect(204);
    game.act("copy", json!({ "path": "/tree", "to": "/copies" })).await.expect(200);
    assert_eq!(upload(&game, "/up.bin").await.status, 204);
}
