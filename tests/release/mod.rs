//! What users get: the release as `packaging/release` creates it, installed from its own address; the static program
//! alone, its image, its package. `tests/run release` builds it and passes the paths in `RELEASE_FOLDER` and
//! `RELEASE_PROGRAM`.

mod image;
mod installed;
mod made;
mod names;
mod package;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::docker;

/// Path of the static program.
fn program() -> PathBuf {
    let path = std::env::var("RELEASE_PROGRAM").expect("RELEASE_PROGRAM: run these by `tests/run release`");
    std::fs::canonicalize(path).expect("the program is built")
}

/// A container, volume or network. Removed when this is dropped.
struct Gone(&'static str, String);

impl Drop for Gone {
    fn drop(&mut self) {
        let force: &[&str] = match self.0 {
            "container" => &["-f", "-v"],
            "network" => &[],
            _ => &["-f"],
        };
        let _ = Command::new("docker").args([self.0, "rm"]).args(force).arg(&self.1).output();
    }
}

/// A name that no other test run uses.
fn name(what: &str) -> String {
    format!("cap-test-{what}-{}", std::process::id())
}

/// The container's output and state, and whether it is running.
async fn printed(container: &str) -> (String, bool) {
    let output = tokio::process::Command::new("docker").args(["logs", container]).output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    let state = docker::docker(&["inspect", "-f", "{{.State.Running}} {{.State.ExitCode}}", container]).await;
    (format!("{}{state}", String::from_utf8_lossy(&text)), state.starts_with("true"))
}

/// Runs one of the scripts in `packaging/`.
fn packaging(script: &str, args: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(script);
    let output = Command::new(&script).args(args).output().unwrap();
    assert!(output.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&output.stderr));
}

/// Builds and loads the image. Returns its name.
async fn image(folder: &Path) -> String {
    let version = format!("test-{}", std::process::id());
    let file = folder.join("image.tar.gz");
    let arch = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let program = program();
    let args = [&version, arch, program.to_str().unwrap(), "1700000000", file.to_str().unwrap()];
    packaging("image/make", &args);
    docker::docker(&["load", "-i", file.to_str().unwrap()]).await;
    format!("ctrl-alt-play:{version}")
}
