//! Expressions as PHP writes them: between two delimiters, with flags behind.

use regex_lite::{Regex, RegexBuilder};

/// The delimiter at the end of what begins with this one.
fn closing(opening: char) -> char {
    match opening {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '<' => '>',
        other => other,
    }
}

/// The inside and the flags; `None` where it does not end.
fn parts(written: &str) -> Option<(&str, &str)> {
    let opening = written.chars().next().filter(|char| !char.is_alphanumeric() && *char != '\\')?;
    let rest = &written[opening.len_utf8()..];
    let end = rest.rfind(closing(opening))?;
    let flags = &rest[end + closing(opening).len_utf8()..];
    let escaped = rest[..end].chars().rev().take_while(|char| *char == '\\').count() % 2 == 1;
    (!escaped && flags.chars().all(|flag| flag.is_ascii_alphabetic())).then_some((&rest[..end], flags))
}

/// Whether a rule is whole: one with an expression is not before that has ended.
pub(super) fn ends(rule: &str) -> bool {
    match rule.trim_start().strip_prefix("regex:").or_else(|| rule.trim_start().strip_prefix("not_regex:")) {
        Some(pattern) => parts(pattern).is_some(),
        None => true,
    }
}

/// The expression; `None` where ours cannot do the same (it looks ahead, say).
pub(super) fn read(written: &str) -> Option<Regex> {
    let (inside, flags) = parts(written.trim())?;
    let has = |flag| flags.contains(flag);
    // PHP's `$` also stands before a line end at the end; a value has none.
    RegexBuilder::new(inside)
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .ignore_whitespace(has('x'))
        .size_limit(1 << 20)
        .build()
        .ok()
}
