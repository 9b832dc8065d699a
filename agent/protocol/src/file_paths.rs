//! Paths and names of files as text. A file's name is bytes, and need not be UTF-8: each byte that is not part of valid
//! UTF-8 is written as the character U+EF00 + byte (U+EF80 to U+EFFF, as MirBSD's OPTU encodings do), and such a character
//! in a name is written as its three bytes in that way. So text and bytes are one to one, and every file can be named.
//!
//! These texts never go through the cleaning of other texts of the protocol: a newline in a name is part of the name.

use super::payload::few;

/// Bytes of a path, without the zero that the kernel wants behind it.
pub const PATH_BYTES: usize = 4095;
/// Bytes of each name in it.
pub const NAME_BYTES: usize = 255;
/// Where the characters for bytes begin.
const ESCAPE: u32 = 0xEF00;

/// A file's name or path as text.
#[must_use]
pub fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\u{EF80}'..='\u{EFFF}' => {
                    let mut room = [0; 4];
                    text.extend(c.encode_utf8(&mut room).bytes().map(escaped));
                }
                c => text.push(c),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| escaped(*byte)));
    }
    text
}

/// The bytes that a text stands for.
#[must_use]
pub fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // The cast takes the low byte, which is what is wanted.
            '\u{EF80}'..='\u{EFFF}' => bytes.push((u32::from(c) & 0xFF) as u8),
            c => {
                let mut room = [0; 4];
                bytes.extend_from_slice(c.encode_utf8(&mut room).as_bytes());
            }
        }
    }
    bytes
}

fn escaped(byte: u8) -> char {
    char::from_u32(ESCAPE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Bytes that a text stands for.
fn length(text: &str) -> usize {
    text.chars().map(|c| if matches!(c, '\u{EF80}'..='\u{EFFF}') { 1 } else { c.len_utf8() }).sum()
}

/// A path in a request. How it is written (`..`, slashes) is checked where it is used; here is only how long it may be,
/// with room for the slash that it may begin with.
pub(super) fn path(what: &str, text: &str) -> Result<(), String> {
    if text.len() > 3 * (PATH_BYTES + 1) || length(text) > PATH_BYTES + 1 {
        return Err(format!("{what} has more than {PATH_BYTES} bytes"));
    }
    if text.contains('\0') {
        return Err(format!("{what} holds a NUL"));
    }
    Ok(())
}

/// A list of paths in a request.
pub(super) fn paths(what: &str, all: &[String], most: usize) -> Result<(), String> {
    few(what, all.len(), most)?;
    all.iter().try_for_each(|one| path(what, one))
}

/// One name: of an entry, or where a page of a folder goes on.
pub(super) fn name(what: &str, text: &str) -> Result<(), String> {
    if text.len() > 3 * NAME_BYTES || length(text) > NAME_BYTES || text.contains(['\0', '/']) {
        return Err(format!("{what} is no name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_text_are_one_to_one() {
        for bytes in [
            &b"plain"[..],
            b"",
            "Gr\u{fc}\u{df}e \u{2713} \u{1F3AE}".as_bytes(),
            b"\xff\xfe\x80caf\xe9",
            b"new\nline\r\t\x1b[31m",
            "\u{EF80}\u{EFFF}\u{EF7F}\u{F000}".as_bytes(),
            b"\xee\xbe",
            b"\xed\xa0\x80",
        ] {
            let text = text_of(bytes);
            assert_eq!(bytes_of(&text), bytes, "{text:?}");
            assert_eq!(length(&text), bytes.len(), "{text:?}");
        }
        assert_eq!(text_of(b"caf\xe9"), "caf\u{EFE9}");
        assert_eq!(text_of("\u{EF80}".as_bytes()), "\u{EFEE}\u{EFBE}\u{EF80}");
        // Every pair of bytes that is no text.
        let all = (0..=255).flat_map(|a| (0..=255).map(move |b| [a, b]));
        let mut texts = std::collections::HashSet::new();
        for pair in all {
            let text = text_of(&pair);
            assert_eq!(bytes_of(&text), pair);
            assert!(texts.insert(text));
        }
    }

    #[test]
    fn lengths_are_those_of_the_bytes() {
        let odd = text_of(&[0xff; PATH_BYTES]);
        assert!(odd.len() == 3 * PATH_BYTES && path("path", &odd).is_ok());
        assert!(path("path", &"x".repeat(PATH_BYTES + 2)).is_err());
        assert!(path("path", "a\0b").is_err() && path("path", "a\nb").is_ok());
        assert!(name("name", &text_of(&[0xff; NAME_BYTES])).is_ok());
        assert!(name("name", &"x".repeat(NAME_BYTES + 1)).is_err() && name("name", "a/b").is_err());
    }
}
