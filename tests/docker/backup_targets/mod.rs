//! Backups that are kept elsewhere: in a folder, at S3, at a REST server and by SFTP. restic reads what we wrote and we what it
//! wrote, and what befalls a target harms no backup.

#![allow(clippy::needless_pass_by_value, reason = "what is to be done is written where it is begun")]

mod failures;
pub(super) mod servers;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use self::servers::Server;
use super::backup_worker::{PASSWORD, Place, ask, create, last, noise, same};

/// Has a node's worker do this at a target.
fn at(place: &Place, location: &Value, work: Value) -> Value {
    last(ask(place.folder.path(), json!({ "location": location, "work": work })))
}

fn made(place: &Place, location: &Value, id: &str) -> Value {
    let made = at(place, location, create(id, &place.world()));
    assert_eq!(made["kind"], "done", "{made}");
    made
}

fn restored(place: &Place, location: &Value, id: &str) {
    let out = place.folder.path().join(format!("out-{id}"));
    let restored = at(place, location, json!({ "kind": "restore", "backup_id": id, "destination": out }));
    assert_eq!(restored["kind"], "done", "{restored}");
    same(&place.world(), &out);
    std::fs::remove_dir_all(out).unwrap();
}

/// How restic reaches the same repository.
struct Restic {
    repository: String,
    options: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Restic {
    fn new(repository: impl Into<String>) -> Self {
        Self { repository: repository.into(), options: Vec::new(), variables: Vec::new() }
    }

    fn run(&self, folder: &Path, args: &[&str]) -> String {
        let run = Command::new("restic")
            .args(["--no-cache", "-r", &self.repository])
            .args(&self.options)
            .args(args)
            .current_dir(folder)
            .env("RESTIC_PASSWORD", PASSWORD)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output()
            .expect("restic is there");
        let said = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
        assert!(run.status.success(), "{said}");
        said
    }
}

/// All that can be done with a target.
fn everything(location: &Value, restic: &Restic) {
    let place = Place::new();
    let tested = at(&place, location, json!({ "kind": "test" }));
    assert_eq!((&tested["kind"], &tested["space"]["snapshots"]), (&json!("done"), &json!(0)), "{tested}");
    made(&place, location, "one");
    std::fs::write(place.world().join("server.properties"), "motd=Another\n").unwrap();
    let second = made(&place, location, "two");
    assert!(second["stored"].as_u64().unwrap() < 100_000, "only what changed is stored: {second}");
    assert_eq!(second["space"]["snapshots"], 2, "{second}");
    let stored = second["space"]["stored"].as_u64().unwrap();
    assert!(stored > 3 << 20 && stored < 6 << 20, "{second}");
    assert!(second["peak_memory"].as_u64().unwrap() < 200 << 20, "{second}");

    let here = place.folder.path();
    assert!(restic.run(here, &["check", "--read-data"]).contains("no errors were found"));
    let out = here.join("out");
    restic.run(here, &["restore", "latest", "--target", out.to_str().unwrap()]);
    same(&place.world(), &out.join("world"));
    restored(&place, location, "two");

    // And we read what it wrote.
    std::fs::write(place.world().join("by restic"), noise(1 << 20, 77)).unwrap();
    restic.run(here, &["backup", "--tag", "backup-three", place.world().to_str().unwrap()]);
    restored(&place, location, "three");
    let checked = at(&place, location, json!({ "kind": "check" }));
    assert_eq!((&checked["kind"], &checked["damaged"]), (&json!("done"), &json!([])), "{checked}");
    assert!(checked["warning"].is_null(), "{checked}");

    let gone = at(&place, location, json!({ "kind": "delete", "backup_ids": ["one", "two"] }));
    assert_eq!((&gone["kind"], &gone["space"]["snapshots"]), (&json!("done"), &json!(1)), "{gone}");
    let pruned = at(&place, location, json!({ "kind": "prune" }));
    assert_eq!(pruned["kind"], "done", "{pruned}");
    restored(&place, location, "three");
    let tested = at(&place, location, json!({ "kind": "test" }));
    assert_eq!(tested["space"]["snapshots"], 1, "{tested}");
    assert!(restic.run(here, &["check", "--read-data"]).contains("no errors were found"));
    assert_eq!(restic.run(here, &["list", "locks"]).trim(), "", "no lock is left");

    // Another panel's key.
    let other = json!({ "location": location, "work": { "kind": "test" }, "key": {
        "mac": { "k": "QkJCQkJCQkJCQkJCQkJCQQ==", "r": "QkJCQkJCQkJCQkJCQkJCQQ==" },
        "encrypt": "QUJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=",
    } });
    let refused = last(ask(&here.join("other"), other));
    assert_eq!(refused["code"], "damaged", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("another panel"), "{refused}");
}

#[test]
fn a_folder_keeps_backups() {
    let folder = tempfile::Builder::new().prefix("cap-target-").tempdir().unwrap();
    let location = json!({ "kind": "folder", "path": folder.path() });
    everything(&location, &Restic::new(folder.path().join("repository").to_str().unwrap()));
}

#[test]
fn a_rest_server_keeps_backups() {
    let server = servers::rest();
    let location = servers::rest_location(server.port, "rest-secret");
    everything(&location, &Restic::new(format!("rest:http://ann:rest-secret@127.0.0.1:{}/", server.port)));
}

#[test]
fn s3_keeps_backups() {
    let server = servers::s3();
    let location = servers::s3_location(&server, server.port);
    let mut restic = Restic::new(format!("s3:http://127.0.0.1:{}/backups/some games/r", server.port));
    let word = |name: &str| server.said[name].as_str().unwrap().to_owned();
    restic.variables = vec![("AWS_ACCESS_KEY_ID", word("access")), ("AWS_SECRET_ACCESS_KEY", word("secret"))];
    everything(&location, &restic);
}

#[test]
fn an_sftp_server_keeps_backups() {
    let server = servers::sshd();
    let location = servers::sftp_location(&server, server.port);
    let mut restic = Restic::new(format!("sftp:root@127.0.0.1:{}", location["path"].as_str().unwrap()));
    let command = format!(
        "sftp.command=ssh -p {} -i {} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1 -s sftp",
        server.port,
        server.said["keyFile"].as_str().unwrap()
    );
    restic.options = vec!["-o".into(), command];
    everything(&location, &restic);
}

#[test]
fn an_sftp_server_takes_a_password() {
    let server = servers::sftp_by_password();
    let location = json!({
        "kind": "sftp", "host": "localhost", "port": server.port, "user": "ann", "path": "r",
        "password": "sftp-secret", "hostKey": server.said["fingerprint"],
    });
    let place = Place::new();
    made(&place, &location, "one");
    restored(&place, &location, "one");
    let mut wrong = location;
    wrong["password"] = "another".into();
    let refused = at(&place, &wrong, json!({ "kind": "test" }));
    assert_eq!(refused["code"], "denied", "{refused}");
    assert!(!refused.to_string().contains("another\""), "{refused}");
}

#[test]
fn who_an_sftp_server_is_must_be_known() {
    let server = servers::sshd();
    let place = Place::new();
    let mut location = servers::sftp_location(&server, server.port);
    location["hostKey"] = Value::Null;
    let told = at(&place, &location, json!({ "kind": "test" }));
    assert_eq!((&told["kind"], &told["host_key"]), (&json!("done"), &server.said["fingerprint"]), "{told}");
    assert!(told["warning"].as_str().unwrap().contains("Compare"), "{told}");
    let refused = at(&place, &location, create("one", &place.world()));
    assert_eq!(refused["code"], "denied", "{refused}");
    location["hostKey"] = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into();
    let refused = at(&place, &location, create("one", &place.world()));
    assert_eq!(refused["code"], "denied", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("another key than before"), "{refused}");
    assert_eq!(std::fs::read_dir(&server.files).unwrap().count(), 0, "nothing was written");
}

#[test]
fn wrong_secrets_are_said_and_not_repeated() {
    let place = Place::new();
    let (rest, s3) = (servers::rest(), servers::s3());
    let mut signed = servers::s3_location(&s3, s3.port);
    signed["secretKey"] = "not-the-secret".into();
    for location in [servers::rest_location(rest.port, "not-the-secret"), signed] {
        for work in [json!({ "kind": "test" }), create("one", &place.world())] {
            let refused = at(&place, &location, work);
            assert_eq!(
                (&refused["kind"], &refused["code"]),
                (&json!("failed"), &json!("denied")),
                "{refused}"
            );
            assert!(!refused.to_string().contains("not-the-secret"), "{refused}");
        }
    }
    let mut nowhere = servers::s3_location(&s3, s3.port);
    nowhere["bucket"] = "missing".into();
    let refused = at(&place, &nowhere, json!({ "kind": "test" }));
    assert!(refused["message"].as_str().unwrap().contains("no bucket missing"), "{refused}");
}

#[test]
fn what_is_ignored_is_not_in_the_backup() {
    let place = Place::new();
    std::fs::create_dir(place.world().join("cache")).unwrap();
    std::fs::write(place.world().join("cache/large"), noise(2 << 20, 5)).unwrap();
    std::fs::write(place.world().join("a.log"), "x").unwrap();
    std::fs::write(place.world().join(".pteroignore"), "cache/\n").unwrap();
    let mut work = create("one", &place.world());
    work["ignore"] = json!(["*.log", "a{"]);
    let location = json!({ "kind": "node" });
    let made = at(&place, &location, work);
    assert_eq!(made["kind"], "done", "{made}");
    assert!(made["warning"].as_str().unwrap().contains("a{"), "{made}");
    std::fs::remove_dir_all(place.world().join("cache")).unwrap();
    std::fs::remove_file(place.world().join("a.log")).unwrap();
    restored(&place, &location, "one");
}

#[test]
fn limits_are_kept() {
    let place = Place::new();
    std::fs::write(place.world().join("large"), noise(24 << 20, 9)).unwrap();
    let began = std::time::Instant::now();
    let limited = json!({
        "work": create("one", &place.world()),
        "limits": { "mibPerSec": 8, "smallMemory": true },
    });
    let made = last(ask(place.folder.path(), limited));
    assert_eq!(made["kind"], "done", "{made}");
    assert!(began.elapsed().as_secs_f64() > 2.5, "{:?}", began.elapsed());
    let peak = made["peak_memory"].as_u64().unwrap();
    assert!(peak < 100 << 20, "{} MiB", peak >> 20);
}

/// A server on the way to which something can be cut.
fn through(server: &Server, proxy: u16, kind: &str) -> Value {
    match kind {
        "rest" => servers::rest_location(proxy, "rest-secret"),
        "s3" => servers::s3_location(server, proxy),
        _ => servers::sftp_location(server, proxy),
    }
}
