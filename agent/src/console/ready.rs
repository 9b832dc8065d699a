//! Detects the ready line, by which a game says that players can join.

use std::time::Duration;

use regex_lite::{Regex, RegexBuilder};
use tokio::time::Instant;

use super::clean::{Cleaner, plain};

/// Bytes of a line matched at once; a longer line is matched in several overlapping windows.
const WINDOW: usize = 16 * 1024;
/// Overlap of the windows in bytes: no ready line is longer.
const OVERLAP: usize = 4 * 1024;
/// An unfinished line is checked after this much silence.
const SILENCE: Duration = Duration::from_millis(500);

/// An invalid pattern.
#[derive(Debug, thiserror::Error)]
#[error("bad pattern for the ready line: {0}")]
pub struct BadPattern(#[from] regex_lite::Error);

/// How a ready line is recognized.
#[derive(Clone, Debug)]
pub enum Ready {
    /// The line contains this text.
    Text(String),
    /// The line matches this regular expression.
    Pattern(Regex),
    /// The line matches any of these.
    Any(Vec<Ready>),
}

impl Ready {
    /// Parses a text, or with the prefix `regex:` a regular expression.
    ///
    /// # Errors
    /// [`BadPattern`] if the expression is invalid or too large.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        match text.strip_prefix("regex:") {
            None => Ok(Self::Text(text.to_owned())),
            Some(pattern) => {
                let pattern = RegexBuilder::new(pattern).size_limit(256 * 1024).build()?;
                Ok(Self::Pattern(pattern))
            }
        }
    }

    /// Whether this (clean) line is the ready line; colours are ignored.
    #[must_use]
    pub fn matches(&self, line: &str) -> bool {
        self.matches_plain(&plain(line))
    }

    fn matches_plain(&self, line: &str) -> bool {
        match self {
            Self::Text(text) => line.contains(text.as_str()),
            Self::Pattern(pattern) => pattern.is_match(line),
            Self::Any(any) => any.iter().any(|ready| ready.matches_plain(line)),
        }
    }
}

/// Looks for the ready line in all output of a game, independent of what the console drops, cuts or shows later.
#[derive(Debug)]
pub struct ReadyWatch {
    ready: Ready,
    /// Output since the last line end.
    line: Vec<u8>,
    /// When the unfinished line is checked.
    due: Option<Instant>,
}

impl ReadyWatch {
    /// Starts at the beginning of a line.
    #[must_use]
    pub fn new(ready: Ready) -> Self {
        Self { ready, line: Vec::new(), due: None }
    }

    /// Processes output of the game; true if it contained the ready line.
    pub fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            let (segment, rest) = (&bytes[..end], &bytes[end + 1..]);
            let found = if self.line.is_empty() && segment.len() <= WINDOW {
                looks(&self.ready, segment)
            } else {
                self.extend(segment) || looks(&self.ready, &self.line)
            };
            self.line.clear();
            if found {
                return true;
            }
            bytes = rest;
        }
        let found = self.extend(bytes);
        self.due = (!self.line.is_empty()).then(|| Instant::now() + SILENCE);
        found
    }

    /// When [`ReadyWatch::silence`] should be called, while a line is unfinished.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Checks whether the unfinished line is already the ready line, after a pause in the output. It may still
    /// continue.
    pub fn silence(&mut self) -> bool {
        self.due = None;
        looks(&self.ready, &self.line)
    }

    /// Drops the unfinished line, which will not be completed.
    pub fn break_off(&mut self) {
        self.line.clear();
        self.due = None;
    }

    /// Appends to the line; checks a line longer than the window in parts.
    fn extend(&mut self, mut bytes: &[u8]) -> bool {
        while self.line.len() + bytes.len() > WINDOW {
            let (now, later) = bytes.split_at((WINDOW - self.line.len()).min(bytes.len()));
            self.line.extend_from_slice(now);
            if looks(&self.ready, &self.line) {
                return true;
            }
            self.line.drain(..self.line.len() - OVERLAP);
            bytes = later;
        }
        self.line.extend_from_slice(bytes);
        false
    }
}

fn looks(ready: &Ready, line: &[u8]) -> bool {
    if line.is_empty() {
        return false;
    }
    // Most lines are plain text.
    if line.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
        && let Ok(text) = std::str::from_utf8(line)
    {
        return ready.matches(text);
    }
    let (mut cleaner, mut found) = (Cleaner::new(), false);
    cleaner.push(line, |_, _| {});
    cleaner.finish(|text, _| found |= ready.matches(text));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(ready: &str) -> ReadyWatch {
        ReadyWatch::new(Ready::parse(ready).unwrap())
    }

    #[test]
    fn a_line_may_come_in_any_pieces() {
        let text = "Loading\r\n[12:00:00] \u{1b}[32mDone\u{1b}[0m (3.2s)! For help\r\n";
        for ready in ["Done (", r"regex:Done \(\d+\.\d+s\)!"] {
            for size in 1..text.len() {
                let mut watch = watch(ready);
                let seen = text.as_bytes().chunks(size).filter(|chunk| watch.feed(chunk)).count();
                assert_eq!(seen, 1, "{ready} in pieces of {size}");
            }
            assert!(!watch(ready).feed(b"Done\n (3.2s)!\n"));
        }
    }

    #[test]
    fn silence_looks_and_forgets_nothing() {
        let mut pieces = watch("Done (");
        assert!(!pieces.feed(b"Do"));
        assert!(pieces.due().is_some());
        assert!(!pieces.silence());
        assert!(pieces.due().is_none());
        assert!(pieces.feed(b"ne (1s)\n"));
        let mut prompt = watch("ready> ");
        assert!(!prompt.feed(b"ready> "));
        assert!(prompt.silence());
    }

    #[test]
    fn it_is_found_anywhere_in_a_long_line_and_between_carriage_returns() {
        for at in [0, 4_095, 16_380, 16_384, 100_000] {
            let line = format!("{}Done (1s){}\n", "é".repeat(at / 2), "x".repeat(50_000));
            for size in [1, 1_000, 65_536] {
                let mut watch = watch("Done (");
                assert!(line.as_bytes().chunks(size).any(|chunk| watch.feed(chunk)), "at {at} by {size}");
            }
        }
        assert!(watch("Done (").feed(b"10 %\r50 %\rDone (1s)\r> "));
        assert!(watch("regex:^Done").feed(b"10 %\rDone\r\n"));
    }

    #[test]
    fn a_long_line_takes_bounded_memory() {
        let mut watch = watch("Done (");
        for _ in 0..1_000 {
            assert!(!watch.feed(&[b'x'; 10_000]));
        }
        assert!(watch.line.capacity() <= 2 * WINDOW);
    }
}
