//! Limits for text received from a peer: its length and its characters. All text from the other side of a link is
//! processed here before it is stored or shown.

/// Maximum bytes of a console line.
const CONSOLE_LINE: usize = 16 * 1024;
/// Maximum bytes between `ESC [` and `m`: enough for both true colours and a few attributes in one sequence.
const SGR_MAX: usize = 48;
/// Appended where a text was cut.
const MARK: char = '…';

/// The limits of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextRule {
    /// Maximum length in bytes.
    most: usize,
    /// Whether it is a console line, which may contain tabs and well-formed colours.
    console: bool,
}

impl TextRule {
    /// For a console line.
    pub const CONSOLE: Self = Self { most: CONSOLE_LINE, console: true };
    /// For a word for programs, such as a code.
    pub const WORD: Self = Self::line(64);
    /// For a name or an id.
    pub const NAME: Self = Self::line(128);
    /// For a path.
    pub const PATH: Self = Self::line(512);
    /// For a message for users.
    pub const SENTENCE: Self = Self::line(1024);

    /// A single line of at most this many bytes, without control characters and escapes.
    #[must_use]
    pub const fn line(most: usize) -> Self {
        Self { most, console: false }
    }

    /// Enforces the limits on a text. True if its end was cut off.
    pub fn apply(self, text: &mut String) -> bool {
        if !is_clean(text) {
            *text = self.cleaned(text);
        }
        let cut = text.len() > self.most;
        if cut {
            let mark = if self.console { 0 } else { MARK.len_utf8() };
            text.truncate(boundary(text, self.most.saturating_sub(mark)));
            if !self.console {
                text.push(MARK);
            }
        }
        // Free the memory of what the peer sent beyond the kept part.
        if text.capacity() > 2 * text.len() + 32 {
            text.shrink_to_fit();
        }
        cut
    }

    /// Like [`Self::apply`], for an optional text; one that is empty afterwards stays.
    pub fn apply_some(self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.apply(text);
        }
    }

    /// Cleans slightly more of the text than may stay.
    fn cleaned(self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len().min(self.most + 64));
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if clean.len() > self.most {
                break;
            }
            let after = &rest[c.len_utf8()..];
            rest = match c {
                '\u{1B}' => {
                    let (length, colour) = escape(after);
                    if colour && self.console {
                        clean.push(c);
                        clean.push_str(&after[..length]);
                    }
                    &after[length..]
                }
                '\u{9B}' => &after[control(after)..],
                '\u{90}' | '\u{98}' | '\u{9D}' | '\u{9E}' | '\u{9F}' => &after[string(after)..],
                '\t' if self.console => {
                    clean.push(c);
                    after
                }
                '\t' | '\n' | '\r' => {
                    if !clean.is_empty() && !clean.ends_with(' ') {
                        clean.push(' ');
                    }
                    after
                }
                c if is_bad(c) => after,
                c => {
                    clean.push(c);
                    after
                }
            };
        }
        if text.ends_with(['\n', '\r']) && clean.ends_with(' ') {
            clean.pop();
        }
        clean
    }
}

/// Whether the text needs no cleaning.
fn is_clean(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~')) || !text.chars().any(is_bad)
}

/// Control characters; direction overrides, which make text read differently than it is; separators, which would end
/// the line.
fn is_bad(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// The length in bytes of what follows an ESC and belongs to it, and whether it is a colour.
fn escape(text: &str) -> (usize, bool) {
    let Some(first) = text.chars().next() else { return (0, false) };
    match first {
        '[' => {
            let length = 1 + control(&text[1..]);
            let inner = text[1..length].strip_suffix('m');
            let colour = inner.is_some_and(|inner| {
                inner.len() <= SGR_MAX && inner.bytes().all(|b| matches!(b, b'0'..=b';'))
            });
            (length, colour)
        }
        ']' | 'P' | 'X' | '^' | '_' => (1 + string(&text[1..]), false),
        ' '..='/' => {
            let more = text.bytes().take_while(|b| matches!(b, b' '..=b'/')).count();
            (more + usize::from(text[more..].starts_with(|c: char| matches!(c, '0'..='~'))), false)
        }
        '0'..='~' => (1, false),
        _ => (0, false),
    }
}

/// The length of a control sequence after its introducer.
fn control(text: &str) -> usize {
    let parameters = text.bytes().take_while(|b| matches!(b, b' '..=b'?')).count();
    parameters + usize::from(text.as_bytes().get(parameters).is_some_and(|b| matches!(b, b'@'..=b'~')))
}

/// The length of a command string after its introducer, including its terminator. It ends with the line at the latest.
fn string(text: &str) -> usize {
    for (at, c) in text.char_indices() {
        match c {
            '\u{07}' | '\u{9C}' => return at + c.len_utf8(),
            '\u{1B}' if text[at + 1..].starts_with('\\') => return at + 2,
            '\n' => return at,
            _ => {}
        }
    }
    text.len()
}

/// The last character boundary that is not after `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(text: &str) -> String {
        let mut text = text.to_owned();
        TextRule::CONSOLE.apply(&mut text);
        text
    }

    fn sentence(text: &str) -> String {
        let mut text = text.to_owned();
        TextRule::SENTENCE.apply(&mut text);
        text
    }

    #[test]
    fn only_colours_stay_and_only_in_consoles() {
        for (text, in_console, elsewhere) in [
            ("plain", "plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "\u{1b}[31mred\u{1b}[0m", "red"),
            ("a\u{1b}]0;title\u{7}b\u{1b}]52;c;AAAA\u{1b}\\c", "abc", "abc"),
            ("a\u{1b}[2Jb\u{1b}[?25lc\u{9b}1;1Hd", "abcd", "abcd"),
            ("a\u{1b}(Bb\u{1b}cc\u{1b}", "abc", "abc"),
            ("one\ntwo\r\nthree\n", "one two three", "one two three"),
            ("a\tb\0\u{8}c", "a\tbc", "a bc"),
            ("\u{202e}evil\u{2028}line", "evilline", "evilline"),
            ("\u{1b}[38;2;1;2;3mtrue", "\u{1b}[38;2;1;2;3mtrue", "true"),
            ("\u{1b}[3\u{1b}[1mx", "\u{1b}[1mx", "x"),
            ("\u{1b}[1;<mx", "x", "x"),
            ("\u{1b}Pq never ends", "", ""),
            ("żółw ✓", "żółw ✓", "żółw ✓"),
        ] {
            assert_eq!(
                (console(text).as_str(), sentence(text).as_str()),
                (in_console, elsewhere),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_marked() {
        let long = "ż".repeat(40_000);
        let cut = sentence(&long);
        assert!(cut.len() <= 1024 && cut.ends_with("ż…"), "{} bytes", cut.len());
        let mut line = long;
        assert!(TextRule::CONSOLE.apply(&mut line));
        assert!(line.len() == CONSOLE_LINE && line.capacity() < 2 * CONSOLE_LINE + 33);
        let mut fits = "x".repeat(1024);
        assert!(!TextRule::SENTENCE.apply(&mut fits));
        let mut word = "\n".repeat(100_000);
        TextRule::WORD.apply(&mut word);
        assert!(word.is_empty() && word.capacity() < 33);
    }
}
