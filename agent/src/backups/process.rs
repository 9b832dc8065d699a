//! Runs a worker, and hears what it says.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::worker::{FailureCode, Outcome, WorkerEvent, WorkerRequest};

/// This program, also where the file was replaced by a newer one since.
const PROGRAM: &str = "/proc/self/exe";
/// How long one that was broken off may take to end.
const ENDING: Duration = Duration::from_secs(5);

/// How a worker ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It has done its work.
    Done(Outcome),
    /// It has not.
    Failed(FailureCode, String),
    /// It was broken off.
    BrokenOff,
}

/// Has a worker do this. `told` gets the bytes that are done, and of how many.
pub(super) async fn run(
    request: &WorkerRequest,
    cancel: &CancellationToken,
    told: impl Fn(u64, u64),
) -> io::Result<Ended> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    let threads = if request.limits.small_memory { "1" } else { "2" };
    let mut command = Command::new(PROGRAM);
    command.arg("backup-worker").env_clear();
    if let Some(file) = std::env::var_os("SSL_CERT_FILE") {
        command.env("SSL_CERT_FILE", file);
    }
    let mut child = command
        // Memory of its own for each thread would be more than all the rest.
        .env("MALLOC_ARENA_MAX", threads)
        .env("RAYON_NUM_THREADS", threads)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("it has no input or output"));
    };
    input.write_all(&line).await?;
    let mut lines = BufReader::new(output).lines();
    let mut ended = None;
    loop {
        let line = tokio::select! {
            () = cancel.cancelled() => {
                drop(input);
                end(&mut child).await;
                return Ok(Ended::BrokenOff);
            }
            line = lines.next_line() => line?,
        };
        let Some(line) = line else { break };
        match serde_json::from_str(&line) {
            Ok(WorkerEvent::Progress { bytes, total }) => told(bytes, total),
            Ok(WorkerEvent::Done(outcome)) => ended = Some(Ended::Done(outcome)),
            Ok(WorkerEvent::Failed { code, message }) => ended = Some(Ended::Failed(code, message)),
            Err(error) => tracing::debug!(%error, "a worker said what is not understood"),
        }
    }
    let status = child.wait().await?;
    Ok(ended.unwrap_or_else(|| {
        let message = format!("The process that makes backups was ended from outside ({status}). The machine may have run out of memory.");
        Ended::Failed(FailureCode::Failed, message)
    }))
}

/// It ends by itself when its input has; what does not is killed.
async fn end(child: &mut Child) {
    if tokio::time::timeout(ENDING, child.wait()).await.is_err() {
        drop(child.kill().await);
    }
}
