//! Java properties, in the format of `java.util.Properties.load`. Existing keys are changed in their line, others are
//! added at the end, and everything else is kept. Values are written in ASCII, which every version of Java reads.

use std::borrow::Cow;

use super::lines;
use super::settings::becomes;
use crate::model::Setting;

/// Position of a key: its first line, its number of lines, the text before its value, and the value.
struct Place {
    line: usize,
    lines: usize,
    head: Vec<u8>,
    value: String,
}

pub(super) fn set(body: &[u8], settings: &[Setting]) -> Vec<u8> {
    let mut lines = lines::read(body);
    for setting in settings {
        let place = find(&lines, &setting.key);
        let Some(value) = becomes(setting, place.as_ref().map(|place| place.value.as_str())) else {
            continue;
        };
        match place {
            Some(place) if place.value == value => {}
            Some(place) => {
                let mut text = place.head;
                text.extend_from_slice(escape(&value, false).as_bytes());
                let end = lines[place.line + place.lines - 1].end;
                lines.drain(place.line + 1..place.line + place.lines);
                lines[place.line].text = Cow::Owned(text);
                lines[place.line].end = end;
            }
            None => {
                let text = format!("{}={}", escape(&setting.key, true), escape(&value, false));
                if is_open(&lines) {
                    // The backslash at the end of the file would make the new line a part of the value before it.
                    let at = lines.len();
                    lines::insert(&mut lines, at, Vec::new());
                }
                let at = lines.len();
                lines::insert(&mut lines, at, text.into_bytes());
            }
        }
    }
    lines::write(&lines)
}

/// The last occurrence of a key, which is the effective one.
fn find(lines: &[lines::Line<'_>], key: &str) -> Option<Place> {
    let mut found = None;
    let mut at = 0;
    while at < lines.len() {
        let start = trim(&lines[at].text);
        if start.is_empty() || start.starts_with(b"#") || start.starts_with(b"!") {
            at += 1;
            continue;
        }
        let mut count = 1;
        while continues(&lines[at + count - 1].text) && at + count < lines.len() {
            count += 1;
        }
        if let Some((head, value)) = parts(&lines[at..at + count], key) {
            found = Some(Place { line: at, lines: count, head, value });
        }
        at += count;
    }
    found
}

/// Whether the last line would continue on another one.
fn is_open(lines: &[lines::Line<'_>]) -> bool {
    let mut open = false;
    for line in lines {
        let start = trim(&line.text);
        let comment = !open && (start.starts_with(b"#") || start.starts_with(b"!"));
        open = !comment && continues(&line.text);
    }
    open
}

fn trim(line: &[u8]) -> &[u8] {
    let skip = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | 0x0c)).count();
    &line[skip..]
}

/// Whether a line ends with an odd number of backslashes, and so continues on the next line.
fn continues(line: &[u8]) -> bool {
    line.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The text before the value, and the value; `None` if these lines belong to another key.
fn parts(lines: &[lines::Line<'_>], key: &str) -> Option<(Vec<u8>, String)> {
    let mut whole: Vec<u8> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let text = if index == 0 { &line.text[..] } else { trim(&line.text) };
        let joined = index + 1 < lines.len() || continues(text);
        whole.extend_from_slice(if joined { &text[..text.len() - 1] } else { text });
    }
    let blank = whole.len() - trim(&whole).len();
    let mut end = blank;
    while end < whole.len() && !matches!(whole[end], b'=' | b':' | b' ' | b'\t' | 0x0c) {
        end += if whole[end] == b'\\' { 2 } else { 1 };
    }
    let end = end.min(whole.len());
    if unescape(&lines::decode(&whole[blank..end])) != key {
        return None;
    }
    let mut start = whole.len() - trim(&whole[end..]).len();
    if matches!(whole.get(start), Some(b'=' | b':')) {
        start = whole.len() - trim(&whole[start + 1..]).len();
    } else if start == whole.len() && end == start {
        // A key without a separator or value.
        let value = String::new();
        return Some(([&whole[..end], b"="].concat(), value));
    }
    let value = unescape(&lines::decode(&whole[start..]));
    Some((whole[..start].to_vec(), value))
}

fn unescape(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    let push = |char: char, units: &mut Vec<u16>| units.extend_from_slice(char.encode_utf16(&mut [0; 2]));
    while let Some(char) = chars.next() {
        if char != '\\' {
            push(char, &mut units);
            continue;
        }
        match chars.next() {
            Some('n') => push('\n', &mut units),
            Some('t') => push('\t', &mut units),
            Some('r') => push('\r', &mut units),
            Some('f') => push('\u{c}', &mut units),
            Some('u') => {
                let digits = chars.as_str().get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
                match digits {
                    Some(unit) => {
                        units.push(unit);
                        chars = chars.as_str()[4..].chars();
                    }
                    None => push('u', &mut units),
                }
            }
            Some(other) => push(other, &mut units),
            None => {}
        }
    }
    String::from_utf16_lossy(&units)
}

fn escape(text: &str, key: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, char) in text.chars().enumerate() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' ' if key || index == 0 => out.push_str("\\ "),
            '=' | ':' if key => out.extend(['\\', char]),
            '#' | '!' if key && index == 0 => out.extend(['\\', char]),
            ' '..='~' => out.push(char),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}
