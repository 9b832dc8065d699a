//! Text from outside, made fit to show: nothing of it is markup, so markup is kept as the text that it is.

/// What must not stand in a line for people: control characters, and those that turn the direction of the text around.
fn hidden(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}')
}

/// Whether there is a control character in it.
pub fn has_control(text: &str) -> bool {
    text.chars().any(hidden)
}

/// One line: control characters and line ends become spaces, runs of them one; cut at `most` characters.
pub fn line(text: &str, most: usize) -> String {
    let spaced: String = text.chars().map(|char| if hidden(char) { ' ' } else { char }).collect();
    let joined = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.chars().take(most).collect()
}

/// Several lines: `\n` only, no other control character but the tab; cut at `most` characters.
pub fn block(text: &str, most: usize) -> String {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let kept: String = unix.chars().filter(|char| matches!(char, '\n' | '\t') || !hidden(*char)).collect();
    kept.trim_end().chars().take(most).collect()
}
