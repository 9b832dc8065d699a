//! Runs programs of the system.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::error::ServiceError;

/// Folders added to the search path: a user who became root by plain `su` does not have the sbin folders in it.
const FOLDERS: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The folders in which programs are searched.
fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    if !path.is_empty() {
        path.push(":");
    }
    path.push(FOLDERS);
    path
}

/// A command with empty standard input and the C locale.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(find(program).unwrap_or_else(|| program.into()));
    command.env("PATH", search_path()).env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// The path of a program; `None` if it does not exist.
fn find(program: &str) -> Option<PathBuf> {
    let runnable = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&search_path()).map(|folder| folder.join(program)).find(runnable)
}

/// Whether a program exists.
pub(super) fn have(program: &str) -> bool {
    find(program).is_some()
}

/// A command's output; `None` if it failed.
pub(super) fn printed(program: &str, args: &[&str]) -> Option<String> {
    let output = command(program).args(args).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a command succeeds; its output is discarded.
pub(super) fn succeeds(program: &str, args: &[&str]) -> bool {
    let status = command(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs a command that must succeed; `doing` is its purpose, for the error.
pub(super) fn run(doing: &str, program: &str, args: &[&str]) -> Result<(), ServiceError> {
    let failed = |said: String| ServiceError::Command {
        doing: doing.to_owned(),
        command: std::iter::once(program).chain(args.iter().copied()).collect::<Vec<_>>().join(" "),
        said,
    };
    let output = command(program).args(args).output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() { Ok(()) } else { Err(failed(last_words(&output))) }
}

/// The last lines of a command's output.
fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.len() {
        0 => format!("nothing ({})", output.status),
        n => lines[n.saturating_sub(3)..].join(" / "),
    }
}

/// Blocks the thread. Installing a service uses no async runtime.
#[expect(clippy::disallowed_methods, reason = "blocks the only thread there is")]
pub(super) fn wait(time: std::time::Duration) {
    std::thread::sleep(time);
}
