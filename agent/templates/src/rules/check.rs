//! Checks a value against a rule.

use std::net::IpAddr;

use super::broken::Broken;
use super::parse::Rule;

pub(super) fn rule(rule: &Rule, value: &str, numeric: bool) -> Result<(), Broken> {
    let when = |good: bool, code, params: &[(&'static str, &str)]| {
        if good { Ok(()) } else { Err(Broken::new(code, params)) }
    };
    let size = size(value, numeric);
    let named = |number: &'static str, length: &'static str| if numeric { number } else { length };
    match rule {
        Rule::Required | Rule::Any => Ok(()),
        Rule::Integer => when(is_integer(value), "integer", &[]),
        Rule::Numeric => when(is_number(value), "numeric", &[]),
        Rule::Boolean => when(matches!(value, "0" | "1" | "true" | "false"), "boolean", &[]),
        Rule::Min(min) => when(size >= *min, named("min_number", "min_length"), &[("min", &min.to_string())]),
        Rule::Max(max) => when(size <= *max, named("max_number", "max_length"), &[("max", &max.to_string())]),
        Rule::Between(min, max) => {
            let params = [("min", min.to_string()), ("max", max.to_string())];
            let params = params.each_ref().map(|(name, value)| (*name, value.as_str()));
            when(size >= *min && size <= *max, named("between_number", "between_length"), &params)
        }
        Rule::Size(wanted) => {
            let same = (size - wanted).abs() < f64::EPSILON;
            when(same, named("size_number", "size_length"), &[("size", &wanted.to_string())])
        }
        Rule::MoreThan(than, same) => when(
            size > *than || (*same && size >= *than),
            named("more_number", "more_length"),
            &[("than", &than.to_string())],
        ),
        Rule::LessThan(than, same) => when(
            size < *than || (*same && size <= *than),
            named("less_number", "less_length"),
            &[("than", &than.to_string())],
        ),
        _ => shape(rule, value, when),
    }
}

fn shape(
    rule: &Rule,
    value: &str,
    when: impl Fn(bool, &'static str, &[(&'static str, &str)]) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let digits = |value: &str| value.bytes().all(|byte| byte.is_ascii_digit());
    match rule {
        Rule::Digits(count) => {
            when(digits(value) && value.len() == *count, "digits", &[("digits", &count.to_string())])
        }
        Rule::DigitsBetween(min, max) => {
            let good = digits(value) && value.len() >= *min && value.len() <= *max;
            when(good, "digits_between", &[("min", &min.to_string()), ("max", &max.to_string())])
        }
        Rule::In(list) => when(list.iter().any(|one| one == value), "in", &[("values", &list.join(", "))]),
        Rule::NotIn(list) => {
            when(list.iter().all(|one| one != value), "not_in", &[("values", &list.join(", "))])
        }
        Rule::Regex { written, pattern, wanted } => {
            let code = if *wanted { "regex" } else { "not_regex" };
            when(pattern.is_match(value) == *wanted, code, &[("pattern", written)])
        }
        Rule::Alpha => when(value.chars().all(char::is_alphabetic), "alpha", &[]),
        Rule::AlphaNum => when(value.chars().all(char::is_alphanumeric), "alpha_num", &[]),
        Rule::AlphaDash => {
            let good = value.chars().all(|char| char.is_alphanumeric() || matches!(char, '-' | '_'));
            when(good, "alpha_dash", &[])
        }
        Rule::Url => when(is_url(value), "url", &[]),
        Rule::Ip => when(value.parse::<IpAddr>().is_ok(), "ip", &[]),
        Rule::Email => {
            let good = value.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
            when(good && !value.contains(char::is_whitespace), "email", &[])
        }
        Rule::Uuid => when(is_uuid(value), "uuid", &[]),
        Rule::StartsWith(list) => when(
            list.iter().any(|one| value.starts_with(one)),
            "starts_with",
            &[("values", &list.join(", "))],
        ),
        Rule::EndsWith(list) => {
            when(list.iter().any(|one| value.ends_with(one)), "ends_with", &[("values", &list.join(", "))])
        }
        _ => Ok(()),
    }
}

/// The number, or the number of characters. Another rule has already refused a value that is not a number.
#[allow(clippy::cast_precision_loss)]
fn size(value: &str, numeric: bool) -> f64 {
    let number = numeric.then(|| value.trim().parse::<f64>().ok()).flatten();
    number.unwrap_or_else(|| value.chars().count() as f64)
}

fn is_integer(value: &str) -> bool {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain && value.parse::<i64>().is_ok()
}

fn is_number(value: &str) -> bool {
    let plain = |char: char| char.is_ascii_digit() || matches!(char, '+' | '-' | '.' | 'e' | 'E');
    value.chars().all(plain) && value.parse::<f64>().is_ok()
}

fn is_url(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else { return false };
    let scheme_good = scheme.starts_with(|char: char| char.is_ascii_alphabetic())
        && scheme.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '+' | '-' | '.'));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    scheme_good && !host.is_empty() && !value.contains(|char: char| char.is_whitespace() || char.is_control())
}

fn is_uuid(value: &str) -> bool {
    let lengths: Vec<usize> = value.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && value.chars().all(|char| char == '-' || char.is_ascii_hexdigit())
}
