//! Parses rules.

use super::pattern;

/// A validation rule.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Rule {
    Required,
    /// Allows any value: `nullable`, `present`, `sometimes`, `string`, `bail`.
    Any,
    Integer,
    Numeric,
    Boolean,
    Min(f64),
    Max(f64),
    Between(f64, f64),
    Size(f64),
    MoreThan(f64, bool),
    LessThan(f64, bool),
    Digits(usize),
    DigitsBetween(usize, usize),
    In(Vec<String>),
    NotIn(Vec<String>),
    Regex {
        written: String,
        pattern: regex_lite::Regex,
        wanted: bool,
    },
    Alpha,
    AlphaNum,
    AlphaDash,
    Url,
    Ip,
    Email,
    Uuid,
    StartsWith(Vec<String>),
    EndsWith(Vec<String>),
}

impl Rule {
    /// Parses a rule; `None` if it is unknown, or its parameters are invalid.
    pub(super) fn parse(rule: &str) -> Option<Self> {
        let (name, params) = rule.trim_start().split_once(':').unwrap_or((rule.trim(), ""));
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "required" | "filled" => Self::Required,
            "nullable" | "present" | "sometimes" | "string" | "bail" => Self::Any,
            // `int` is a common mistake in eggs.
            "integer" | "int" => Self::Integer,
            "numeric" | "number" => Self::Numeric,
            "boolean" | "bool" => Self::Boolean,
            "min" => Self::Min(number(params)?),
            "max" => Self::Max(number(params)?),
            "between" => pair(params).map(|(min, max)| Some(Self::Between(number(min)?, number(max)?)))??,
            "size" => Self::Size(number(params)?),
            "gt" => Self::MoreThan(number(params)?, false),
            "gte" => Self::MoreThan(number(params)?, true),
            "lt" => Self::LessThan(number(params)?, false),
            "lte" => Self::LessThan(number(params)?, true),
            "digits" => Self::Digits(params.trim().parse().ok()?),
            "digits_between" => {
                let (min, max) = pair(params)?;
                Self::DigitsBetween(min.trim().parse().ok()?, max.trim().parse().ok()?)
            }
            "in" => Self::In(list(params)),
            "not_in" => Self::NotIn(list(params)),
            "regex" => {
                Self::Regex { written: params.to_owned(), pattern: pattern::read(params)?, wanted: true }
            }
            "not_regex" => {
                Self::Regex { written: params.to_owned(), pattern: pattern::read(params)?, wanted: false }
            }
            "alpha" => Self::Alpha,
            "alpha_num" => Self::AlphaNum,
            "alpha_dash" => Self::AlphaDash,
            "url" | "active_url" => Self::Url,
            "ip" | "ipv4" | "ipv6" => Self::Ip,
            "email" => Self::Email,
            "uuid" => Self::Uuid,
            "starts_with" => Self::StartsWith(list(params)),
            "ends_with" => Self::EndsWith(list(params)),
            _ => return None,
        })
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn pair(text: &str) -> Option<(&str, &str)> {
    text.split_once(',')
}

/// Splits at commas. A part in double quotes may contain commas.
fn list(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let Some(part) = parts.last_mut() else { break };
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
            }
            '"' if quoted || part.is_empty() => quoted = !quoted,
            ',' if !quoted => parts.push(String::new()),
            other => part.push(other),
        }
    }
    parts
}

/// Splits a text into rules at `|`, but not within a regular expression.
pub fn split(text: &str) -> Vec<String> {
    let mut rules: Vec<String> = Vec::new();
    let mut open: Option<String> = None;
    for part in text.split('|') {
        let whole = match open.take() {
            Some(before) => format!("{before}|{part}"),
            None => part.to_owned(),
        };
        if pattern::ends(&whole) { rules.push(whole) } else { open = Some(whole) }
    }
    // An unterminated expression is split at every `|`, as Laravel does.
    rules.extend(open.iter().flat_map(|rest| rest.split('|')).map(str::to_owned));
    rules.retain(|rule| !rule.trim().is_empty());
    rules
}
