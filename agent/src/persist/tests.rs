use std::os::unix::fs::PermissionsExt;

use protocol::{Behaviour, Limits, Port, Protocol};

use super::*;

fn server(id: &str) -> ServerFile {
    ServerFile {
        wanted: Wanted::Running,
        user: Some("988:988".into()),
        last: Some(LastRun {
            status: Status::Crashed,
            exit_code: Some(139),
            oom_killed: true,
            error: Some("ended with code 139".into()),
            at: 1_763_900_000_000,
        }),
        suspended: true,
        pending: Some(Pending::Stop(PendingStop {
            asked: serde_json::from_str(r#"{"wall": 1763900000000, "boot": "0b", "uptime": 12}"#).unwrap(),
            timeout: 30_000,
            kill: false,
            again: true,
            taken: 1,
            container_id: Some("0f".into()),
        })),
        ..ServerFile::new(ServerCreate {
            server_id: id.into(),
            name: Some("Größe".into()),
            image: "busybox:latest".into(),
            startup: "exec sh".into(),
            environment: [("A".to_owned(), "1\n2".to_owned())].into(),
            limits: Limits { memory: 1 << 30, ..Limits::default() },
            ports: vec![Port { internal: 25565, external: 25570, protocol: Protocol::Tcp }],
            block_lan: true,
            behaviour: Some(Behaviour::default()),
            template: None,
        })
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_saved_is_loaded() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("agent");
    assert_eq!(load_all(&dir).unwrap(), [], "the folder is made");
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    let (a, b) = (server("a"), ServerFile { wanted: Wanted::Stopped, last: None, ..server("b") });
    save(&dir, &b).unwrap();
    save(&dir, &a).unwrap();
    assert_eq!(load_all(&dir).unwrap(), [a.clone(), b.clone()]);
    assert_eq!(fs::metadata(dir.join("a.json")).unwrap().permissions().mode() & 0o777, 0o600);
    let changed = ServerFile { suspended: false, ..a };
    save(&dir, &changed).unwrap();
    assert_eq!(load_all(&dir).unwrap(), [changed, b]);
    remove(&dir, "b").unwrap();
    remove(&dir, "b").unwrap();
    assert_eq!(names(&dir), ["a.json"], "nothing else is left lying about");
}

#[test]
fn a_file_cut_anywhere_is_set_aside_and_the_others_load() {
    let dir = tempfile::tempdir().unwrap();
    let whole = serde_json::to_vec_pretty(&server("cut")).unwrap();
    save(dir.path(), &server("good")).unwrap();
    for len in (0..whole.len()).step_by(37) {
        fs::write(dir.path().join("cut.json"), &whole[..len]).unwrap();
        let loaded = load_all(dir.path()).unwrap();
        assert_eq!(loaded.len(), 1, "cut at {len}");
        assert_eq!(loaded[0].spec.server_id, "good");
        let bad = dir.path().join("cut.json.bad");
        assert_eq!(fs::read(&bad).unwrap(), &whole[..len], "kept as it was");
        fs::remove_file(bad).unwrap();
    }
}

#[test]
fn nothing_that_lies_there_is_fatal_or_lost() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), &server("good")).unwrap();
    fs::write(dir.path().join("noise.json"), [0xFF; 100]).unwrap();
    fs::copy(dir.path().join("good.json"), dir.path().join("other.json")).unwrap();
    fs::copy(dir.path().join("good.json"), dir.path().join("Bad Name.json")).unwrap();
    fs::write(dir.path().join("good.json.tmp"), "{\"spec\":").unwrap();
    fs::write(dir.path().join("README"), "mine").unwrap();
    fs::create_dir(dir.path().join("folder.json")).unwrap();
    assert_eq!(load_all(dir.path()).unwrap(), [server("good")]);
    assert_eq!(
        names(dir.path()),
        ["Bad Name.json.bad", "README", "folder.json", "good.json", "noise.json.bad", "other.json.bad"]
    );
    // A second corrupt one does not overwrite the first.
    fs::write(dir.path().join("noise.json"), "{}").unwrap();
    assert_eq!(load_all(dir.path()).unwrap().len(), 1);
    assert_eq!(fs::read(dir.path().join("noise.json.bad")).unwrap(), [0xFF; 100]);
    assert_eq!(fs::read(dir.path().join("noise.json.bad1")).unwrap(), b"{}");
}

#[test]
fn a_file_of_another_version_loads() {
    let dir = tempfile::tempdir().unwrap();
    let text = r#"{"spec": {"serverId": "old", "image": "x", "newer": 1}, "later": {"a": []}}"#;
    fs::write(dir.path().join("old.json"), text).unwrap();
    let loaded = load_all(dir.path()).unwrap();
    assert_eq!((loaded[0].spec.image.as_str(), loaded[0].wanted), ("x", Wanted::Stopped));
}

#[test]
fn a_bad_id_reaches_no_path() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).unwrap();
    for id in ["../x", "", "a/b", "A", ".hidden"] {
        assert!(save(&inner, &server(id)).is_err(), "{id:?}");
        assert!(remove(&inner, id).is_err(), "{id:?}");
    }
    assert_eq!(names(dir.path()), ["inner"]);
}

#[test]
fn a_write_that_fails_says_where_and_leaves_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), &server("a")).unwrap();
    fs::create_dir(dir.path().join("a.json.tmp")).unwrap();
    let error = save(dir.path(), &ServerFile { suspended: false, ..server("a") }).unwrap_err();
    assert!(error.to_string().contains("a.json.tmp"), "{error}");
    assert!(!error.is_disk_full());
    assert_eq!(load_all(dir.path()).unwrap(), [server("a")]);
}

#[test]
fn a_full_disk_is_told_as_such() {
    let full = PersistError {
        action: "write",
        path: "/x".into(),
        source: io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()),
    };
    assert!(full.is_disk_full());
}

/// A reader during many writes always sees a complete file, the old or the new one.
#[test]
fn a_reader_never_sees_half_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    save(dir.path(), &server("a")).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..200_i64 {
                let mut file = server("a");
                file.spec.startup = "x".repeat(usize::try_from(n % 50 * 100).unwrap());
                save(dir.path(), &file).unwrap();
            }
        });
        while !writer.is_finished() {
            let file: ServerFile = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            assert_eq!(file.spec.server_id, "a");
        }
    });
}

#[test]
fn a_deletion_is_noted_undone_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    save(dir, &server("a")).unwrap();
    save(dir, &server("b")).unwrap();
    begin_deletion(dir, "a").unwrap();
    begin_deletion(dir, "nobody").unwrap();
    assert_eq!(load_all(dir).unwrap(), [ServerFile { deleting: true, ..server("a") }, server("b")]);
    undo_deletion(dir, "a").unwrap();
    assert_eq!(load_all(dir).unwrap(), [server("a"), server("b")]);
    begin_deletion(dir, "a").unwrap();
    // Written again by an agent that knows nothing of deletions.
    save(dir, &server("a")).unwrap();
    assert_eq!(load_all(dir).unwrap(), [server("a"), server("b")]);
    begin_deletion(dir, "a").unwrap();
    remove(dir, "a").unwrap();
    assert_eq!(names(dir), ["b.json"]);
}

#[test]
fn what_a_newer_agent_was_about_to_do_keeps_no_server_from_loading() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), &server("a")).unwrap();
    let path = dir.path().join("a.json");
    for pending in [r#""tidy""#, r#"{"tidy": {"deep": [1]}}"#, r#"{"stop": 7}"#, "null"] {
        let mut file: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        file["pending"] = serde_json::from_str(pending).unwrap();
        fs::write(&path, file.to_string()).unwrap();
        let expected = ServerFile { pending: None, ..server("a") };
        assert_eq!(load_all(dir.path()).unwrap(), [expected], "{pending}");
    }
}
