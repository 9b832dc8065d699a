//! Texts of games, as plain text.

use crate::MAX_TEXT;

/// A text as plain text: what is not UTF-8 is replaced; control characters, and codes for colours that begin with `mark`,
/// are removed. At most [`MAX_TEXT`] characters.
pub(crate) fn plain(bytes: &[u8], mark: Option<char>) -> String {
    // A character has at most 4 bytes, and of a code two characters are removed for each that could stay.
    let bytes = &bytes[..bytes.len().min(MAX_TEXT * 12)];
    strip(&String::from_utf8_lossy(bytes), mark)
}

/// As [`plain`], of a text.
pub(crate) fn strip(text: &str, mark: Option<char>) -> String {
    let mut plain = String::new();
    let mut left = MAX_TEXT;
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        if Some(next) == mark {
            chars.next();
            continue;
        }
        let next = if next.is_control() { ' ' } else { next };
        if next == ' ' && (plain.is_empty() || plain.ends_with(' ')) {
            continue;
        }
        if left == 0 {
            break;
        }
        left -= 1;
        plain.push(next);
    }
    plain.trim().to_owned()
}
