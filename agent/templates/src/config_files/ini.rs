//! INI. A key is `Section.key`, split at the first dot; `[a.b].key` if the name of the section has a dot; without a dot
//! for keys before the first section. Existing keys are changed in their line (the last one if there are several, since
//! that one is effective), others are added at the end of their section.

use std::borrow::Cow;

use super::lines::{self, Line};
use super::settings::{becomes, text_of};
use crate::model::{Scalar, Setting};

pub(super) fn set(body: &[u8], settings: &[Setting]) -> Vec<u8> {
    let mut lines = lines::read(body);
    for setting in settings {
        one(&mut lines, setting);
    }
    lines::write(&lines)
}

/// The section and the key of a path.
pub(super) fn parts(path: &str) -> (&str, &str) {
    if let Some((section, key)) = path.strip_prefix('[').and_then(|rest| rest.split_once("].")) {
        return (section, key);
    }
    path.split_once('.').unwrap_or(("", path))
}

fn one(lines: &mut Vec<Line<'_>>, setting: &Setting) {
    let (section, key) = parts(&setting.key);
    let section = if section == "DEFAULT" { "" } else { section };
    let mut here = section.is_empty();
    let mut seen = here;
    let (mut end, mut pairs) = (0, false);
    let mut found: Option<(usize, Pair)> = None;
    for (index, line) in lines.iter().enumerate() {
        if let Some(name) = header(&line.text) {
            here = name == section;
            seen |= here;
            if here {
                end = index + 1;
                pairs = false;
            }
        } else if here {
            let pair = pair(&line.text);
            pairs |= pair.is_some();
            // A comment after the last pair most likely belongs to what follows.
            if pair.is_some() || (!pairs && !line.text.iter().all(u8::is_ascii_whitespace)) {
                end = index + 1;
            }
            if let Some(pair) = pair.filter(|pair| pair.key == key) {
                found = Some((index, pair));
            }
        }
    }
    let setting = Setting {
        value: Scalar::Text(text_of(&setting.value).replace(['\n', '\r'], " ")),
        ..setting.clone()
    };
    match found {
        Some((index, pair)) => change(lines, index, &pair, &setting),
        None if setting.when.is_none() => {
            add(lines, section, key, &text_of(&setting.value), seen.then_some(end));
        }
        None => {}
    }
}

fn change(lines: &mut [Line<'_>], index: usize, pair: &Pair, setting: &Setting) {
    let Some(value) = becomes(setting, Some(pair.value.as_str())) else { return };
    if pair.value != value.trim() {
        let mut head = pair.head.clone();
        // Behind a colon, the value's equals sign would be read as the delimiter.
        if value.contains('=')
            && !head.contains(&b'=')
            && let Some(colon) = head.iter().rposition(|byte| *byte == b':')
        {
            head[colon] = b'=';
        }
        let text = [head.as_slice(), value.as_bytes()].concat();
        lines[index].text = Cow::Owned(text);
    }
}

fn add(lines: &mut Vec<Line<'_>>, section: &str, key: &str, value: &str, end: Option<usize>) {
    let between = separator(lines);
    let text = format!("{key}{between}{value}").into_bytes();
    let at = end.unwrap_or_else(|| {
        if lines.last().is_some_and(|line| !line.text.iter().all(u8::is_ascii_whitespace)) {
            let at = lines.len();
            lines::insert(lines, at, Vec::new());
        }
        let at = lines.len();
        lines::insert(lines, at, format!("[{section}]").into_bytes());
        lines.len()
    });
    lines::insert(lines, at, text);
    // An empty line between keys without a section and the first section.
    if at == 0 && lines.get(1).is_some_and(|next| header(&next.text).is_some()) {
        lines::insert(lines, 1, Vec::new());
    }
}

/// Separator between keys and values in this file: with spaces if the first pair has them.
fn separator(lines: &[Line<'_>]) -> &'static str {
    let first = lines.iter().find_map(|line| pair(&line.text));
    if first.is_some_and(|pair| pair.head.ends_with(b" = ")) { " = " } else { "=" }
}

fn header(line: &[u8]) -> Option<Cow<'_, str>> {
    let inside = line.trim_ascii().strip_prefix(b"[")?;
    let end = inside.iter().rposition(|byte| *byte == b']')?;
    Some(match lines::decode(&inside[..end]) {
        Cow::Borrowed("DEFAULT") => Cow::Borrowed(""),
        Cow::Borrowed(name) => Cow::Borrowed(name.trim()),
        Cow::Owned(name) => Cow::Owned(name.trim().to_owned()),
    })
}

struct Pair {
    key: String,
    /// Everything before the value.
    head: Vec<u8>,
    value: String,
}

fn pair(line: &[u8]) -> Option<Pair> {
    let start = line.trim_ascii_start();
    if start.is_empty() || matches!(start[0], b';' | b'#' | b'[') {
        return None;
    }
    // A key may contain a colon (`[http://…]` lists of some games), so an equals sign takes precedence.
    let delimiter =
        line.iter().position(|byte| *byte == b'=').or_else(|| line.iter().position(|byte| *byte == b':'))?;
    let rest = &line[delimiter + 1..];
    let blank = rest.len() - rest.trim_ascii_start().len();
    Some(Pair {
        key: lines::decode(line[..delimiter].trim_ascii()).into_owned(),
        head: line[..delimiter + 1 + blank].to_vec(),
        value: lines::decode(rest.trim_ascii()).into_owned(),
    })
}
