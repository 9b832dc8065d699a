//! Servers that keep backups: real ones, on this machine, for one test each.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::free_port;

/// A server that ends with the test.
pub(in crate::docker) struct Server {
    child: Child,
    pub(in crate::docker) port: u16,
    /// Where its files lie, if that is known.
    pub(super) files: PathBuf,
    /// What it said first.
    pub(super) said: Value,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Ends it at once.
    pub(in crate::docker) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Starts a REST server again, with the files that it had.
    pub(in crate::docker) fn rest_again(&mut self) {
        self.child = serve_rest(self.port, &self.files);
        listens(&mut self.child, self.port);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("cap-target-").tempdir().unwrap()
}

fn started(mut child: Child, port: u16, files: PathBuf, folder: tempfile::TempDir) -> Server {
    listens(&mut child, port);
    Server { child, port, files, said: Value::Null, _folder: folder }
}

#[allow(clippy::disallowed_methods, reason = "looked for until it is there, and no runtime waits")]
fn listens(child: &mut Child, port: u16) {
    let began = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not listen");
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// restic's REST server, as rclone has it.
pub(in crate::docker) fn rest() -> Server {
    let (folder, port) = (folder(), free_port());
    let files = folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    started(serve_rest(port, &files), port, files, folder)
}

fn serve_rest(port: u16, files: &Path) -> Child {
    Command::new("rclone")
        .args(["serve", "restic", "--addr", &format!("127.0.0.1:{port}"), "--user", "ann"])
        .args(["--pass", "rest-secret"])
        .arg(files)
        .stderr(Stdio::null())
        .spawn()
        .expect("rclone is there")
}

/// Its address for the worker and for restic.
pub(in crate::docker) fn rest_location(port: u16, password: &str) -> Value {
    json!({ "kind": "rest", "url": format!("http://127.0.0.1:{port}/"), "user": "ann", "password": password })
}

/// A server that speaks S3 and checks signatures.
pub(in crate::docker) fn s3() -> Server {
    let folder = folder();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = root.join("target/tools/moto/bin/python");
    assert!(own.exists(), "{} is missing: `tests/run docker` installs it", own.display());
    let mut child = Command::new(own)
        .arg(root.join("tests/harness/s3.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).expect("moto is there: tests/run installs it");
    let port = said["url"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    Server { child, port, files: PathBuf::new(), said, _folder: folder }
}

pub(in crate::docker) fn s3_location(server: &Server, port: u16) -> Value {
    json!({
        "kind": "s3",
        "endpoint": format!("http://127.0.0.1:{port}"),
        "region": "us-east-1",
        "bucket": "backups",
        "prefix": "some games/r",
        "accessKey": server.said["access"],
        "secretKey": server.said["secret"],
    })
}

/// An SSH key of this kind, made for the test.
fn key(path: &Path, kind: &str) {
    let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-t", kind, "-f"]).arg(path).status();
    assert!(made.unwrap().success());
}

fn fingerprint(path: &Path) -> String {
    let told = Command::new("ssh-keygen").args(["-l", "-E", "sha256", "-f"]).arg(path).output().unwrap();
    String::from_utf8(told.stdout).unwrap().split(' ').nth(1).unwrap().to_owned()
}

/// OpenSSH's server, which takes a key. Its folder is the answer's `said.folder`.
pub(in crate::docker) fn sshd() -> Server {
    let (folder, port) = (folder(), free_port());
    let path = folder.path();
    key(&path.join("host"), "ed25519");
    key(&path.join("user"), "ed25519");
    std::fs::create_dir_all("/run/sshd").unwrap();
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {0}/host\nAuthorizedKeysFile {0}/user.pub\nPidFile none\n\
         StrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nUsePAM no\nSubsystem sftp internal-sftp\n",
        path.display()
    );
    std::fs::write(path.join("config"), config).unwrap();
    let child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f"])
        .arg(path.join("config"))
        .stderr(Stdio::null())
        .spawn()
        .expect("sshd is there");
    let said = json!({
        "fingerprint": fingerprint(&path.join("host.pub")),
        "key": std::fs::read_to_string(path.join("user")).unwrap(),
        "keyFile": path.join("user"),
    });
    let files = path.join("files");
    std::fs::create_dir(&files).unwrap();
    let mut server = started(child, port, files, folder);
    server.said = said;
    server
}

pub(in crate::docker) fn sftp_location(server: &Server, port: u16) -> Value {
    json!({
        "kind": "sftp",
        "host": "127.0.0.1",
        "port": port,
        "user": "root",
        "path": server.files.join("below/r"),
        "privateKey": server.said["key"],
        "hostKey": server.said["fingerprint"],
    })
}

/// Another SFTP server, which takes a password and can do less.
pub(super) fn sftp_by_password() -> Server {
    let (folder, port) = (folder(), free_port());
    let files = folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    key(&folder.path().join("host"), "ecdsa");
    let child = Command::new("rclone")
        .args(["serve", "sftp", "--addr", &format!("127.0.0.1:{port}"), "--user", "ann"])
        .args(["--pass", "sftp-secret", "--vfs-cache-mode", "full", "--dir-cache-time", "0s", "--key"])
        .arg(folder.path().join("host"))
        .arg("--cache-dir")
        .arg(folder.path().join("cache"))
        .arg(&files)
        .stderr(Stdio::null())
        .spawn()
        .expect("rclone is there");
    let said = json!({ "fingerprint": fingerprint(&folder.path().join("host.pub")) });
    let mut server = started(child, port, files, folder);
    server.said = said;
    server
}
