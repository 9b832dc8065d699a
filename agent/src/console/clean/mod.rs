//! Turns bytes into clean lines, independent of how the bytes are split into chunks.
//!
//! A game may print anything, and a line ends up in terminals and log files of users who trust it. Of escape sequences
//! only well-formed colours (SGR) are kept; clipboard, links, titles and queries are removed, even if a chunk ends in
//! their middle. Cursor movements and erasures within the line are applied ([`Line`]); movements to other lines are
//! dropped. A line feed ends every incomplete sequence, so a broken one costs at most the rest of its line.

use std::borrow::Cow;

use super::line::{Edit, Line};

/// Maximum bytes between `ESC [` and `m`: enough for both true colours and a few attributes in one sequence.
const SGR_MAX: usize = 48;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    /// After ESC.
    Escape,
    /// After ESC and an intermediate such as `(`: one more character follows.
    EscapeMore,
    /// In a control sequence; only kept if it began as `ESC [` and has nothing but colour parameters.
    Control {
        keep: bool,
    },
    /// In an operating system command, device control or similar string.
    String,
    /// In such a string, after ESC.
    StringEscape,
}

/// Splits bytes into clean lines. Uses memory for one line at most.
#[derive(Debug)]
pub struct Cleaner {
    state: State,
    line: Line,
    parameters: String,
    /// First bytes of a character that was split between two chunks.
    pending: [u8; 4],
    pending_len: usize,
}

impl Default for Cleaner {
    fn default() -> Self {
        Self::new()
    }
}

impl Cleaner {
    /// Starts at the beginning of a line.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Text,
            line: Line::default(),
            parameters: String::new(),
            pending: [0; 4],
            pending_len: 0,
        }
    }

    /// Processes bytes; `emit` gets each line that ends in them, and whether it was cut at
    /// [`LINE_MAX`](super::LINE_MAX).
    pub fn push(&mut self, bytes: &[u8], mut emit: impl FnMut(&str, bool)) {
        let rest = self.finish_character(bytes, &mut emit);
        for chunk in rest.utf8_chunks() {
            self.text(chunk.valid(), &mut emit);
            let bad = chunk.invalid();
            match std::str::from_utf8(bad) {
                // An incomplete character at the end: the next chunk may complete it.
                Err(cut)
                    if cut.error_len().is_none()
                        && std::ptr::eq(bad.as_ptr_range().end, rest.as_ptr_range().end) =>
                {
                    self.pending_len = bad.len().min(self.pending.len());
                    self.pending[..self.pending_len].copy_from_slice(&bad[..self.pending_len]);
                }
                Err(_) => self.text("\u{FFFD}", &mut emit),
                Ok(_) => {}
            }
        }
    }

    /// Whether the unfinished line has any content, even blanks. Cheap.
    #[must_use]
    pub fn has_partial(&self) -> bool {
        !self.line.is_empty()
    }

    /// Passes the unfinished line to `take`, and whether it was cut, if there is anything visible in it.
    pub fn partial<T>(&self, take: impl FnOnce(&str, bool) -> T) -> Option<T> {
        self.line.show(|text, cut| (!plain(text).trim().is_empty()).then(|| take(text, cut)))
    }

    /// Ends the stream: emits the unfinished line and resets.
    pub fn finish(&mut self, mut emit: impl FnMut(&str, bool)) {
        if self.pending_len > 0 {
            self.pending_len = 0;
            self.text("\u{FFFD}", &mut emit);
        }
        self.partial(&mut emit);
        *self = Self::new();
    }

    /// Completes a character split between chunks; returns the remaining bytes.
    fn finish_character<'b>(&mut self, bytes: &'b [u8], emit: &mut impl FnMut(&str, bool)) -> &'b [u8] {
        let mut rest = bytes;
        while self.pending_len > 0 {
            let Some((&byte, after)) = rest.split_first() else { return rest };
            let mut tried = self.pending;
            tried[self.pending_len] = byte;
            match std::str::from_utf8(&tried[..=self.pending_len]) {
                Ok(character) => {
                    self.pending_len = 0;
                    self.text(character, emit);
                    rest = after;
                }
                Err(bad) if bad.error_len().is_none() => {
                    self.pending = tried;
                    self.pending_len += 1;
                    rest = after;
                }
                Err(_) => {
                    self.pending_len = 0;
                    self.text("\u{FFFD}", emit);
                }
            }
        }
        rest
    }

    fn text(&mut self, mut text: &str, emit: &mut impl FnMut(&str, bool)) {
        while let Some(first) = text.chars().next() {
            if self.state == State::Text {
                let plain = self.plain_run(text);
                if plain > 0 {
                    self.line.visible(&text[..plain]);
                    text = &text[plain..];
                    continue;
                }
            }
            self.character(first, emit);
            text = &text[first.len_utf8()..];
        }
    }

    /// Length of the run of printable ASCII at the start; if the line is full, of everything that cannot end it.
    fn plain_run(&self, text: &str) -> usize {
        let bytes = text.as_bytes();
        if self.line.is_full() {
            return memchr::memchr3(b'\n', b'\r', 0x1B, bytes).unwrap_or(bytes.len());
        }
        bytes.iter().position(|b| !matches!(b, b' '..=b'~' | b'\t')).unwrap_or(bytes.len())
    }

    fn character(&mut self, c: char, emit: &mut impl FnMut(&str, bool)) {
        match c {
            '\n' => {
                self.state = State::Text;
                self.end_line(emit);
                return;
            }
            '\u{18}' | '\u{1A}' => {
                self.state = State::Text;
                return;
            }
            '\u{1B}' => {
                let in_string = matches!(self.state, State::String | State::StringEscape);
                self.state = if in_string { State::StringEscape } else { State::Escape };
                return;
            }
            _ => {}
        }
        match self.state {
            State::Text => self.text_character(c),
            State::String => match c {
                '\u{07}' | '\u{9C}' => self.state = State::Text,
                _ => {}
            },
            State::StringEscape if c == '\\' => self.state = State::Text,
            State::Escape | State::StringEscape => self.escape(c),
            State::EscapeMore => match c {
                ' '..='/' => {}
                '0'..='~' => self.state = State::Text,
                _ => self.abandon(c),
            },
            State::Control { keep } => self.control(c, keep),
        }
    }

    fn text_character(&mut self, c: char) {
        match c {
            '\r' => self.line.edit(Edit::Return),
            '\u{8}' => self.line.edit(Edit::Back(1)),
            '\u{9B}' => self.begin_control(false),
            '\u{90}' | '\u{98}' | '\u{9D}' | '\u{9E}' | '\u{9F}' => self.state = State::String,
            '\t' => self.line.visible("\t"),
            c if c.is_control() => {}
            // Direction overrides make text read differently than it is; the separators would end the line.
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => {}
            c => self.line.visible(c.encode_utf8(&mut [0; 4])),
        }
    }

    fn escape(&mut self, c: char) {
        match c {
            '[' => self.begin_control(true),
            ']' | 'P' | 'X' | '^' | '_' => self.state = State::String,
            ' '..='/' => self.state = State::EscapeMore,
            '0'..='~' => self.state = State::Text,
            _ => self.abandon(c),
        }
    }

    fn begin_control(&mut self, keep: bool) {
        self.parameters.clear();
        self.state = State::Control { keep };
    }

    fn control(&mut self, c: char, keep: bool) {
        match c {
            '0'..=';' if keep && self.parameters.len() < SGR_MAX => self.parameters.push(c),
            ' '..='?' => self.state = State::Control { keep: false },
            '@'..='~' => {
                self.state = State::Text;
                if keep && c == 'm' {
                    self.line.colour(&self.parameters);
                } else if keep && let Some(edit) = edit(c, &self.parameters) {
                    self.line.edit(edit);
                }
            }
            _ => self.abandon(c),
        }
    }

    /// Not a valid sequence: it ends, and the character stands for itself.
    fn abandon(&mut self, c: char) {
        self.state = State::Text;
        self.text_character(c);
    }

    fn end_line(&mut self, emit: &mut impl FnMut(&str, bool)) {
        self.line.show(emit);
        self.line.clear();
    }
}

/// The edit that a control sequence makes in its line, if any.
fn edit(last: char, parameters: &str) -> Option<Edit> {
    // An invalid or too large number makes the sequence void.
    let n = if parameters.is_empty() { 0 } else { parameters.parse().ok()? };
    Some(match last {
        'K' => Edit::Erase(n),
        'G' | '`' => Edit::Column(n),
        'C' | 'a' => Edit::Forward(n),
        'D' => Edit::Back(n),
        'X' => Edit::Blank(n),
        'P' => Edit::Delete(n),
        '@' => Edit::Insert(n),
        _ => return None,
    })
}

/// A clean line without colours.
#[must_use]
pub fn plain(line: &str) -> Cow<'_, str> {
    if memchr::memchr(0x1B, line.as_bytes()).is_none() {
        return Cow::Borrowed(line);
    }
    let mut text = String::with_capacity(line.len());
    for (at, part) in line.split('\u{1B}').enumerate() {
        // Every part except the first begins with `[…m`.
        text.push_str(if at == 0 { part } else { part.split_once('m').map_or("", |(_, after)| after) });
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests;
