//! Validation rules for the value of a variable, as eggs use them: those of Laravel
//! (<https://laravel.com/docs/validation#available-validation-rules>).

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
    /// Parses rules such as `required` and `between:1,64`. Unknown rules are not checked, see [`Rules::unknown`].
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

    /// The unknown rules, which are not checked.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// Whether a value is required.
    pub fn required(&self) -> bool {
        self.list.iter().any(|rule| matches!(rule, Rule::Required))
    }

    /// Whether size rules apply to the number rather than to the number of characters.
    pub fn numeric(&self) -> bool {
        self.list.iter().any(|rule| matches!(rule, Rule::Numeric | Rule::Integer))
    }

    /// The known rules.
    pub fn list(&self) -> &[Rule] {
        &self.list
    }

    /// Checks a value. The error is the first rule that it breaks.
    pub fn check(&self, value: &str) -> Result<(), Broken> {
        if value.trim().is_empty() {
            // Laravel checks no other rule for an empty value.
            return if self.required() { Err(Broken::new("required", &[])) } else { Ok(()) };
        }
        self.list.iter().try_for_each(|rule| check::rule(rule, value, self.numeric()))
    }
}
