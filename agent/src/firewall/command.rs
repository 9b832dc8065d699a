//! Runs the system's firewall programs, bounded in time and in what is read of their output.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

/// How long a program may take.
const LONGEST: Duration = Duration::from_secs(5);
/// Bytes that are read of its error output.
const SAID: u64 = 4096;
/// Where programs are looked for.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// The path of a program; `None` where it is not installed.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists())
}

/// Runs a program with this input. The error is the first line that it prints about its failure.
pub(super) async fn run(program: &Path, arguments: &[&str], input: &str) -> Result<(), String> {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let attempt = async {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", FOLDERS.join(":"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // It may have ended before it has read all.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let mut said = String::new();
        if let Some(stderr) = child.stderr.take() {
            let _ = stderr.take(SAID).read_to_string(&mut said).await;
        }
        Ok::<_, std::io::Error>((child.wait().await?, said))
    };
    match timeout(LONGEST, attempt).await {
        Ok(Ok((status, _))) if status.success() => Ok(()),
        Ok(Ok((_, said))) => Err(format!("{name}: {}", said.lines().next().unwrap_or("it failed").trim())),
        Ok(Err(cause)) => Err(format!("{name}: {cause}")),
        Err(_) => Err(format!("{name} did not end in time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_fails_or_hangs_is_an_error() {
        let said = run(Path::new("/bin/sh"), &["-c", "echo no such right >&2; exit 3"], "x").await;
        assert_eq!(said.unwrap_err(), "sh: no such right");
        assert!(run(Path::new("/bin/cat"), &[], "x").await.is_ok());
        assert!(run(Path::new("/nowhere/nft"), &[], "").await.unwrap_err().starts_with("nft: "));
    }
}
