//! The line by which a game says that it can be played.

use regex_lite::{Regex, RegexBuilder};

use super::clean::{boundary, plain};

/// Bytes of a line that are looked at: no ready line is longer, and a flood must not cost more than it has to.
const LOOK_AT: usize = 4 * 1024;

/// A pattern that is none.
#[derive(Debug, thiserror::Error)]
#[error("bad pattern for the ready line: {0}")]
pub struct BadPattern(#[from] regex_lite::Error);

/// A piece of text that the ready line holds, or a regular expression for it.
#[derive(Clone, Debug)]
pub enum Ready {
    /// The line holds this.
    Text(String),
    /// The line matches this.
    Pattern(Regex),
}

impl Ready {
    /// `regex:` in front makes it a regular expression.
    ///
    /// # Errors
    /// [`BadPattern`] where it is none, or a monstrous one.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        match text.strip_prefix("regex:") {
            None => Ok(Self::Text(text.to_owned())),
            Some(pattern) => {
                let pattern = RegexBuilder::new(pattern).size_limit(256 * 1024).build()?;
                Ok(Self::Pattern(pattern))
            }
        }
    }

    /// Is this (clean) line it? Colours in it do not matter.
    #[must_use]
    pub fn matches(&self, line: &str) -> bool {
        let line = plain(&line[..boundary(line, LOOK_AT)]);
        match self {
            Self::Text(text) => line.contains(text.as_str()),
            Self::Pattern(pattern) => pattern.is_match(&line),
        }
    }
}
