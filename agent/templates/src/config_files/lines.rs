//! Text as lines of bytes. The line endings are kept.

use std::borrow::Cow;

/// A line and its line ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) text: Cow<'a, [u8]>,
    pub(super) end: &'a [u8],
}

/// Splits a text into lines.
pub(super) fn read(body: &[u8]) -> Vec<Line<'_>> {
    let one = |line| {
        let (text, end) = parts(line);
        Line { text: Cow::Borrowed(text), end }
    };
    body.split_inclusive(|byte| *byte == b'\n').map(one).collect()
}

fn parts(line: &[u8]) -> (&[u8], &[u8]) {
    let length = if line.ends_with(b"\r\n") { 2 } else { usize::from(line.ends_with(b"\n")) };
    line.split_at(line.len() - length)
}

/// The line ending of a text.
pub(super) fn ending(lines: &[Line<'_>]) -> &'static [u8] {
    if lines.first().is_some_and(|line| line.end == b"\r\n") { b"\r\n" } else { b"\n" }
}

/// Joins lines into a text.
pub(super) fn write(lines: &[Line<'_>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [&line.text, line.end]).collect::<Vec<_>>().concat()
}

/// Inserts a line at index `at`.
pub(super) fn insert<'a>(lines: &mut Vec<Line<'a>>, at: usize, text: Vec<u8>) {
    let end = ending(lines);
    if at > 0
        && let Some(before) = lines.get_mut(at - 1)
        && before.end.is_empty()
    {
        before.end = end;
    }
    lines.insert(at.min(lines.len()), Line { text: Cow::Owned(text), end });
}

/// Decodes UTF-8, or Latin-1 if that fails, since old programs write it.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}
