//! Reads the output that a console missed while disconnected from the engine's log, and joins it to the output of the
//! new connection.

use std::time::Duration;

use super::engine_log::seam;
use super::terminal::Reader;
use crate::console::TrailMatch;
use crate::runtime::Fault;

/// Log lines loaded into an empty console.
const KEPT: u32 = 1_000;
/// Log lines searched for missed output.
const MANY: u32 = 50_000;
/// Delays in milliseconds between checks whether the engine's log contains what was already received over the
/// connection.
const NOTED: [u64; 6] = [0, 20, 50, 100, 200, 400];

impl Reader {
    /// Appends the log lines after the last known one; for an empty console, the last [`KEPT`] lines. Returns the
    /// appended text.
    pub(super) async fn missed(&mut self) -> Vec<u8> {
        let first = self.terminal.output.trail().is_empty();
        let log = match self.terminal.log(if first { KEPT } else { MANY }).await {
            Ok(log) => log,
            Err(error) => {
                tracing::debug!(server = %self.terminal.server_id, %error, "its log");
                if error.fault != Fault::Missing && !first {
                    self.lost();
                }
                return Vec::new();
            }
        };
        let seen = self.terminal.output.trail().seen(&log);
        let from = match seen {
            TrailMatch::Nothing => 0,
            TrailMatch::Until(next) => next,
            TrailMatch::Lost(next) => {
                self.lost();
                next
            }
        };
        let lines = log.lines.range(from.min(log.lines.len())..);
        self.take_lines(lines.clone());
        lines.filter_map(|line| line.text.as_deref()).collect::<Vec<_>>().join(&b'\n')
    }

    fn lost(&mut self) {
        self.break_off();
        self.terminal.output.console.system(
            "The connection to the console was broken, and the engine's log does not reach back to there: lines are missing \
             here.",
        );
    }

    /// Handles the first bytes of a new connection. Once their first line is complete, it is located in the log, which
    /// has that line and the ones before it in full.
    pub(super) async fn head(&mut self, bytes: &[u8]) {
        let Some(mut head) = self.head.take() else { return };
        let more = head.push(bytes);
        let Some(ended) = head.ended else {
            self.head = Some(head);
            if !more {
                self.unfinished_head();
            }
            return;
        };
        for wait in NOTED {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let Ok(log) = self.terminal.log(MANY).await else { break };
            let next = match self.terminal.output.trail().seen(&log) {
                TrailMatch::Until(next) | TrailMatch::Lost(next) => next,
                TrailMatch::Nothing => 0,
            };
            let Some(first) = seam(&log, &head.bytes, head.connected, ended) else { continue };
            if first >= next {
                self.take_lines(log.lines.range(next..=first));
            }
            // Some of these lines may already have been taken from the log during the last read.
            let had = if first >= next { 1 } else { next - first };
            let mut ends = memchr::memchr_iter(b'\n', &head.bytes).skip(had - 1);
            match ends.next() {
                Some(end) => self.take(&head.bytes[end + 1..], None),
                // The rest has not arrived yet.
                None => self.head = Some(head),
            }
            return;
        }
        self.take(&head.bytes, None);
    }

    /// Takes an incomplete line, such as a prompt, as is.
    pub(super) fn unfinished_head(&mut self) {
        if let Some(head) = self.head.take() {
            self.take(&head.bytes, None);
        }
    }
}
