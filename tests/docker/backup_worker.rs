//! The backup worker process, without an agent: it writes restic's format, and no failure damages other backups.

#![allow(clippy::needless_pass_by_value, reason = "what is to be done is written where it is begun")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::disk_full::SmallDisk;
use crate::harness::{binary, long};

pub(super) const PASSWORD: &str = "correct horse battery";
/// The 16 and 32 bytes of a key.
const HALF: &str = "QkJCQkJCQkJCQkJCQkJCQg==";
const WHOLE: &str = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";

/// A backup repository and a server's folder.
pub(super) struct Place {
    pub(super) folder: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("cap-backup-").tempdir().unwrap();
        let world = folder.path().join("world");
        std::fs::create_dir_all(world.join("region")).unwrap();
        std::fs::write(world.join("server.properties"), "motd=A world\n").unwrap();
        std::fs::write(world.join("empty"), "").unwrap();
        std::fs::write(world.join("region/r.0.0.mca"), noise(3 << 20, 1)).unwrap();
        symlink("/etc/passwd", world.join("link")).unwrap();
        Self { folder }
    }

    pub(super) fn world(&self) -> PathBuf {
        self.folder.path().join("world")
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    fn begin(&self, work: Value) -> Child {
        begin(&self.repository(), work)
    }

    fn create(&self, id: &str) -> Value {
        last(self.begin(create(id, &self.world())))
    }

    /// Runs `restic`. Returns whether it succeeded, and its output.
    fn restic(&self, args: &[&str]) -> (bool, String) {
        let run = Command::new("restic")
            .args(["--no-cache", "-r", self.repository().to_str().unwrap()])
            .args(args)
            .env("RESTIC_PASSWORD", PASSWORD)
            .output()
            .expect("restic is there");
        let said = [run.stdout, run.stderr].concat();
        (run.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

/// Incompressible bytes.
pub(super) fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..size.div_ceil(8)).flat_map(|_| next().to_le_bytes()).take(size).collect()
}

pub(super) fn create(id: &str, source: &Path) -> Value {
    json!({ "kind": "create", "backup_id": id, "server_id": "world", "source": source })
}

fn begin(repository: &Path, work: Value) -> Child {
    let (node, id) = (repository.parent().unwrap(), repository.file_name().unwrap().to_str().unwrap());
    ask(node, json!({ "id": id, "work": work }))
}

/// Begins a worker of the node that has this folder. What is not said of the request is as usual.
pub(super) fn ask(node: &Path, said: Value) -> Child {
    let mut request = json!({
        "node": node,
        "id": "repository",
        "key": { "mac": { "k": HALF, "r": HALF }, "encrypt": WHOLE },
        "password": PASSWORD,
    });
    for (name, value) in said.as_object().unwrap() {
        request[name] = value.clone();
    }
    let mut child = Command::new(binary())
        .arg("backup-worker")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // One line. The input stays open, because the worker ends when it is closed.
    writeln!(child.stdin.as_mut().unwrap(), "{request}").unwrap();
    child
}

/// The last message of a worker.
pub(super) fn last(mut child: Child) -> Value {
    let mut last = Value::Null;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        last = serde_json::from_str(&line.unwrap()).unwrap();
    }
    child.wait().unwrap();
    last
}

pub(super) fn same(a: &Path, b: &Path) {
    let differ = Command::new("diff").args(["-r", "--no-dereference"]).args([a, b]).output().unwrap();
    assert!(differ.status.success(), "{}", String::from_utf8_lossy(&differ.stdout));
}

#[test]
fn restic_reads_and_restores_what_we_wrote() {
    let place = Place::new();
    let made = place.create("one");
    assert_eq!(
        (&made["kind"], &made["files"], &made["changed"]),
        (&json!("done"), &json!(4), &json!(0)),
        "{made}"
    );
    std::fs::write(place.world().join("server.properties"), "motd=Another\n").unwrap();
    let second = place.create("two");
    assert!(second["stored"].as_u64().unwrap() < 100_000, "only what changed is stored: {second}");
    let (good, said) = place.restic(&["check", "--read-data"]);
    assert!(good && said.contains("no errors were found"), "{said}");
    let out = place.folder.path().join("out");
    let (good, said) = place.restic(&["restore", "latest", "--target", out.to_str().unwrap()]);
    assert!(good, "{said}");
    same(&place.world(), &out.join("world"));
    // And the other way round: our restore reads the same repository.
    let ours = place.folder.path().join("ours");
    let restored = last(place.begin(json!({ "kind": "restore", "backup_id": "two", "destination": ours })));
    assert_eq!(restored["kind"], "done", "{restored}");
    same(&place.world(), &ours);
    assert_eq!(place.create("two")["files"], 4, "one that is there is not made again");
    let (_, said) = place.restic(&["snapshots"]);
    assert!(said.contains("2 snapshots"), "{said}");
}

#[test]
fn backups_are_deleted_and_the_others_stay() {
    let place = Place::new();
    place.create("one");
    std::fs::write(place.world().join("more"), noise(1 << 20, 7)).unwrap();
    place.create("two");
    let gone = last(place.begin(json!({ "kind": "delete", "backup_ids": ["two"] })));
    assert_eq!(gone["kind"], "done", "{gone}");
    let missing = place.folder.path().join("missing");
    let refused = last(place.begin(json!({ "kind": "restore", "backup_id": "two", "destination": missing })));
    assert_eq!(refused["code"], "not_found", "{refused}");
    std::fs::remove_file(place.world().join("more")).unwrap();
    let ours = place.folder.path().join("ours");
    last(place.begin(json!({ "kind": "restore", "backup_id": "one", "destination": ours })));
    same(&place.world(), &ours);
    let (good, said) = place.restic(&["check"]);
    assert!(good, "{said}");
}

#[test]
fn restic_waits_while_a_backup_is_made() {
    let place = Place::new();
    place.create("one");
    for n in 0..40 {
        std::fs::write(place.world().join(format!("{n}")), noise(4 << 20, n + 10)).unwrap();
    }
    let mut child = place.begin(create("two", &place.world()));
    let mut first = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut first).unwrap();
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "STOP", &pid]).status().unwrap().success());
    let (good, said) = place.restic(&["prune"]);
    assert!(!good && said.contains("locked"), "{said}");
    assert!(Command::new("kill").args(["-s", "CONT", &pid]).status().unwrap().success());
    assert!(output.lines().last().unwrap().unwrap().contains("done"));
    child.wait().unwrap();
    let (good, said) = place.restic(&["prune"]);
    assert!(good, "the lock is gone: {said}");
    let (good, said) = place.restic(&["check", "--read-data"]);
    assert!(good, "{said}");
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "it is killed at another moment each time, and no runtime waits"
)]
fn a_killed_worker_leaves_no_backup_and_the_next_one_works() {
    let place = Place::new();
    place.create("first");
    for n in 0..20 {
        std::fs::write(place.world().join(format!("{n}")), noise(4 << 20, n + 10)).unwrap();
    }
    let rounds = if long() { 50 } else { 10 };
    for round in 0..rounds {
        let id = format!("killed{round}");
        std::fs::write(place.world().join("round"), noise(1 << 20, round + 100)).unwrap();
        let mut child = place.begin(create(&id, &place.world()));
        std::thread::sleep(Duration::from_millis(20 + 37 * (round % 12)));
        child.kill().unwrap();
        let said = last(child);
        let (_, snapshots) = place.restic(&["snapshots", "--tag", &format!("backup-{id}")]);
        assert!(said["kind"] == "done" || !snapshots.contains(&id), "{said} {snapshots}");
    }
    let made = place.create("last");
    assert_eq!(made["kind"], "done", "{made}");
    assert_eq!(std::fs::read_dir(place.repository().join("tmp")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(place.repository().join("locks")).unwrap().count(), 0);
    let (good, said) = place.restic(&["check", "--read-data"]);
    assert!(good, "{said}");
    let ours = place.folder.path().join("ours");
    last(place.begin(json!({ "kind": "restore", "backup_id": "last", "destination": ours })));
    same(&place.world(), &ours);
}

#[test]
fn a_flipped_bit_is_found() {
    let place = Place::new();
    place.create("one");
    assert_eq!(last(place.begin(json!({ "kind": "check" })))["kind"], "done");
    let data = place.repository().join("data");
    let folders = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path());
    let packs =
        folders.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let pack = packs.max_by_key(|pack| pack.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&pack).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let found = last(place.begin(json!({ "kind": "check" })));
    assert_eq!((&found["kind"], &found["damaged"]), (&json!("done"), &json!(["one"])), "{found}");
    assert!(found["warning"].as_str().unwrap().contains("damaged"), "{found}");
    let out = place.folder.path().join("out");
    let refused = last(place.begin(json!({ "kind": "restore", "backup_id": "one", "destination": out })));
    assert_eq!((&refused["kind"], &refused["code"]), (&json!("failed"), &json!("damaged")), "{refused}");
}

#[test]
fn a_full_disk_is_said_and_other_backups_stay() {
    let place = Place::new();
    // 64 MiB of it are reserved.
    let disk = SmallDisk::new(80);
    let repository = disk.data();
    let made = last(begin(&repository, create("one", &place.world())));
    assert_eq!(made["kind"], "done", "{made}");
    std::fs::write(place.world().join("large"), noise(40 << 20, 3)).unwrap();
    let full = last(begin(&repository, create("two", &place.world())));
    assert_eq!((&full["kind"], &full["code"]), (&json!("failed"), &json!("disk_full")), "{full}");
    std::fs::remove_file(place.world().join("large")).unwrap();
    let ours = place.folder.path().join("ours");
    let restored =
        last(begin(&repository, json!({ "kind": "restore", "backup_id": "one", "destination": ours })));
    assert_eq!(restored["kind"], "done", "{restored}");
    same(&place.world(), &ours);
}

#[test]
fn what_cannot_be_read_makes_no_backup() {
    let place = Place::new();
    let mut deep = place.world();
    for _ in 0..300 {
        deep.push("d");
    }
    std::fs::create_dir_all(&deep).unwrap();
    let refused = place.create("one");
    assert_eq!(refused["kind"], "failed", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("lie too deep"), "{refused}");
    let (_, said) = place.restic(&["snapshots"]);
    assert!(!said.contains("backup-one"), "{said}");
}
