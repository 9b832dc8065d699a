//! Result and errors of an import.

use super::warning::Warning;
use crate::model::Template;
use crate::value::ParseError;

/// An imported template with its warnings.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The template.
    pub template: Template,
    /// What was ignored, changed, or has a different meaning here.
    pub warnings: Vec<Warning>,
}

/// Why an egg was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is not valid JSON or YAML, or exceeds the size limits.
    #[error("this could not be read: {}", .0.message)]
    Unreadable(ParseError),
    /// It is not an egg.
    #[error("this is no egg: {0}")]
    NotAnEgg(String),
    /// The value of a key is invalid.
    #[error("{key}: {message}")]
    Bad {
        /// The key, as a path.
        key: String,
        /// Error message.
        message: String,
    },
}

impl ImportError {
    pub(super) fn bad(key: &str, message: impl Into<String>) -> Self {
        Self::Bad { key: key.to_owned(), message: message.into() }
    }

    /// Line number, from 1; `None` if unknown.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Unreadable(error) => error.line,
            _ => None,
        }
    }
}
