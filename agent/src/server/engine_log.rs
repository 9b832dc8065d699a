//! Reads the engine's log of a container within limits of time and memory, and finds where a new connection's output
//! starts in it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::context::Context;
use crate::console::{EngineLog, ReadyWatch, WHOLE};
use crate::runtime::{ContainerState as Container, EngineError, Fault, LogRange};

/// Lines read to check whether there is new output.
pub(super) const FEW: u32 = 64;
/// Time limit for reading the log.
const READ: Duration = Duration::from_secs(10);
/// Bytes of the log searched for the ready line.
const SCANNED: u64 = 16 << 20;
/// A log whose first line is at most this long after the start is considered complete.
const SOON: SignedDuration = SignedDuration::from_secs(10);
/// The engine may record the start of a container after its first lines.
const BEFORE_START: SignedDuration = SignedDuration::from_secs(5);
/// Bytes buffered from a new connection without a line end before they are taken as is.
const HEAD: usize = 64 * 1024;
/// Time after which an incomplete line is taken as is.
const SILENCE: Duration = Duration::from_millis(500);
/// The first bytes of a new connection, which may start in the middle of a missed line.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    /// When the last bytes arrived.
    since: Option<Instant>,
    /// When its first line was complete.
    pub(super) ended: Option<Timestamp>,
    /// Earliest time at which it can have been connected.
    pub(super) connected: Timestamp,
}

impl Head {
    /// For a connection requested at this time.
    pub(super) fn new(connected: Timestamp) -> Self {
        Self { bytes: Vec::new(), since: None, ended: None, connected }
    }

    /// Appends new bytes; false once no more should be buffered.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        self.bytes.extend_from_slice(bytes);
        if !bytes.is_empty() {
            self.since = Some(Instant::now());
        }
        if self.ended.is_none() && memchr::memchr(b'\n', bytes).is_some() {
            self.ended = Some(Timestamp::now());
        }
        self.bytes.len() < HEAD
    }

    /// When the bytes are taken even though the first line is incomplete.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + SILENCE)
    }
}

/// The last `lines` lines of the engine's log.
pub(super) async fn read(
    context: &Context,
    container: &str,
    tty: bool,
    lines: u32,
) -> Result<EngineLog, EngineError> {
    let mut log = EngineLog::of_last(lines);
    let range = LogRange { last: Some(lines), since: None };
    stream(context, container, tty, range, |bytes| {
        log.push(bytes);
        true
    })
    .await?;
    log.finish();
    Ok(log)
}

/// Streams the log to `piece` until it returns false. The number of parallel reads is limited.
async fn stream(
    context: &Context,
    container: &str,
    tty: bool,
    range: LogRange,
    mut piece: impl FnMut(&[u8]) -> bool,
) -> Result<(), EngineError> {
    let action = "read the container's log";
    let away = |why: String| EngineError::new(Fault::Away, action, why);
    let _turn = context.shared.log_permits.acquire().await.map_err(|error| away(error.to_string()))?;
    let work = async {
        let mut log = context.engine.log(container, tty, range).await?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match log.read(&mut buffer).await.map_err(|error| away(error.to_string()))? {
                0 => return Ok(()),
                n if !piece(&buffer[..n]) => return Ok(()),
                _ => {}
            }
        }
    };
    tokio::time::timeout(READ, work).await.unwrap_or_else(|_| Err(away("it takes too long".into())))
}

/// Finds the log line that ends with the first line of a new connection. The lines after it must match too; of several
/// matches, the one closest in time wins.
pub(super) fn seam(log: &EngineLog, head: &[u8], connected: Timestamp, ended: Timestamp) -> Option<usize> {
    let ends = memchr::memrchr(b'\n', head).unwrap_or(0);
    let said: Vec<&[u8]> = head[..ends].split(|byte| *byte == b'\n').collect();
    let (first, more) = said.split_first()?;
    let text = |at: usize| log.lines.get(at).map(|line| line.text.as_deref().unwrap_or_default());
    (0..log.lines.len())
        .filter(|at| text(*at).is_some_and(|text| text.ends_with(first)))
        .filter(|at| more.iter().zip(at + 1..).all(|(line, at)| text(at).is_none_or(|text| text == *line)))
        .min_by_key(|at| {
            let time = log.lines[*at].time;
            (time < connected, time.duration_since(ended).abs())
        })
}

/// Whether a running game has already printed its ready line; true if that cannot be determined.
pub(super) async fn was_ready(context: &Context, seen: &Container, watch: &mut ReadyWatch) -> bool {
    let since = seen.started_at.and_then(|at| at.checked_sub(BEFORE_START).ok());
    let (mut found, mut first) = (false, None);
    let mut log = EngineLog::default();
    let mut look = |log: &mut EngineLog| {
        for line in log.take() {
            first.get_or_insert(line.time);
            let text = line.text.as_deref().unwrap_or_default();
            found = found || watch.feed(text) || watch.feed(b"\n");
        }
        found
    };
    let read = stream(context, &seen.id, seen.tty, LogRange { last: None, since }, |piece| {
        log.push(piece);
        !look(&mut log) && log.bytes <= SCANNED
    })
    .await;
    log.finish();
    look(&mut log);
    watch.break_off();
    // If the log is complete, the result is certain.
    let soon = seen.started_at.and_then(|at| at.checked_add(SOON).ok());
    let whole = log.bytes < WHOLE
        || (log.bytes <= SCANNED && first.zip(soon).is_some_and(|(first, soon)| first <= soon));
    found || !whole || read.is_err()
}
