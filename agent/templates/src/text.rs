//! Cleans untrusted text for display. Markup is kept, because it is always shown as plain text.

/// Characters that are not allowed in displayed text: control characters, and those that change the text direction.
fn hidden(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}')
}

/// Whether a text contains control characters, or characters that change the text direction.
pub fn has_control(text: &str) -> bool {
    text.chars().any(hidden)
}

/// Cleans a single line: control characters and line breaks become spaces, consecutive spaces become one, and the text
/// is cut after `most` characters.
pub fn line(text: &str, most: usize) -> String {
    let spaced: String = text.chars().map(|char| if hidden(char) { ' ' } else { char }).collect();
    let joined = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.chars().take(most).collect()
}

/// Cleans a text of several lines: line breaks become `\n`, control characters except tabs are removed, and the text is
/// cut after `most` characters.
pub fn block(text: &str, most: usize) -> String {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let kept: String = unix.chars().filter(|char| matches!(char, '\n' | '\t') || !hidden(*char)).collect();
    kept.trim_end().chars().take(most).collect()
}
