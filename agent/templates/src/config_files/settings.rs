//! Applies a setting to a single value, for all formats.

use crate::model::{Scalar, Setting};

/// Largest config file, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// Converts a setting's value to text.
pub(super) fn text_of(value: &Scalar) -> String {
    match value {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Int(value) => value.to_string(),
        Scalar::Float(value) => value.to_string(),
        Scalar::Text(text) => text.clone(),
    }
}

/// The new value for a present one; `None` if the setting's condition is not met.
pub(super) fn becomes(setting: &Setting, present: Option<&str>) -> Option<String> {
    let value = text_of(&setting.value);
    let Some(when) = &setting.when else { return Some(value) };
    let present = present?;
    match when.strip_prefix("regex:") {
        Some(pattern) => {
            let pattern = regex_lite::RegexBuilder::new(pattern).size_limit(1 << 20).build().ok()?;
            pattern.is_match(present).then(|| pattern.replace_all(present, value.as_str()).into_owned())
        }
        None => (present == when).then_some(value),
    }
}
