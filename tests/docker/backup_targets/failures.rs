//! What befalls a target, or the worker beside it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::backup_worker::{Place, ask, create, last, noise};
use super::{Restic, at, made, restored, servers, through};
use crate::harness::long;
use crate::harness::proxy::{Fate, Proxy, Weather};

/// What is told of a backup that is or is not at a target.
fn is_there(place: &Place, location: &Value, id: &str) -> bool {
    let out = place.folder.path().join("looked-for");
    let found = at(place, location, json!({ "kind": "restore", "backup_id": id, "destination": out }));
    drop(std::fs::remove_dir_all(out));
    assert!(found["kind"] == "done" || found["code"] == "not_found", "{found}");
    found["kind"] == "done"
}

/// A place of this kind, and its server.
fn server(kind: &str) -> servers::Server {
    match kind {
        "rest" => servers::rest(),
        "s3" => servers::s3(),
        _ => servers::sshd(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_made_again() {
    for kind in ["rest", "s3", "sftp"] {
        let server = server(kind);
        let target = format!("127.0.0.1:{}", server.port);
        let bad = |number: u64| {
            let then = if number.is_multiple_of(2) { Fate::Cut } else { Fate::Reset };
            Weather { after: (number < 4).then_some(600_000 * (number + 1)), then, ..Weather::default() }
        };
        let proxy = Proxy::new(target, bad).await;
        let port = proxy.address.rsplit(':').next().unwrap().parse().unwrap();
        let location = through(&server, port, kind);
        let done = tokio::task::spawn_blocking(move || {
            let place = Place::new();
            std::fs::write(place.world().join("large"), noise(20 << 20, 3)).unwrap();
            made(&place, &location, "one");
            restored(&place, &location, "one");
        });
        done.await.unwrap();
        assert!(proxy.connections() > 2, "{kind}: {} connections", proxy.connections());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_goes_half_way_leaves_no_backup() {
    for kind in ["rest", "s3", "sftp"] {
        let server = server(kind);
        let target = format!("127.0.0.1:{}", server.port);
        let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let still = std::sync::Arc::clone(&gone);
        // The first that has passed so much is the last.
        let bad = move |_| {
            let cut = still.load(std::sync::atomic::Ordering::Relaxed);
            Weather { after: Some(if cut { 0 } else { 9 << 20 }), then: Fate::Cut, ..Weather::default() }
        };
        let proxy = Proxy::new(target, bad).await;
        let port = proxy.address.rsplit(':').next().unwrap().parse().unwrap();
        let (cut, direct) = (through(&server, port, kind), through(&server, server.port, kind));
        let done = tokio::task::spawn_blocking(move || {
            let place = Place::new();
            made(&place, &direct, "one");
            gone.store(true, std::sync::atomic::Ordering::Relaxed);
            std::fs::write(place.world().join("large"), noise(40 << 20, 3)).unwrap();
            let began = Instant::now();
            let failed = at(&place, &cut, create("two", &place.world()));
            assert_eq!(
                (&failed["kind"], &failed["code"]),
                (&json!("failed"), &json!("unreachable")),
                "{failed}"
            );
            assert!(began.elapsed() < Duration::from_secs(90), "{:?}", began.elapsed());
            assert!(!is_there(&place, &direct, "two"));
            made(&place, &direct, "three");
            restored(&place, &direct, "three");
            let checked = at(&place, &direct, json!({ "kind": "check" }));
            assert_eq!((&checked["damaged"], &checked["warning"]), (&json!([]), &Value::Null), "{checked}");
        });
        done.await.unwrap();
    }
}

#[test]
fn a_folder_that_is_not_mounted_is_no_new_repository() {
    let place = Place::new();
    let mount = place.folder.path().join("mount");
    std::fs::create_dir(&mount).unwrap();
    let location = json!({ "kind": "folder", "path": mount });
    let tested = at(&place, &location, json!({ "kind": "test" }));
    assert!(tested["warning"].as_str().unwrap().contains("same disk"), "{tested}");
    made(&place, &location, "one");
    // As a mount point is without its disk.
    let away = place.folder.path().join("away");
    std::fs::rename(&mount, &away).unwrap();
    std::fs::create_dir(&mount).unwrap();
    for work in [create("two", &place.world()), json!({ "kind": "test" }), json!({ "kind": "check" })] {
        let refused = at(&place, &location, work);
        assert_eq!(refused["code"], "unreachable", "{refused}");
        assert!(refused["message"].as_str().unwrap().contains("mounted"), "{refused}");
    }
    assert_eq!(std::fs::read_dir(&mount).unwrap().count(), 0, "nothing was written there");
    std::fs::remove_dir(&mount).unwrap();
    let refused = at(&place, &location, create("two", &place.world()));
    assert_eq!(refused["code"], "unreachable", "{refused}");
    std::fs::rename(&away, &mount).unwrap();
    restored(&place, &location, "one");
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "it is killed at another moment each time, and no runtime waits"
)]
fn a_worker_that_is_killed_harms_no_backup_at_a_target() {
    let (rest, sftp) = (servers::rest(), servers::sshd());
    let folder = tempfile::Builder::new().prefix("cap-target-").tempdir().unwrap();
    let locations = [
        json!({ "kind": "folder", "path": folder.path() }),
        servers::rest_location(rest.port, "rest-secret"),
        servers::sftp_location(&sftp, sftp.port),
    ];
    let rounds = if long() { 500 } else { 20 };
    for location in locations {
        let place = Place::new();
        made(&place, &location, "kept");
        for n in 0..6 {
            std::fs::write(place.world().join(format!("{n}")), noise(2 << 20, n + 10)).unwrap();
        }
        for round in 0..rounds {
            let id = format!("round{round}");
            std::fs::write(place.world().join("round"), noise(1 << 20, round + 100)).unwrap();
            let before = format!("round{}", round.max(3) - 3);
            let work = match round % 4 {
                2 => json!({ "kind": "delete", "backup_ids": [before] }),
                3 => json!({ "kind": "check" }),
                _ => create(&id, &place.world()),
            };
            let mut child = ask(place.folder.path(), json!({ "location": location, "work": work }));
            std::thread::sleep(Duration::from_millis(30 + 41 * (round % 13)));
            child.kill().unwrap();
            let said = last(child);
            if round % 4 < 2 && said["kind"] == "done" {
                assert!(is_there(&place, &location, &id), "what is said to be there is: {said}");
            }
        }
        made(&place, &location, "last");
        restored(&place, &location, "last");
        assert!(is_there(&place, &location, "kept"));
        let checked = at(&place, &location, json!({ "kind": "check" }));
        assert_eq!((&checked["damaged"], &checked["warning"]), (&json!([]), &Value::Null), "{checked}");
    }
}

fn packs(repository: PathBuf) -> Vec<PathBuf> {
    let entries = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries(repository.join("data")).flat_map(entries).collect()
}

#[test]
fn flipped_bits_are_found_and_the_backups_named_that_need_them() {
    let place = Place::new();
    let folder = tempfile::Builder::new().prefix("cap-target-").tempdir().unwrap();
    let location = json!({ "kind": "folder", "path": folder.path() });
    made(&place, &location, "good");
    let repository = folder.path().join("repository");
    let before = packs(repository.clone());
    std::fs::write(place.world().join("more"), noise(3 << 20, 55)).unwrap();
    made(&place, &location, "bad");
    let new: Vec<_> = packs(repository.clone()).into_iter().filter(|pack| !before.contains(pack)).collect();
    let pack = new.into_iter().max_by_key(|pack| pack.metadata().unwrap().len()).unwrap();
    let whole = std::fs::read(&pack).unwrap();
    let index = repository.join("index");
    let kept = place.folder.path().join("index");
    let copied = |from: &Path, to: &Path| {
        drop(std::fs::remove_dir_all(to));
        assert!(Command::new("cp").arg("-r").args([from, to]).status().unwrap().success());
    };
    copied(&index, &kept);
    // A bit, the end, all of it.
    for damage in 0..3 {
        copied(&kept, &index);
        let mut bytes = whole.clone();
        match damage {
            0 => bytes[1000] ^= 1,
            1 => bytes.truncate(whole.len() - 1),
            _ => {}
        }
        std::fs::remove_file(&pack).unwrap();
        if damage < 2 {
            std::fs::write(&pack, bytes).unwrap();
        }
        let checked = at(&place, &location, json!({ "kind": "check" }));
        assert!(checked["warning"].as_str().unwrap().contains("1 files"), "{checked}");
        // Of the second only what stands at its end is damaged: what it holds can be had.
        let damaged = if damage == 1 { json!([]) } else { json!(["bad"]) };
        assert_eq!(checked["damaged"], damaged, "{checked}");
        assert!(is_there(&place, &location, "good"));
    }
    // The next backup of the same files makes the one before whole again.
    let anew = made(&place, &location, "anew");
    assert!(anew["stored"].as_u64().unwrap() > 500_000, "{anew}");
    restored(&place, &location, "anew");
    restored(&place, &location, "bad");
    let checked = at(&place, &location, json!({ "kind": "check" }));
    assert_eq!((&checked["damaged"], &checked["warning"]), (&json!([]), &Value::Null), "{checked}");
    // The parts of a share together are all of it.
    copied(&kept, &index);
    let mut bytes = whole;
    bytes[1000] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let mut found = 0;
    for _ in 0..3 {
        let checked = at(&place, &location, json!({ "kind": "check", "share": 3 }));
        found += usize::from(checked["damaged"].as_array().unwrap().contains(&json!("bad")));
        copied(&kept, &index);
    }
    assert_eq!(found, 1, "one part in three has it");
    // A backup whose own file is damaged does not take the others with it.
    for snapshot in std::fs::read_dir(repository.join("snapshots")).unwrap().skip(1) {
        std::fs::write(snapshot.unwrap().path(), "nonsense").unwrap();
    }
    let there = [is_there(&place, &location, "good"), made(&place, &location, "next")["kind"] == "done"];
    assert!(there[1], "{there:?}");
}

#[test]
fn another_node_is_waited_for() {
    let server = servers::rest();
    let location = servers::rest_location(server.port, "rest-secret");
    let place = Place::new();
    made(&place, &location, "one");
    std::fs::write(place.world().join("large"), noise(12 << 20, 3)).unwrap();
    let slow = ask(
        place.folder.path(),
        json!({ "location": location, "work": create("two", &place.world()), "limits": { "mibPerSec": 2 } }),
    );
    let locks = server.files.join("locks");
    let began = Instant::now();
    while std::fs::read_dir(&locks).map_or(0, Iterator::count) == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not begin");
        std::hint::spin_loop();
    }
    let other = place.folder.path().join("another node");
    let deleted = last(ask(
        &other,
        json!({ "location": location, "work": { "kind": "delete", "backup_ids": ["one"] } }),
    ));
    assert_eq!(deleted["kind"], "done", "{deleted}");
    let slow = last(slow);
    assert_eq!(slow["kind"], "done", "{slow}");
    restored(&place, &location, "two");
    let restic = Restic::new(format!("rest:http://ann:rest-secret@127.0.0.1:{}/", server.port));
    assert!(restic.run(place.folder.path(), &["check", "--read-data"]).contains("no errors were found"));
}

#[test]
fn pruning_removes_nothing_that_is_needed() {
    let folder = tempfile::Builder::new().prefix("cap-target-").tempdir().unwrap();
    let location = json!({ "kind": "folder", "path": folder.path() });
    let place = Place::new();
    made(&place, &location, "one");
    let before = packs(folder.path().join("repository")).len();
    let full = at(&place, &location, json!({ "kind": "prune" }));
    assert_eq!(full["kind"], "done", "{full}");
    assert_eq!(packs(folder.path().join("repository")).len(), before, "nothing is removed that is needed");
}
