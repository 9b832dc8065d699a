//! Remembers which lines of a game's output were seen last, so that a reader that was disconnected can continue in the
//! engine's log without repeating or missing a line.
//!
//! Lines are compared by a hash of what the game wrote, before anything is cleaned, cut or counted. Only ASCII bytes
//! count, because some engine logs replace bytes that are not UTF-8.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::engine_log::EngineLog;
use super::line_hash::{LineHash, hash};

/// Number of lines remembered.
const LINES: usize = 64;
/// This many equal lines are a match, even if earlier ones differ.
const ENOUGH: usize = 3;

/// Where the seen lines end in the engine's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrailMatch {
    /// Nothing was seen yet.
    Nothing,
    /// The index of the first new line, or the number of lines if there is none.
    Until(usize),
    /// The last seen lines are not in the log; those from this index on are newer.
    Lost(usize),
}

/// The end of the seen output of one container. Bounded: 64 hashes.
#[derive(Debug)]
pub struct Trail {
    container: String,
    last: VecDeque<u64>,
    last_at: Option<Timestamp>,
    /// Number of lines since the container's first one, if known.
    count: Option<usize>,
    /// The unfinished line.
    unfinished: LineHash,
}

impl Default for Trail {
    fn default() -> Self {
        Self {
            container: String::new(),
            last: VecDeque::new(),
            last_at: None,
            count: None,
            unfinished: LineHash::EMPTY,
        }
    }
}

impl Trail {
    /// Tracks this container from now on; forgets what was seen of another one.
    pub fn follow(&mut self, container: &str) {
        if self.container != container {
            *self = Self { container: container.to_owned(), ..Self::default() };
        }
    }

    /// Tracks a container that has not been started yet: all of its output will be seen.
    pub fn begin(&mut self, container: &str) {
        *self = Self { container: container.to_owned(), count: Some(0), ..Self::default() };
    }

    /// Whether nothing was seen yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_empty() && self.unfinished.bytes == 0
    }

    /// Records that these bytes were seen at this time. Cheap: only their last lines are processed.
    pub fn feed(&mut self, bytes: &[u8], at: Timestamp) {
        let ends: Vec<usize> = memchr::memrchr_iter(b'\n', bytes).take(LINES + 1).collect();
        let (Some(&first), Some(&last)) = (ends.last(), ends.first()) else {
            return self.unfinished.add(bytes);
        };
        self.count = self.count.map(|count| count + memchr::memchr_iter(b'\n', bytes).count());
        if ends.len() <= LINES {
            self.unfinished.add(&bytes[..first]);
            self.push(self.unfinished.state);
        }
        for pair in ends.windows(2).rev() {
            self.push(hash(&bytes[pair[1] + 1..pair[0]]));
        }
        self.last_at = Some(at);
        self.unfinished = LineHash::EMPTY;
        self.unfinished.add(&bytes[last + 1..]);
    }

    fn push(&mut self, hash: u64) {
        if self.last.len() == LINES {
            self.last.pop_front();
        }
        self.last.push_back(hash);
    }

    /// The new part of a line whose beginning was already seen. `None` if it does not start with the unfinished line.
    #[must_use]
    pub fn rest<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        let seen = self.unfinished.bytes;
        let mut begun = LineHash::EMPTY;
        begun.add(line.get(..seen)?);
        (begun == self.unfinished).then(|| &line[seen..])
    }

    /// Drops the unfinished line, which will not be completed.
    pub fn break_off(&mut self) {
        self.unfinished = LineHash::EMPTY;
    }

    /// Finds the first unseen line in the engine's log. If lines repeat, the time decides.
    #[must_use]
    pub fn seen(&self, log: &EngineLog) -> TrailMatch {
        let (log, whole) = (&log.lines, log.is_whole());
        let Some(last_at) = self.last_at.filter(|_| !self.last.is_empty()) else {
            return if self.is_empty() { TrailMatch::Nothing } else { TrailMatch::Until(0) };
        };
        let alike = |end: usize| {
            let before = (0..=end).rev().zip(self.last.iter().rev());
            before.take_while(|(at, hash)| log[*at].hash == **hash).count()
        };
        // Everything that can be compared is equal, or enough of it.
        let enough =
            |end: usize, alike: usize| alike > 0 && alike >= self.last.len().min(end + 1).min(ENOUGH);
        if let Some(count) = self.count.filter(|count| whole && (1..=log.len()).contains(count))
            && enough(count - 1, alike(count - 1))
        {
            return TrailMatch::Until(count);
        }
        let apart = |end: usize| log[end].time.duration_since(last_at).abs();
        let mut best: Option<(usize, SignedDuration, usize)> = None;
        for end in 0..log.len() {
            let alike = alike(end);
            if !enough(end, alike) {
                continue;
            }
            let apart = apart(end);
            if best.is_none_or(|(most, nearest, _)| alike > most || (alike == most && apart <= nearest)) {
                best = Some((alike, apart, end));
            }
        }
        match best {
            Some((_, _, end)) => TrailMatch::Until(end + 1),
            None => TrailMatch::Lost(log.partition_point(|line| line.time <= last_at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::LogLine;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn log(lines: &[(i64, &str)]) -> EngineLog {
        let lines = lines.iter().map(|(second, text)| LogLine::new(at(*second), text.as_bytes())).collect();
        let mut log = EngineLog::default();
        log.lines = lines;
        log
    }

    fn trail(lines: &[(i64, &str)]) -> Trail {
        let mut trail = Trail::default();
        trail.follow("a");
        for (second, text) in lines {
            trail.feed(text.as_bytes(), at(*second));
        }
        trail
    }

    #[test]
    fn what_comes_after_the_lines_that_were_seen() {
        let all = log(&[(1, "a\r"), (2, "b\r"), (3, "c\r"), (4, "d\r")]);
        assert_eq!(trail(&[]).seen(&all), TrailMatch::Nothing);
        assert_eq!(trail(&[(1, "a\r\nb"), (2, "\r\n")]).seen(&all), TrailMatch::Until(2));
        assert_eq!(trail(&[(1, "a\r\nb\r\nc\r\nd\r\n")]).seen(&all), TrailMatch::Until(4));
        assert_eq!(
            trail(&[(1, "a\r\nb\r\nc\r\n")]).seen(&log(&[(3, "c\r"), (4, "d\r")])),
            TrailMatch::Until(1)
        );
        assert_eq!(trail(&[(2, "x\r\ny\r\n")]).seen(&all), TrailMatch::Lost(2));
        assert_eq!(trail(&[(2, "x\r\ny\r\n")]).seen(&log(&[])), TrailMatch::Lost(0));
        assert_eq!(trail(&[(0, "begun")]).seen(&all), TrailMatch::Until(0));
    }

    #[test]
    fn lines_that_repeat_are_told_apart_by_their_time() {
        let all: Vec<(i64, &str)> = (0..200).map(|second| (second, "tick")).collect();
        let seen: Vec<(i64, &str)> = (0..100).map(|second| (second, "tick\n")).collect();
        assert_eq!(trail(&seen).seen(&log(&all)), TrailMatch::Until(100));
        let other = [(1, "tick"), (2, "tock"), (3, "tick"), (4, "tack"), (5, "tick")];
        assert_eq!(trail(&[(9, "tick\ntock\ntick\n")]).seen(&log(&other)), TrailMatch::Until(3));
    }

    #[test]
    fn who_has_seen_all_lines_goes_by_their_number() {
        let all: Vec<(i64, &str)> = (0..200).map(|second| (second, "tick")).collect();
        let mut late = Trail::default();
        late.begin("a");
        for _ in 0..100 {
            late.feed(b"tick\n", at(150));
        }
        assert_eq!(late.seen(&log(&all)), TrailMatch::Until(151));
        let mut log = log(&all);
        log.last = Some(1_000);
        assert_eq!(late.seen(&log), TrailMatch::Until(100));
        log.bytes = 3 << 20;
        assert_eq!(late.seen(&log), TrailMatch::Until(151));
    }

    #[test]
    fn chunks_may_be_cut_anywhere_and_be_large() {
        let text: String = (0..500).map(|n| format!("line {n}\n")).collect();
        for size in [1, 3, 7, 100, 10_000] {
            let mut trail = Trail::default();
            for chunk in text.as_bytes().chunks(size) {
                trail.feed(chunk, at(1));
            }
            assert_eq!(trail.last.len(), LINES);
            assert!(trail.last.iter().rev().eq(
                (436..500).rev().map(|n| hash(format!("line {n}").as_bytes())).collect::<Vec<_>>().iter()
            ));
        }
    }

    #[test]
    fn the_rest_of_a_line_that_was_begun() {
        let begun = trail(&[(1, "a\nload"), (2, "ing")]);
        assert_eq!(begun.rest(b"loading the world"), Some(&b" the world"[..]));
        assert_eq!(begun.rest(b"loading"), Some(&b""[..]));
        assert_eq!(begun.rest(b"load"), None);
        assert_eq!(begun.rest(b"other things"), None);
        assert_eq!(trail(&[(1, "a\n")]).rest(b"b"), Some(&b"b"[..]));
    }

    #[test]
    fn another_container_is_another_trail() {
        let mut trail = trail(&[(1, "a\n")]);
        trail.follow("a");
        assert!(!trail.is_empty());
        trail.follow("b");
        assert!(trail.is_empty());
    }
}
