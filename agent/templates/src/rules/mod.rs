//! The rules that a variable's value has to keep: those that eggs use, with the meaning that they have there (Laravel's
//! validation, <https://laravel.com/docs/validation#available-validation-rules>).

mod broken;
mod check;
mod field;
mod parse;
mod pattern;
#[cfg(test)]
mod tests;

pub use broken::Broken;
pub use field::{Field, field, looks_secret};
pub use parse::{Rule, split};

/// The rules of one variable.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    list: Vec<Rule>,
    unknown: Vec<String>,
}

impl Rules {
    /// Reads rules such as `required` and `between:1,64`. What is not known is not checked, see [`Rules::unknown`].
    pub fn parse<T: AsRef<str>>(rules: &[T]) -> Self {
        let mut found = Self::default();
        for rule in rules.iter().map(AsRef::as_ref).filter(|rule| !rule.trim().is_empty()) {
            match Rule::parse(rule) {
                Some(known) => found.list.push(known),
                None => found.unknown.push(rule.to_owned()),
            }
        }
        found
    }

    /// The rules that are not checked.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// Whether there must be a value.
    pub fn required(&self) -> bool {
        self.list.iter().any(|rule| matches!(rule, Rule::Required))
    }

    /// Whether sizes count as numbers rather than characters.
    pub fn numeric(&self) -> bool {
        self.list.iter().any(|rule| matches!(rule, Rule::Numeric | Rule::Integer))
    }

    /// The rules that are known.
    pub fn list(&self) -> &[Rule] {
        &self.list
    }

    /// Whether a value keeps them all; else the first that it breaks.
    pub fn check(&self, value: &str) -> Result<(), Broken> {
        if value.trim().is_empty() {
            // Laravel asks nothing more of an empty value than that it may be empty.
            return if self.required() { Err(Broken::new("required", &[])) } else { Ok(()) };
        }
        self.list.iter().try_for_each(|rule| check::rule(rule, value, self.numeric()))
    }
}
