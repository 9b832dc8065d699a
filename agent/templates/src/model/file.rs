//! The native form as a file.

use super::{Problem, Template, check};
use crate::value::{self, Limits, Value};

/// How large a template may be, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

pub(crate) const LIMITS: Limits = Limits { bytes: MAX_BYTES, depth: 32, nodes: 300_000 };

/// Why a file of the native form was not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not the native form, or not even YAML or JSON.
    #[error("{message}")]
    Shape {
        /// What is wrong, with the key where it is known.
        message: String,
        /// The line, from 1, where that is known.
        line: Option<usize>,
    },
    /// It says things that cannot be.
    #[error("{}", .0.first().map_or_else(String::new, |problem| format!("{}: {}", problem.key, problem.message)))]
    Content(Vec<Problem>),
}

/// Reads YAML or JSON of the native form.
pub fn read(text: &str) -> Result<Template, FileError> {
    let shape = |message: String, line| FileError::Shape { message, line };
    // Once for the bounds, once for the shape: the second tells which key is wrong.
    let json = text.trim_start().starts_with('{');
    let bounded = if json { value::from_json(text, &LIMITS) } else { value::from_yaml(text, &LIMITS) };
    let bounded = bounded.map_err(|error| shape(error.message, error.line))?;
    from_value(&bounded)
}

/// Reads the native form from what has been parsed.
pub fn from_value(document: &Value) -> Result<Template, FileError> {
    let template: Template = serde_json::from_str(&value::to_json(document))
        .map_err(|error| FileError::Shape { message: said(&error), line: None })?;
    let problems = check(&template);
    if problems.is_empty() { Ok(template) } else { Err(FileError::Content(problems)) }
}

/// Without the place: it counts lines of what nobody wrote.
fn said(error: &serde_json::Error) -> String {
    error.to_string().split(" at line ").next().unwrap_or_default().to_owned()
}

/// Writes YAML.
pub fn to_yaml(template: &Template) -> String {
    let json = serde_json::to_string(template).unwrap_or_default();
    let own = Limits { bytes: usize::MAX, depth: 128, nodes: usize::MAX };
    value::from_json(&json, &own).map(|value| value::to_yaml(&value)).unwrap_or_default()
}
