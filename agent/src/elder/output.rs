//! Console lines for a panel that never subscribes.

use jiff::Timestamp;

use crate::protocol::{ConsoleItem, ConsoleLines, ServerOutput, Stream};

/// Whole lines, `\n` between them and none at the end. What stood before `since` is not told again. Gives the number of
/// the last line.
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
                // There are two words for where a line came from; ours is the game's.
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
