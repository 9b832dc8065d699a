//! Parses the engine's log of a container, with the engine's times.
//!
//! Each line begins with its time. A line of more than 16 KiB is split into pieces of that size, each with its own time
//! in front, in the middle of the text.

use std::collections::VecDeque;
use std::str::FromStr;

use jiff::Timestamp;

use super::line_hash;

/// Lines whose text is kept; earlier ones are only counted.
const LINES: usize = 20_000;
/// Bytes of text that are kept.
const BYTES: usize = 4 << 20;
/// Bytes kept of one line, including its times: more than a console shows.
const LINE: usize = 64 * 1024;
/// The engine cuts lines into pieces of this size.
const FRAME_BYTES: usize = 16 * 1024;
/// A log shorter than this is complete: the engine keeps at least 2 MB.
pub const WHOLE: u64 = 1_900_000;
/// Maximum bytes of a time.
const TIME: usize = 40;

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When the engine received it.
    pub time: Timestamp,
    pub(super) hash: u64,
    /// Its text as the game wrote it, without the line feed; `None` if it was too much to keep.
    pub text: Option<Box<[u8]>>,
}

impl LogLine {
    pub(super) fn new(time: Timestamp, text: &[u8]) -> Self {
        Self { time, hash: line_hash::hash(text), text: Some(text.into()) }
    }
}

/// Splits a log into lines while it is read. Bounded: of more than 20,000 lines or 4 MiB only the newest keep their
/// text.
#[derive(Debug, Default)]
pub struct EngineLog {
    /// Oldest first.
    pub lines: VecDeque<LogLine>,
    /// Bytes processed, including times.
    pub bytes: u64,
    /// The number of lines requested; `None` for all.
    pub(super) last: Option<u32>,
    line: Vec<u8>,
    kept: usize,
    /// Number of lines at the front without text.
    bare: usize,
}

impl EngineLog {
    /// For a request of at most this many lines.
    #[must_use]
    pub fn of_last(lines: u32) -> Self {
        Self { last: Some(lines), ..Self::default() }
    }

    /// Whether it goes back to the container's first line: a short log was never truncated.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let all =
            self.last.is_some_and(|last| self.lines.len() < usize::try_from(last).unwrap_or(usize::MAX));
        all && self.bytes < WHOLE
    }

    /// Processes bytes of the engine's answer.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.extend(&bytes[..end]);
            self.end_line();
            bytes = &bytes[end + 1..];
        }
        self.extend(bytes);
    }

    /// Completes the last line, which has no line end.
    pub fn finish(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
    }

    /// Removes and returns the complete lines.
    pub fn take(&mut self) -> VecDeque<LogLine> {
        (self.kept, self.bare) = (0, 0);
        std::mem::take(&mut self.lines)
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let before = self.lines.back().map_or(Timestamp::UNIX_EPOCH, |line| line.time);
        let (time, mut rest) = time_in_front(&line).unwrap_or((before, &line));
        let mut text = Vec::with_capacity(rest.len());
        while rest.len() > FRAME_BYTES
            && let Some((_, after)) = time_in_front(&rest[FRAME_BYTES..])
        {
            text.extend_from_slice(&rest[..FRAME_BYTES]);
            rest = after;
        }
        text.extend_from_slice(rest);
        self.kept += text.len();
        self.lines.push_back(LogLine::new(time, &text));
        while self.lines.len() - self.bare > LINES || self.kept > BYTES {
            let Some(oldest) = self.lines.get_mut(self.bare) else { break };
            self.kept -= oldest.text.take().map_or(0, |text| text.len());
            self.bare += 1;
        }
        self.line = line;
        self.line.clear();
    }
}

fn time_in_front(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let end = memchr::memchr(b' ', &bytes[..bytes.len().min(TIME)])?;
    let time = std::str::from_utf8(&bytes[..end]).ok()?;
    Some((Timestamp::from_str(time).ok()?, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, chunk: usize) -> Vec<(String, String)> {
        let mut log = EngineLog::default();
        text.as_bytes().chunks(chunk).for_each(|chunk| log.push(chunk));
        log.finish();
        let shown = |line: LogLine| {
            let text = line.text.unwrap();
            (line.time.to_string(), String::from_utf8(text.into()).unwrap())
        };
        log.lines.into_iter().map(shown).collect()
    }

    #[test]
    fn lines_have_the_engines_times() {
        let text = "2026-11-29T09:19:58.505321045Z hello\r\n2026-11-29T09:19:59.000000001Z \r\nno time\n2026-11-29T09:20:00Z un";
        for chunk in [1, 5, 1000] {
            let lines = read(text, chunk);
            let texts: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(texts, ["hello\r", "\r", "no time", "un"]);
            assert_eq!(lines[0].0, "2026-11-29T09:19:58.505321045Z");
            assert_eq!(lines[2].0, lines[1].0);
        }
    }

    #[test]
    fn the_times_within_a_long_line_go() {
        let piece = "x".repeat(FRAME_BYTES);
        let time = "2026-11-29T09:19:58.509724267Z ";
        let lines = read(&format!("{time}{piece}{time}{piece}{time}end\r\n"), 1000);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].1, format!("{piece}{piece}end\r"));
        let lines = read(&format!("{time}{piece}no time follows\n"), 1000);
        assert_eq!(lines[0].1, format!("{piece}no time follows"));
    }

    #[test]
    fn only_the_newest_lines_are_whole() {
        let mut log = EngineLog::default();
        for n in 0..30_000 {
            log.push(format!("2026-11-29T09:19:58Z line {n}\n").as_bytes());
        }
        assert_eq!(log.lines.len(), 30_000);
        assert_eq!(log.lines.iter().filter(|line| line.text.is_none()).count(), 10_000);
        assert!(log.lines[10_000].text.is_some());
        let mut log = EngineLog::default();
        for _ in 0..1_000 {
            log.push(b"2026-11-29T09:19:58Z ");
            log.push(&[b'x'; 16_000]);
            log.push(b"\n");
        }
        assert!(log.kept <= BYTES && log.lines.back().unwrap().text.is_some());
    }
}
