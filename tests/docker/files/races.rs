//! Everything that works with paths, while a game swaps folders for links that lead out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Value, json};

use super::super::game::Game;
use super::sent;
use crate::harness::{Answer, Panel, long, seconds};

/// What no answer and no file of the server may hold.
const SECRET: &str = "the-canary-secret";

/// What somebody outside has, who is not to notice anything.
fn outside(folder: &Path) -> BTreeMap<PathBuf, (u32, u64, i64, i64, Vec<u8>)> {
    use std::os::unix::fs::MetadataExt;
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let found = std::fs::symlink_metadata(&path).unwrap();
            let content = if found.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            if found.is_dir() {
                folders.push(path.clone());
            }
            all.insert(path, (found.mode(), found.nlink(), found.mtime(), found.mtime_nsec(), content));
        }
    }
    all
}

/// Files below a folder that hold the secret; links are not followed.
fn leaks(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            leaks(&entry.path(), found);
        } else if kind.is_file()
            && std::fs::read(entry.path())
                .is_ok_and(|bytes| bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()))
        {
            found.push(entry.path());
        }
    }
}

/// Exchanges `d` and the link beside it until it is dropped, each in one step.
struct Swapping {
    stop: Arc<AtomicBool>,
    swaps: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Swapping {
    fn begin(root: &Path, outside: &Path) -> Self {
        let (folder, link) = (root.join("d"), root.join("l"));
        std::os::unix::fs::symlink(outside, &link).unwrap();
        let (stop, swaps) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (ends, counted, outside) = (Arc::clone(&stop), Arc::clone(&swaps), outside.to_owned());
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                // Either may have been deleted or moved by what is tried.
                for path in [&folder, &link] {
                    let there = std::fs::symlink_metadata(path);
                    if there.is_err() && path == &link {
                        let _ = std::os::unix::fs::symlink(&outside, path);
                    } else if there.is_err() {
                        let _ = std::fs::create_dir_all(path.join("sub"));
                        let _ = std::fs::write(path.join("f"), "mine");
                    }
                }
                for _ in 0..64 {
                    if renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE).is_ok() {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                    std::thread::yield_now();
                }
                // The machine has others.
                std::thread::park_timeout(std::time::Duration::from_micros(200));
            }
        });
        Self { stop, swaps, thread: Some(thread) }
    }
}

impl Drop for Swapping {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How often what was tried had which end.
#[derive(Default)]
struct Ends {
    done: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
    wrong: Vec<String>,
}

impl Ends {
    fn note(&mut self, what: &'static str, answer: &Answer) {
        let counts = if answer.status < 300 { &mut self.done } else { &mut self.refused };
        *counts.entry(what).or_default() += 1;
        // An error has a name, and nothing of what is outside is told.
        let fine = answer.status < 500 || matches!(answer.status, 503 | 507);
        if !fine || answer.text.contains(SECRET) {
            self.wrong.push(format!("{what}: {} {}", answer.status, answer.text));
        }
    }
}

async fn upload(game: &Game, path: &str, ends: &mut Ends) {
    let metadata =
        format!("path {},replace {}", BASE64_STANDARD.encode(path), BASE64_STANDARD.encode("true"));
    let tus = ("tus-resumable", "1.0.0");
    let headers = [tus, ("upload-length", "4"), ("upload-metadata", metadata.as_str())];
    let begun = sent(&game.admin, Method::POST, &game.files("/uploads"), "", &headers).await;
    ends.note("upload", &begun);
    if begun.status != 201 {
        return;
    }
    let piece = [tus, ("content-type", "application/offset+octet-stream"), ("upload-offset", "0")];
    let done = sent(&game.admin, Method::PATCH, begun.header("location"), "mine", &piece).await;
    ends.note("piece", &done);
    if done.status >= 300 {
        sent(&game.admin, Method::DELETE, begun.header("location"), "", &[tus]).await;
    }
}

/// Each operation on what lies in `top`, once.
async fn round(game: &Game, top: &str, n: usize, ends: &mut Ends) {
    let at = |name: &str| format!("{top}/{name}");
    ends.note("write", &game.put(&at("f"), "mine").await);
    ends.note("write new", &game.put(&at(&format!("new/{n}")), "mine").await);
    ends.note("read", &game.admin.get(&game.content(&at("f"))).await);
    ends.note("list", &game.admin.get(&game.files(&format!("?path={top}"))).await);
    upload(game, &at("up"), ends).await;
    let posts = [
        ("make a folder", "mkdir", json!({ "path": at(&format!("m{n}")) })),
        ("rename within", "rename", json!({ "path": at("f"), "to": at(&format!("g{n}")) })),
        ("rename into", "rename", json!({ "path": "/own", "to": at("own"), "replace": true })),
        ("rename out of", "rename", json!({ "path": at("own"), "to": "/own", "replace": true })),
        ("copy of it", "copy", json!({ "path": top, "to": format!("/copies/{n}") })),
        ("copy from it", "copy", json!({ "path": at("f"), "to": format!("/copies/f{n}") })),
        ("copy into", "copy", json!({ "path": "/kept", "to": at(&format!("kept{n}")) })),
        ("permissions", "chmod", json!({ "path": at("f"), "mode": "666" })),
        ("permissions of all", "chmod", json!({ "path": top, "mode": "777", "recursive": true })),
        ("search", "search", json!({ "path": top, "content": SECRET })),
        ("archive", "archive", json!({ "paths": [top], "to": format!("/copies/{n}.tar") })),
        ("extract", "extract", json!({ "path": "/kept.tar", "to": top })),
        ("delete for good", "delete", json!({ "paths": [at("f"), at("sub")], "permanent": true })),
    ];
    for (what, op, body) in posts {
        ends.note(what, &game.act(op, body).await);
    }
    let gone = game.act("delete", json!({ "paths": [top] })).await;
    ends.note("delete", &gone);
    let ids: Vec<Value> =
        gone.json["trashed"].as_array().into_iter().flatten().map(|one| one["id"].clone()).collect();
    if !ids.is_empty() {
        ends.note("put back", &game.act("trash/restore", json!({ "ids": ids })).await);
    }
    if n % 16 == 15 {
        game.act("delete", json!({ "paths": ["/copies"], "permanent": true })).await;
        game.act("trash/empty", json!({})).await;
        // Both may have been lost to the swapping.
        let _ = game.put("/own", "mine").await;
    }
}

#[tokio::test]
async fn folders_that_become_links_lead_nowhere() {
    let outer = tempfile::tempdir().unwrap();
    std::fs::create_dir(outer.path().join("sub")).unwrap();
    for name in ["f", "own", "up", "sub/deep", "kept"] {
        std::fs::write(outer.path().join(name), SECRET).unwrap();
    }
    let panel = Panel::start().await;
    // The game does it as well, as fast as a shell can.
    let out = outer.path().display();
    let startup = format!(
        "(while :; do rm -rf c; mkdir -p c/sub; echo mine >c/f; rm -rf c; ln -s {out} c; usleep 2000; rm c; done) \
         2>/dev/null & exec game"
    );
    let game = Game::running(&panel, &startup).await;
    let root = game.file(&panel, "");
    for (name, content) in [("/own", "mine"), ("/kept/a", "a"), ("/kept/b/c", "c")] {
        game.put(name, content).await.expect(204);
    }
    game.act("archive", json!({ "paths": ["/kept"], "to": "/kept.tar" })).await.expect(200);
    let before = outside(outer.path());
    let mut ends = Ends::default();
    let rounds = if long() { 10_000 } else { 200 };
    {
        let swapping = Swapping::begin(&root, outer.path());
        for n in 0..rounds {
            round(&game, if n % 4 == 3 { "/c" } else { "/d" }, n, &mut ends).await;
            if n % 50 == 49 {
                assert!(outside(outer.path()) == before, "round {n}: what is outside was changed");
            }
        }
        assert!(swapping.swaps.load(Ordering::Relaxed) > rounds as u64, "there was a race");
    }
    let mut found = Vec::new();
    leaks(&root, &mut found);
    leaks(&panel.folder().join("servers").join(format!(".files-{}", game.id)), &mut found);
    println!("done {:?}\nrefused {:?}", ends.done, ends.refused);
    assert!(outside(outer.path()) == before, "what is outside was changed");
    assert!(found.is_empty(), "what is outside came in: {found:#?}");
    assert!(
        ends.wrong.is_empty(),
        "{} of {rounds} rounds: {:#?}",
        ends.wrong.len(),
        &ends.wrong[..ends.wrong.len().min(20)]
    );
    // Each was won at times.
    let never: BTreeSet<_> = ends.refused.keys().filter(|what| !ends.done.contains_key(*what)).collect();
    assert!(never.is_empty(), "{never:?}");
    game.admin.get("/api/me").await.expect(200);
    game.power("kill").await.expect(202);
    game.becomes("stopped", seconds(20)).await;
}
