//! Console lines for a panel that does not subscribe and only knows complete lines.

use std::time::Duration;

use jiff::Timestamp;
use protocol::{ConsoleItem, ConsoleLines, ConsolePartial, ServerId, ServerOutput, Stream};
use tokio::time::Instant;

/// An unfinished line is sent as a complete one when it has not changed for this long.
const STANDS: Duration = Duration::from_millis(500);

/// The unfinished line of a console. A prompt that is printed again after each line is only sent once.
#[derive(Debug, Default)]
pub(super) struct ConsoleState {
    line: Option<(ConsolePartial, Instant)>,
    told: String,
}

impl ConsoleState {
    /// Updates the unfinished line.
    pub(super) fn is_now(&mut self, partial: Option<ConsolePartial>, now: Instant) {
        self.line = partial.filter(|partial| partial.text != self.told).map(|partial| (partial, now));
    }

    /// When it should be sent.
    pub(super) fn due(&self) -> Option<Instant> {
        self.line.as_ref().map(|(_, since)| *since + STANDS)
    }

    /// Takes the line if it is due; it is sent only once.
    pub(super) fn take(&mut self, server_id: &ServerId, now: Instant) -> Option<ServerOutput> {
        let (partial, _) = self.line.take_if(|(_, since)| *since + STANDS <= now)?;
        self.told.clone_from(&partial.text);
        let ConsolePartial { time: timestamp, stream, text: output, .. } = partial;
        Some(ServerOutput { server_id: server_id.to_owned(), output, stream, timestamp })
    }
}

/// Converts lines into messages with `\n` between lines and none at the end. Skips lines from before `since`. Returns
/// the number of the last line as well.
pub(super) fn output(lines: ConsoleLines, since: Option<Timestamp>) -> (Vec<ServerOutput>, Option<u64>) {
    let ConsoleLines { server_id, lines, .. } = lines;
    let mut all: Vec<ServerOutput> = Vec::new();
    let mut last = None;
    for item in lines {
        let (text, stream, timestamp) = match item {
            ConsoleItem::Line(line) => {
                last = Some(line.seq);
                if since.is_some_and(|since| line.time < since) {
                    continue;
                }
                // Legacy panels know two streams; the agent's own lines go to standard output.
                let stream = if line.stream == Stream::Stderr { Stream::Stderr } else { Stream::Stdout };
                (line.text, stream, line.time)
            }
            ConsoleItem::Skipped { skipped } => {
                let lines = if skipped == 1 { "line" } else { "lines" };
                (format!("[{skipped} {lines} skipped]"), Stream::Stdout, Timestamp::now())
            }
        };
        match all.last_mut() {
            Some(open) if open.stream == stream => {
                open.output.push('\n');
                open.output.push_str(&text);
            }
            _ => all.push(ServerOutput { server_id: server_id.clone(), output: text, stream, timestamp }),
        }
    }
    (all, last)
}
