//! A rule that a value breaks, as a code and as a sentence.

use std::collections::BTreeMap;

use serde::Serialize;

/// A rule that a value breaks: a code with its parameters, so that the page can translate it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The rule, and whether it counts characters, such as `required`, `max_number` or `max_length`.
    pub code: &'static str,
    /// Parameters of the rule by name, such as `max`.
    pub params: BTreeMap<&'static str, String>,
}

impl Broken {
    pub(super) fn new(code: &'static str, params: &[(&'static str, &str)]) -> Self {
        Self { code, params: params.iter().map(|(name, value)| (*name, (*value).to_owned())).collect() }
    }

    fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// The error in English, as a continuation of the variable's name.
    pub fn sentence(&self) -> String {
        let p = |name| self.param(name);
        match self.code {
            "required" => "must not be empty".to_owned(),
            "integer" => "must be a whole number".to_owned(),
            "numeric" => "must be a number".to_owned(),
            "boolean" => "must be 1 or 0 (true or false)".to_owned(),
            "min_number" => format!("must be at least {}", p("min")),
            "max_number" => format!("must be at most {}", p("max")),
            "between_number" => format!("must be between {} and {}", p("min"), p("max")),
            "size_number" => format!("must be {}", p("size")),
            "more_number" => format!("must be more than {}", p("than")),
            "less_number" => format!("must be less than {}", p("than")),
            "min_length" => format!("must have at least {} characters", p("min")),
            "max_length" => format!("must have at most {} characters", p("max")),
            "between_length" => format!("must have between {} and {} characters", p("min"), p("max")),
            "size_length" => format!("must have exactly {} characters", p("size")),
            "more_length" => format!("must have more than {} characters", p("than")),
            "less_length" => format!("must have fewer than {} characters", p("than")),
            "digits" => format!("must have exactly {} digits", p("digits")),
            "digits_between" => format!("must have between {} and {} digits", p("min"), p("max")),
            "in" => format!("must be one of: {}", p("values")),
            "not_in" => format!("must not be one of: {}", p("values")),
            "regex" => format!("must match {}", p("pattern")),
            "not_regex" => format!("must not match {}", p("pattern")),
            "alpha" => "must have letters only".to_owned(),
            "alpha_num" => "must have letters and digits only".to_owned(),
            "alpha_dash" => "must have letters, digits, dashes and underscores only".to_owned(),
            "url" => "must be an address such as https://example.com".to_owned(),
            "ip" => "must be an IP address".to_owned(),
            "email" => "must be a mail address".to_owned(),
            "uuid" => "must be a UUID".to_owned(),
            "starts_with" => format!("must start with one of: {}", p("values")),
            "ends_with" => format!("must end with one of: {}", p("values")),
            other => format!("breaks the rule {other}"),
        }
    }
}
