//! Runs a worker, and hears what it says.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use protocol::{ErrorCode, FileEntries};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_util::sync::CancellationToken;

use super::worker::{FailureCode, Outcome, WorkerEvent, WorkerRequest};

/// This program, also where the file was replaced by a newer one since.
const PROGRAM: &str = "/proc/self/exe";
/// Bytes of a piece of an archive.
const LARGEST: usize = 1 << 20;
/// How long one that was broken off may take to end.
const ENDING: Duration = Duration::from_secs(5);

/// How a worker ended.
#[derive(Debug)]
pub enum Ended {
    /// It has done its work.
    Done(Box<Outcome>),
    /// It has not.
    Failed(FailureCode, String),
    /// It was broken off.
    BrokenOff,
}

/// One thing that a worker says.
#[derive(Debug)]
pub(super) enum Said {
    /// Bytes that are done, and of how many.
    Progress(u64, u64),
    /// The repository is open.
    Ready,
    /// A page of a folder.
    Listed(FileEntries),
    /// A piece of an archive.
    Bytes(Vec<u8>),
    /// It has done its work.
    Done(Box<Outcome>),
    /// It has not.
    Failed(FailureCode, String),
}

/// A worker. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    line: Vec<u8>,
    first: Vec<u8>,
}

impl Worker {
    /// Begins one. What it is to do it is told when it is heard first.
    pub(super) fn begin(request: &WorkerRequest) -> io::Result<Self> {
        let mut first = serde_json::to_vec(request)?;
        first.push(b'\n');
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
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => {
                Ok(Self { child, input, output: BufReader::new(output), line: Vec::new(), first })
            }
            _ => Err(io::Error::other("it has no input or output")),
        }
    }

    /// Asks it something.
    pub(super) async fn tell(&mut self, question: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        self.input.write_all(&line).await
    }

    /// The next thing that it says. Where this is called off, what was read of a line is kept.
    pub(super) async fn next(&mut self) -> io::Result<Said> {
        if !self.first.is_empty() {
            let first = std::mem::take(&mut self.first);
            self.input.write_all(&first).await?;
        }
        loop {
            if self.output.read_until(b'\n', &mut self.line).await? == 0 {
                let message = format!(
                    "it was ended from outside ({}). The machine may have run out of memory",
                    self.child.wait().await?
                );
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            let event = serde_json::from_slice(&std::mem::take(&mut self.line));
            return Ok(match event {
                Ok(WorkerEvent::Progress { bytes, total }) => Said::Progress(bytes, total),
                Ok(WorkerEvent::Ready) => Said::Ready,
                Ok(WorkerEvent::Listed(entries)) => Said::Listed(entries),
                Ok(WorkerEvent::Bytes { length }) if length <= LARGEST => {
                    let mut bytes = vec![0; length];
                    self.output.read_exact(&mut bytes).await?;
                    Said::Bytes(bytes)
                }
                Ok(WorkerEvent::Bytes { .. }) => return Err(io::ErrorKind::InvalidData.into()),
                Ok(WorkerEvent::Done(outcome)) => Said::Done(outcome),
                Ok(WorkerEvent::Failed { code, message }) => Said::Failed(code, message),
                Err(error) => {
                    tracing::debug!(%error, "a worker said what is not understood");
                    continue;
                }
            });
        }
    }
}

/// Has a worker do this. `told` gets the bytes that are done, and of how many.
///
/// # Errors
/// The worker could not be run.
pub async fn run(
    request: &WorkerRequest,
    cancel: &CancellationToken,
    told: impl Fn(u64, u64),
) -> io::Result<Ended> {
    let mut worker = Worker::begin(request)?;
    loop {
        let said = tokio::select! {
            () = cancel.cancelled() => {
                let Worker { mut child, input, .. } = worker;
                drop(input);
                end(&mut child).await;
                return Ok(Ended::BrokenOff);
            }
            said = worker.next() => said,
        };
        match said {
            Ok(Said::Progress(bytes, total)) => told(bytes, total),
            Ok(Said::Ready | Said::Listed(_) | Said::Bytes(_)) => {}
            Ok(Said::Done(outcome)) => {
                worker.child.wait().await?;
                return Ok(Ended::Done(outcome));
            }
            Ok(Said::Failed(code, message)) => {
                worker.child.wait().await?;
                return Ok(Ended::Failed(code, message));
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let message = format!("The process that makes backups could not go on: {error}.");
                return Ok(Ended::Failed(FailureCode::Failed, message));
            }
            Err(error) => return Err(error),
        }
    }
}

/// It ends by itself when its input has; what does not is killed.
async fn end(child: &mut Child) {
    if tokio::time::timeout(ENDING, child.wait()).await.is_err() {
        drop(child.kill().await);
    }
}

/// The code of a worker's failure in the protocol.
pub(super) fn error_code(code: FailureCode) -> ErrorCode {
    match code {
        FailureCode::NotFound => ErrorCode::NotFound,
        FailureCode::Locked => ErrorCode::Busy,
        FailureCode::DiskFull => ErrorCode::DiskFull,
        FailureCode::Denied => ErrorCode::Forbidden,
        FailureCode::Damaged | FailureCode::Unreachable | FailureCode::Failed => ErrorCode::AgentFailed,
    }
}
