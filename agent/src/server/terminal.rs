//! The two ends of a game's terminal: what it prints goes to the console, lines that people type go in.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::console::{Console, Ready};
use crate::runtime::Attached;

/// Lines that may wait for a game that does not read.
pub(super) const LINES: usize = 64;
/// After this, people are told that their game does not read.
const PATIENCE: Duration = Duration::from_secs(5);
/// A read's size: small while a game is quiet …
const SMALL: usize = 4 * 1024;
/// … and larger while it is not.
const LARGE: usize = 64 * 1024;

/// Reads until the output ends. `ready` resolves `is_ready` at the line that says so; `over` resolves at the end.
pub(super) async fn read(
    mut output: Box<dyn tokio::io::AsyncRead + Send + Unpin>,
    console: Console,
    ready: Option<Ready>,
    is_ready: oneshot::Sender<()>,
    over: oneshot::Sender<()>,
    cancel: CancellationToken,
) {
    let mut waiting = ready.map(|ready| (ready, is_ready));
    let mut buffer = vec![0; SMALL];
    loop {
        let n = tokio::select! {
            read = output.read(&mut buffer) => match read {
                Ok(0) | Err(_) => break,
                Ok(n) => n,
            },
            () = console.silence() => {
                console.flush(|line| look(&mut waiting, line));
                continue;
            }
            () = cancel.cancelled() => return,
        };
        console.feed(&buffer[..n], |line| look(&mut waiting, line));
        if n == LARGE {
            // More is there already: others get their turn in between.
            tokio::task::yield_now().await;
        } else if n == buffer.len() {
            buffer.resize(LARGE, 0);
        } else if n < SMALL && buffer.len() > SMALL {
            buffer = vec![0; SMALL];
        }
    }
    console.finish();
    // Whoever waited is gone, where this fails.
    let _ = over.send(());
}

fn look(waiting: &mut Option<(Ready, oneshot::Sender<()>)>, line: &str) {
    if waiting.as_ref().is_some_and(|(ready, _)| ready.matches(line))
        && let Some((_, is_ready)) = waiting.take()
    {
        let _ = is_ready.send(());
    }
}

/// Writes line after line. A game that does not read holds up nobody but its own lines.
pub(super) async fn write(
    mut input: Box<dyn tokio::io::AsyncWrite + Send + Unpin>,
    mut lines: mpsc::Receiver<String>,
    console: Console,
    cancel: CancellationToken,
) {
    let mut told = false;
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            () = cancel.cancelled() => return,
        };
        let Some(mut line) = line else {
            // The end of the input is the end of some games: it stays open for as long as the game runs.
            cancel.cancelled().await;
            return;
        };
        line.push('\n');
        let mut written = std::pin::pin!(async {
            input.write_all(line.as_bytes()).await?;
            input.flush().await
        });
        loop {
            tokio::select! {
                done = &mut written => {
                    if done.is_err() {
                        return;
                    }
                    break;
                }
                () = tokio::time::sleep(PATIENCE), if !told => {
                    told = true;
                    console.system("The game does not read its input; what you type waits.");
                }
                () = cancel.cancelled() => return,
            }
        }
    }
}

/// What comes out of [`connect`].
pub(super) struct Connected {
    /// The ready line was seen.
    pub(super) ready: oneshot::Receiver<()>,
    /// The output is over.
    pub(super) over: oneshot::Receiver<()>,
}

/// A terminal that says nothing and hears nothing.
pub(super) fn nothing() -> Attached {
    Attached { output: Box::new(Silence), input: Box::new(tokio::io::sink()) }
}

/// Never ends.
struct Silence;

impl tokio::io::AsyncRead for Silence {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

/// Runs both ends until the game's end, or until `cancel`.
pub(super) fn connect(
    tasks: &tokio_util::task::TaskTracker,
    attached: Attached,
    console: &Console,
    ready: Option<Ready>,
    lines: mpsc::Receiver<String>,
    cancel: &CancellationToken,
) -> Connected {
    let (is_ready, ready_seen) = oneshot::channel();
    let (over, ended) = oneshot::channel();
    drop(tasks.spawn(read(attached.output, console.clone(), ready, is_ready, over, cancel.clone())));
    drop(tasks.spawn(write(attached.input, lines, console.clone(), cancel.clone())));
    Connected { ready: ready_seen, over: ended }
}
