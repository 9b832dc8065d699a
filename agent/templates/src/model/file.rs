//! Reads and writes the native form as a file.

use super::{Problem, Template, check};
use crate::value::{self, Limits, Value};

/// Largest template, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

pub(crate) const LIMITS: Limits = Limits { bytes: MAX_BYTES, depth: 32, nodes: 300_000 };

/// Why a file of the native form was refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not valid YAML or JSON, or does not have the keys of the native form.
    #[error("{message}")]
    Shape {
        /// Error message, with the key if it is known.
        message: String,
        /// Line number, from 1; `None` if unknown.
        line: Option<usize>,
    },
    /// It has the right keys, but invalid values.
    #[error("{}", .0.first().map_or_else(String::new, |problem| format!("{}: {}", problem.key, problem.message)))]
    Content(Vec<Problem>),
}

/// Reads the native form from YAML or JSON.
pub fn read(text: &str) -> Result<Template, FileError> {
    let shape = |message: String, line| FileError::Shape { message, line };
    // Parsed twice: first to check the size limits, then into the types, which reports the invalid key.
    let json = text.trim_start().starts_with('{');
    let bounded = if json { value::from_json(text, &LIMITS) } else { value::from_yaml(text, &LIMITS) };
    let bounded = bounded.map_err(|error| shape(error.message, error.line))?;
    from_value(&bounded)
}

/// Reads the native form from a parsed document.
pub fn from_value(document: &Value) -> Result<Template, FileError> {
    let template: Template = serde_json::from_str(&value::to_json(document))
        .map_err(|error| FileError::Shape { message: said(&error), line: None })?;
    let problems = check(&template);
    if problems.is_empty() { Ok(template) } else { Err(FileError::Content(problems)) }
}

/// The error without its position, which refers to the intermediate JSON and not to the user's file.
fn said(error: &serde_json::Error) -> String {
    error.to_string().split(" at line ").next().unwrap_or_default().to_owned()
}

/// Writes the native form as YAML.
pub fn to_yaml(template: &Template) -> String {
    let json = serde_json::to_string(template).unwrap_or_default();
    let own = Limits { bytes: usize::MAX, depth: 128, nodes: usize::MAX };
    value::from_json(&json, &own).map(|value| value::to_yaml(&value)).unwrap_or_default()
}
