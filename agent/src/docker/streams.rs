//! The streams of a container: its terminal and its log.

use super::deadline::{LOOK, late};
use super::endpoint::Halves;
use super::engine::Link;
use super::hijack;
use crate::runtime::{Attached, EngineError, LogRange, LogReader};

async fn open(
    link: &Link,
    method: &str,
    path: &str,
    upgrade: bool,
    action: &str,
) -> Result<Halves, EngineError> {
    let path = format!("{}/{path}", link.prefix);
    let opened = hijack::open(&link.endpoint, method, &path, upgrade, action);
    tokio::time::timeout(LOOK, opened).await.map_err(|_| late(action, LOOK))?
}

/// The output of a container without a terminal comes in frames.
fn frames(read: LogReader, tty: bool) -> LogReader {
    if tty { read } else { Box::new(hijack::Frames::new(read)) }
}

pub(super) async fn attach(link: &Link, id: &str, tty: bool) -> Result<Attached, EngineError> {
    let path = format!("containers/{id}/attach?stream=1&stdin=1&stdout=1&stderr=1");
    let (output, input) = open(link, "POST", &path, true, "connect to the container's terminal").await?;
    Ok(Attached { output: frames(output, tty), input })
}

pub(super) async fn log(link: &Link, id: &str, tty: bool, range: LogRange) -> Result<LogReader, EngineError> {
    let mut path = format!("containers/{id}/logs?stdout=1&stderr=1&timestamps=1");
    if let Some(lines) = range.last {
        path.push_str(&format!("&tail={lines}"));
    }
    if let Some(since) = range.since {
        path.push_str(&format!("&since={}.{:09}", since.as_second(), since.subsec_nanosecond()));
    }
    let log = open(link, "GET", &path, false, "read the container's log").await?;
    Ok(frames(Box::new(hijack::Kept::new(log)), tty))
}
