//! A damaged or foreign data folder: the panel names the file, the problem and the solution, exits with a specific
//! code, and changes no byte.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::harness::{Client, PASSWORD, Panel, as_root, binary, long, seconds};

const SETTINGS: [(&str, &str); 5] =
    [("BIND", "127.0.0.1"), ("PORT", "0"), ("WEBSOCKET_PORT", "0"), ("HEALTH_PORT", "off"), ("MDNS", "off")];

/// A database of a later version: created by this program, with its schema version set to 999.
const NEWER: &[u8] = include_bytes!("newer-schema.redb");

/// A data folder that was in use, after a clean stop.
async fn used() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("cap-test-").tempdir().unwrap();
    let mut panel = Panel::builder().folder(folder.path()).start().await;
    panel.user("somebody").await;
    assert!(panel.stop().await.success());
    folder
}

/// Every file below, except for the lock file, which each process overwrites.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(bytes(&path));
        } else if path.is_file() && path.extension().is_none_or(|name| name != "lock") {
            all.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    all
}

async fn start(folder: &Path) -> Output {
    let mut command = Command::new(binary());
    command
        .arg("serve")
        .env("DATA_DIR", folder)
        .envs(SETTINGS)
        .env_remove("AGENT_SECRET")
        .env_remove("JWT_SECRET")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    tokio::time::timeout(seconds(20), command.output()).await.expect("it ends by itself").unwrap()
}

/// Starts the panel, which must exit with this code, name the file, and say what to do.
async fn refused(folder: &Path, code: i32, file: &str, words: &[&str]) -> String {
    let before = bytes(folder);
    let output = start(folder).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let all = format!("{}{said}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(output.status.code(), Some(code), "{all}");
    let line = said.lines().find(|line| line.contains(folder.join(file).to_str().unwrap()));
    let line = line.unwrap_or_else(|| panic!("no line names {file}: {all}"));
    for word in words {
        assert!(line.contains(word), "{word:?} in {line:?}");
    }
    assert_eq!(all.lines().filter(|line| !line.trim().is_empty()).count(), 1, "one line: {all}");
    assert!(!all.contains("panicked") && !all.contains("Listening"), "{all}");
    let after = bytes(folder);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert!(before == after, "a byte was changed");
    line.to_owned()
}

#[tokio::test]
async fn an_emptied_database() {
    let folder = used().await;
    std::fs::write(folder.path().join("panel.redb"), "").unwrap();
    refused(folder.path(), 65, "panel.redb", &["empty", "put back a copy"]).await;
    // An empty file is never treated as a new database, even if nothing else shows that the folder was in use.
    std::fs::remove_file(folder.path().join("instance.json")).unwrap();
    refused(folder.path(), 65, "panel.redb", &["empty"]).await;
}

#[tokio::test]
async fn garbage_in_its_place() {
    let folder = used().await;
    for garbage in
        [&b"x"[..], b"# a config file, perhaps\n", &[0; 8192], &[0xff; 100_000], b"SQLite format 3\0"]
    {
        std::fs::write(folder.path().join("panel.redb"), garbage).unwrap();
        refused(folder.path(), 65, "panel.redb", &["put back a copy"]).await;
    }
}

#[tokio::test]
async fn one_that_was_cut_short() {
    let folder = used().await;
    let path = folder.path().join("panel.redb");
    let whole = std::fs::read(&path).unwrap();
    for left in [whole.len() - 1, whole.len() - 4096, whole.len() / 2, 4096, 100, 1] {
        std::fs::write(&path, &whole[..left]).unwrap();
        refused(folder.path(), 65, "panel.redb", &["put back a copy"]).await;
    }
    std::fs::write(&path, &whole).unwrap();
    let panel = Panel::builder().folder(folder.path()).fresh().await;
    panel.sign_in("somebody").await;
}

#[tokio::test]
async fn one_in_which_a_bit_fell_over() {
    let folder = used().await;
    let path = folder.path().join("panel.redb");
    let whole = std::fs::read(&path).unwrap();
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let (mut noticed, mut harmless) = (0, 0);
    for _ in 0..if long() { 400 } else { 24 } {
        let mut damaged = whole.clone();
        // Most of a new file is zeros, or an older state that is never read.
        let byte = used[rand::random_range(0..used.len())];
        let bit = byte * 8 + rand::random_range(0..8);
        damaged[byte] ^= 1 << (bit % 8);
        std::fs::write(&path, &damaged).unwrap();
        let before = bytes(folder.path());
        // Either the panel refuses to start, or the bit was in an unused part and all data is there.
        match perhaps(folder.path()).await {
            Err((code, said)) => {
                assert_eq!(code, Some(65), "bit {bit}: {said}");
                assert!(!said.contains("panicked"), "bit {bit}: {said}");
                assert!(before == bytes(folder.path()), "bit {bit}: a byte was changed");
                noticed += 1;
            }
            Ok((mut child, address)) => {
                let body = json!({ "username": "somebody", "password": PASSWORD });
                Client::new(&address, None).post("/api/session", body).await.expect(200);
                child.kill().await.unwrap();
                harmless += 1;
            }
        }
    }
    println!("{noticed} noticed, {harmless} in unused parts");
}

#[tokio::test]
async fn one_that_is_gone() {
    let folder = used().await;
    let kept = std::fs::read(folder.path().join("panel.redb")).unwrap();
    std::fs::remove_file(folder.path().join("panel.redb")).unwrap();
    let line = refused(folder.path(), 65, "panel.redb", &["missing", "put back a copy"]).await;
    assert!(line.contains("instance.json"), "{line}");
    assert!(!folder.path().join("setup-token").exists(), "nobody can claim it now");
    std::fs::write(folder.path().join("panel.redb"), kept).unwrap();
    let panel = Panel::builder().folder(folder.path()).fresh().await;
    panel.sign_in("somebody").await;
}

#[tokio::test]
async fn one_of_a_newer_version() {
    let folder = used().await;
    std::fs::write(folder.path().join("panel.redb"), NEWER).unwrap();
    refused(folder.path(), 78, "panel.redb", &["999", "schemas up to", "newer version"]).await;
}

#[tokio::test]
async fn one_that_another_process_has() {
    let folder = used().await;
    let panel = Panel::builder().folder(folder.path()).fresh().await;
    // The running panel writes to its files, so only its users are compared.
    let output = start(folder.path()).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(75), "{said}");
    assert!(said.contains("panel.redb") && said.contains(&panel.pid().to_string()), "{said}");
    panel.sign_in("somebody").await;
}

#[tokio::test]
async fn one_that_must_not_be_written() {
    let folder = used().await;
    let path = folder.path().join("panel.redb");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    refused(folder.path(), 77, "panel.redb", &["read-only", "chmod"]).await;
}

/// Unmounts when dropped.
struct ReadOnly(PathBuf);

impl Drop for ReadOnly {
    fn drop(&mut self) {
        as_root("umount", &[self.0.to_str().unwrap()]);
    }
}

#[tokio::test]
async fn a_folder_on_a_read_only_disk() {
    let folder = used().await;
    let path = folder.path().to_str().unwrap();
    assert!(as_root("mount", &["--bind", path, path]), "mounting needs root or sudo");
    let _guard = ReadOnly(folder.path().to_owned());
    assert!(as_root("mount", &["-o", "remount,bind,ro", path]));
    let before = bytes(folder.path());
    let output = start(folder.path()).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(77), "{said}");
    assert!(said.contains(path), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert!(before == bytes(folder.path()));
}

#[tokio::test]
async fn a_secret_that_others_can_read() {
    let folder = used().await;
    let secrets = folder.path().join("secrets");
    let file = std::fs::read_dir(&secrets).unwrap().flatten().next().expect("a secret").path();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let name = file.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
    refused(folder.path(), 77, &name, &["chmod"]).await;
}

/// Starts the panel, which may fail. Returns the process and its address, or its exit code and output.
async fn perhaps(folder: &Path) -> Result<(Child, String), (Option<i32>, String)> {
    let mut child = Command::new("sh")
        .args(["-c", "exec \"$0\" serve 2>&1", binary()])
        .env("DATA_DIR", folder)
        .envs(SETTINGS)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    loop {
        let line =
            tokio::time::timeout(seconds(20), lines.next_line()).await.expect("it ends or listens").unwrap();
        let Some(line) = line else {
            return Err((child.wait().await.unwrap().code(), said));
        };
        if let Some((_, address)) = line.split_once("Listening on http://") {
            let port: String =
                address.rsplit(':').next().unwrap().chars().take_while(char::is_ascii_digit).collect();
            reads_on(lines);
            return Ok((child, format!("127.0.0.1:{port}")));
        }
        said.push_str(&line);
        said.push('\n');
    }
}

#[allow(clippy::disallowed_methods, reason = "a test's own, ends with the test")]
fn reads_on(mut lines: Lines<BufReader<ChildStdout>>) {
    tokio::spawn(async move { while matches!(lines.next_line().await, Ok(Some(_))) {} });
}
