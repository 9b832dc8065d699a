//! What an import gives.

use super::warning::Warning;
use crate::model::Template;
use crate::value::ParseError;

/// A template with what should be known about how it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The template.
    pub template: Template,
    /// What was not understood, or means something else here.
    pub warnings: Vec<Warning>,
}

/// Why an egg was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is neither JSON nor YAML, or beyond the bounds.
    #[error("this could not be read: {}", .0.message)]
    Unreadable(ParseError),
    /// It is something else.
    #[error("this is no egg: {0}")]
    NotAnEgg(String),
    /// A key holds what cannot be used.
    #[error("{key}: {message}")]
    Bad {
        /// The key, as a path.
        key: String,
        /// What is wrong with it.
        message: String,
    },
}

impl ImportError {
    pub(super) fn bad(key: &str, message: impl Into<String>) -> Self {
        Self::Bad { key: key.to_owned(), message: message.into() }
    }

    /// The line, from 1, where that is known.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Unreadable(error) => error.line,
            _ => None,
        }
    }
}
