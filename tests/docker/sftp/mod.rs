//! Servers' files by SFTP, with the programs that people use for it.

mod clients;
mod hostile;
mod raw;
mod remote;
mod rights;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use super::game::Game;
use crate::harness::{Client, PASSWORD, Panel};

/// A panel that serves SFTP, and a server that has never been started.
async fn world() -> (Panel, Game) {
    let panel = Panel::builder().env("SFTP_PORT", "0").start().await;
    let game = Game::new(&panel, "game").await;
    (panel, game)
}

/// Somebody with a key, and programs that use it.
struct Person {
    home: tempfile::TempDir,
    port: u16,
    name: String,
}

impl Person {
    /// Makes a key, and adds it to the account.
    async fn new(panel: &Panel, account: &Client, name: &str) -> Self {
        let person = Self::without_key(panel, name).await;
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "laptop", "-f"])
            .arg(person.key())
            .status();
        assert!(made.await.expect("OpenSSH's programs are installed").success());
        let key = std::fs::read_to_string(person.key().with_extension("pub")).unwrap();
        account.post("/api/account/ssh-keys", json!({ "key": key })).await.expect(201);
        person
    }

    async fn without_key(panel: &Panel, name: &str) -> Self {
        let home = tempfile::Builder::new().prefix("cap-sftp-").tempdir().unwrap();
        let person = Self { home, port: panel.sftp_port(), name: name.to_owned() };
        let askpass = format!("#!/bin/sh\necho '{PASSWORD}'\n");
        std::fs::write(person.path("askpass"), askpass).unwrap();
        std::fs::set_permissions(person.path("askpass"), PermissionsExt::from_mode(0o700)).unwrap();
        person
    }

    fn key(&self) -> PathBuf {
        self.path("key")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The same person as another name, with the same key.
    fn at(&self) -> String {
        format!("{}@127.0.0.1", self.name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// OpenSSH's options, as `-o` has them.
    fn options(&self) -> Vec<String> {
        let known = self.path("known_hosts");
        let mut options = vec![
            "StrictHostKeyChecking=accept-new".to_owned(),
            format!("UserKnownHostsFile={}", known.display()),
            "LogLevel=ERROR".to_owned(),
            "ServerAliveInterval=5".to_owned(),
        ];
        if self.key().exists() {
            options.extend([format!("IdentityFile={}", self.key().display()), "IdentitiesOnly=yes".into()]);
            options.push("PreferredAuthentications=publickey".to_owned());
        } else {
            options.extend(["PubkeyAuthentication=no".to_owned(), "NumberOfPasswordPrompts=1".to_owned()]);
        }
        options
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("HOME", self.home.path())
            .env("SSH_ASKPASS", self.path("askpass"))
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("DISPLAY", "none")
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    fn ssh_like(&self, program: &str, port: &str) -> Command {
        let mut command = self.command(program);
        for option in self.options() {
            command.arg("-o").arg(option);
        }
        command.args([port, &self.port.to_string()]);
        command
    }

    /// OpenSSH's `sftp` with these commands: whether all went well, and what it said.
    async fn sftp(&self, commands: &str) -> (bool, String) {
        let batch = self.write("batch", commands);
        let mut command = self.ssh_like("sftp", "-P");
        // A batch refuses to ask for a password.
        command.arg("-oBatchMode=no").arg("-b").arg(batch).arg(self.at());
        run(&mut command).await
    }

    /// The same where all has to go well.
    async fn does(&self, commands: &str) -> String {
        let (done, said) = self.sftp(commands).await;
        assert!(done, "{commands}\n{said}");
        said
    }

    /// The same where it has to fail, with these words.
    async fn fails(&self, commands: &str, words: &str) {
        let (done, said) = self.sftp(commands).await;
        assert!(!done && said.contains(words), "{commands}\n{said}");
    }
}

/// Whether it ended well, and all that it said.
async fn run(command: &mut Command) -> (bool, String) {
    let output = timeout(Duration::from_secs(120), command.output()).await.expect("it ends in time");
    let output = output.expect("it is installed");
    let said =
        [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).into_owned()).join("\n");
    (output.status.success(), said)
}

/// So many bytes that do not repeat.
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut all = Vec::with_capacity(count + 8);
    while all.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.extend_from_slice(&state.to_le_bytes());
    }
    all.truncate(count);
    all
}

fn same(one: &Path, other: &Path) {
    assert!(std::fs::read(one).unwrap() == std::fs::read(other).unwrap(), "{one:?} is {other:?}");
}
