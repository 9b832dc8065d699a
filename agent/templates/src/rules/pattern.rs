//! Regular expressions in PHP's notation: between two delimiters, followed by flags.

use regex_lite::{Regex, RegexBuilder};

/// The closing delimiter for an opening one.
fn closing(opening: char) -> char {
    match opening {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '<' => '>',
        other => other,
    }
}

/// The expression and its flags; `None` if the closing delimiter is missing.
fn parts(written: &str) -> Option<(&str, &str)> {
    let opening = written.chars().next().filter(|char| !char.is_alphanumeric() && *char != '\\')?;
    let rest = &written[opening.len_utf8()..];
    let end = rest.rfind(closing(opening))?;
    let flags = &rest[end + closing(opening).len_utf8()..];
    let escaped = rest[..end].chars().rev().take_while(|char| *char == '\\').count() % 2 == 1;
    (!escaped && flags.chars().all(|flag| flag.is_ascii_alphabetic())).then_some((&rest[..end], flags))
}

/// Whether a rule is complete. A rule with a regular expression is only complete with its closing delimiter.
pub(super) fn ends(rule: &str) -> bool {
    match rule.trim_start().strip_prefix("regex:").or_else(|| rule.trim_start().strip_prefix("not_regex:")) {
        Some(pattern) => parts(pattern).is_some(),
        None => true,
    }
}

/// Compiles the expression; `None` if `regex_lite` does not support it (such as lookahead).
pub(super) fn read(written: &str) -> Option<Regex> {
    let (inside, flags) = parts(written.trim())?;
    let has = |flag| flags.contains(flag);
    // In PHP, `$` also matches before a trailing newline, but a value has none.
    RegexBuilder::new(inside)
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .ignore_whitespace(has('x'))
        .size_limit(1 << 20)
        .build()
        .ok()
}
