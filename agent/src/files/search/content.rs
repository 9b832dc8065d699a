//! A text in a file.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;

use memchr::memmem::{Finder, FinderBuilder};
use memchr::{memchr_iter, memrchr};
use rustix::fd::OwnedFd;

/// Bytes at the beginning of a file that tell whether it is text.
const HEAD: usize = 8 << 10;
/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;
/// The longest beginning of a line that is kept for its end, and what is shown with it.
const LINE: usize = 4 << 10;
/// Characters of a line that are shown.
const SHOWN: usize = 300;
/// Of these before what was looked for.
const BEFORE: usize = 80;
/// Lines of one file.
const LINES: usize = 100;

/// A text that is looked for as it is.
#[derive(Debug)]
pub(super) struct Needle {
    finder: Finder<'static>,
    fold: bool,
}

impl Needle {
    pub(super) fn new(text: &str, case_sensitive: bool) -> Self {
        let text = if case_sensitive { text.to_owned() } else { text.to_ascii_lowercase() };
        let finder = FinderBuilder::new().build_forward(text.as_bytes()).into_owned();
        Self { finder, fold: !case_sensitive }
    }

    /// In bytes.
    pub(super) fn length(&self) -> usize {
        self.finder.needle().len()
    }
}

/// Reads files one after the other into the same memory.
pub(super) struct Reader {
    buffer: Vec<u8>,
    folded: Vec<u8>,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { buffer: vec![0; CHUNK], folded: Vec::new() }
    }

    /// Tells of the lines of a file that hold the text, each once, until there is enough of it.
    pub(super) fn read(
        &mut self,
        file: OwnedFd,
        most: u64,
        needle: &Needle,
        found: impl Fn(u64, String),
        is_over: impl Fn() -> bool,
    ) {
        let mut from = File::from(file).take(most);
        // Bytes in the buffer that were there before; lines before the buffer.
        let (mut kept, mut lines, mut first, mut told) = (0, 0_u64, true, 0);
        loop {
            let Some(read) = fill(&mut from, &mut self.buffer[kept..]) else { return };
            let end = kept + read;
            let is_end = end < self.buffer.len();
            if first && memchr::memchr(0, &self.buffer[..end.min(HEAD)]).is_some() {
                return;
            }
            first = false;
            // What comes again with the next piece: the last line, so far as it is none too long.
            let again = if is_end { end } else { again_from(&self.buffer[..end], needle.length()) };
            let looked_in = if needle.fold {
                self.folded.clear();
                self.folded.extend_from_slice(&self.buffer[..end]);
                self.folded.make_ascii_lowercase();
                &self.folded
            } else {
                &self.buffer[..end]
            };
            let (mut at, mut counted) = (0, 0);
            while let Some(next) = needle.finder.find(&looked_in[at..]).map(|next| at + next) {
                if next >= again {
                    break;
                }
                lines += memchr_iter(b'\n', &self.buffer[counted..next]).count() as u64;
                counted = next;
                found(lines + 1, shown(&self.buffer[..end], next));
                told += 1;
                if told == LINES || is_over() {
                    return;
                }
                // The next line.
                at = memchr::memchr(b'\n', &looked_in[next..]).map_or(end, |line| next + line + 1);
            }
            if is_end || is_over() {
                return;
            }
            lines += memchr_iter(b'\n', &self.buffer[counted.min(again)..again]).count() as u64;
            self.buffer.copy_within(again..end, 0);
            kept = end - again;
        }
    }
}

/// Fills the buffer as far as there is something.
fn fill(from: &mut impl Read, to: &mut [u8]) -> Option<usize> {
    let mut filled = 0;
    while filled < to.len() {
        match from.read(&mut to[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(filled)
}

fn again_from(buffer: &[u8], needle: usize) -> usize {
    let least = buffer.len().saturating_sub(needle.saturating_sub(1));
    let line = memrchr(b'\n', buffer).map_or(0, |at| at + 1);
    line.max(buffer.len().saturating_sub(LINE)).min(least)
}

/// The line around a place.
fn shown(buffer: &[u8], at: usize) -> String {
    let begin = memrchr(b'\n', &buffer[..at]).map_or(0, |line| line + 1);
    let end = memchr::memchr(b'\n', &buffer[at..]).map_or(buffer.len(), |line| at + line);
    // A character has four bytes at most.
    let begin = begin.max(at.saturating_sub(4 * BEFORE));
    let end = end.min(at + 4 * SHOWN);
    let (before, after) = (text(&buffer[begin..at]), text(&buffer[at..end]));
    let left_out = before.chars().count().saturating_sub(BEFORE);
    let line: String = before.chars().skip(left_out).chain(after.chars()).take(SHOWN).collect();
    line.trim_end_matches('\r').to_owned()
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    // A character may be cut at either end.
    let cut = bytes.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    String::from_utf8_lossy(&bytes[cut..])
}
