//! The form field for a variable.

use serde::Serialize;

use super::Rules;
use super::parse::Rule;
use crate::model::Variable;

/// A form field.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Field {
    /// A single line of text.
    Text {
        /// Maximum number of characters; `None` for no limit.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_length: Option<f64>,
    },
    /// A number.
    Number {
        /// Minimum; `None` for no limit.
        #[serde(skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// Maximum; `None` for no limit.
        #[serde(skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
        /// Whether it must be an integer.
        integer: bool,
    },
    /// On or off.
    Switch {
        /// Value when switched on.
        on: String,
        /// Value when switched off.
        off: String,
    },
    /// A choice of several values.
    Choice {
        /// The allowed values.
        options: Vec<String>,
    },
    /// A secret, such as a password.
    Secret {
        /// Maximum number of characters; `None` for no limit.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_length: Option<f64>,
    },
}

/// The form field for a variable, derived from its rules.
pub fn field(variable: &Variable) -> Field {
    let rules = Rules::parse(&variable.rules);
    if let Some(options) =
        rules.list().iter().find_map(|rule| if let Rule::In(list) = rule { Some(list) } else { None })
    {
        return of_choice(options, &rules);
    }
    if rules.list().iter().any(|rule| matches!(rule, Rule::Boolean)) {
        let words = matches!(variable.default.as_str(), "true" | "false");
        let (on, off) = if words { ("true", "false") } else { ("1", "0") };
        return Field::Switch { on: on.into(), off: off.into() };
    }
    let (min, max) = bounds(&rules);
    if variable.secret.unwrap_or_else(|| looks_secret(&variable.name)) {
        return Field::Secret { max_length: max.filter(|_| !rules.numeric()) };
    }
    if rules.numeric() {
        let integer = rules
            .list()
            .iter()
            .any(|rule| matches!(rule, Rule::Integer | Rule::DigitsBetween(..) | Rule::Digits(_)));
        return Field::Number { min, max, integer };
    }
    Field::Text { max_length: max }
}

/// A choice of two opposite words becomes a switch, unless the value may be empty.
fn of_choice(options: &[String], rules: &Rules) -> Field {
    if let [a, b] = options
        && rules.required()
    {
        for (on, off) in [("true", "false"), ("1", "0"), ("yes", "no"), ("on", "off")] {
            let is = |one: &str, other: &str| a.eq_ignore_ascii_case(one) && b.eq_ignore_ascii_case(other);
            if is(on, off) {
                return Field::Switch { on: a.clone(), off: b.clone() };
            }
            if is(off, on) {
                return Field::Switch { on: b.clone(), off: a.clone() };
            }
        }
    }
    Field::Choice { options: options.to_vec() }
}

fn bounds(rules: &Rules) -> (Option<f64>, Option<f64>) {
    let (mut min, mut max) = (None, None);
    for rule in rules.list() {
        match rule {
            Rule::Min(least) => min = Some(*least),
            Rule::Max(most) => max = Some(*most),
            Rule::Between(least, most) => (min, max) = (Some(*least), Some(*most)),
            Rule::Size(size) if !rules.numeric() => (min, max) = (Some(*size), Some(*size)),
            Rule::MoreThan(than, same) => min = Some(if *same { *than } else { than + 1.0 }),
            Rule::LessThan(than, same) => max = Some(if *same { *than } else { than - 1.0 }),
            _ => {}
        }
    }
    (min, max)
}

/// Whether a variable's name suggests a secret, since eggs do not specify it.
pub fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let ends = ["_KEY", "_AUTH", "GSLT", "_PASS", "_PW"].iter().any(|end| name.ends_with(end));
    ends || ["PASSWORD", "PASSWD", "TOKEN", "SECRET", "PASSPHRASE"].iter().any(|part| name.contains(part))
}
