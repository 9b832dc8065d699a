//! What somebody should know about an egg that was taken.

use serde::Serialize;

/// One thing that should be known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Which kind of thing, for programs.
    pub code: Code,
    /// The key in the egg, as a path such as `config.files.server.properties`.
    pub key: String,
    /// What it means, for people.
    pub message: String,
}

/// The kinds of warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A key that means nothing here. It is kept and given back on export.
    UnknownKey,
    /// A key that other panels ignore as well. It is kept.
    IgnoredKey,
    /// A version that nobody knows yet, read as the nearest one.
    UnknownVersion,
    /// A key stands twice; the last one counts.
    DuplicateKey,
    /// Control characters were taken out, or a text was cut.
    Cleaned,
    /// A value of another kind than expected, taken as nothing.
    WrongKind,
    /// No container image is named.
    MissingImage,
    /// A variable took another name.
    Renamed,
    /// A variable that cannot be used. It is kept and given back on export.
    UnusableVariable,
    /// A rule that is not known, and so not checked.
    UnknownRule,
    /// The default does not keep the variable's own rules: it has to be set before the first start.
    DefaultBreaksRules,
    /// A config file that is not set.
    SkippedFile,
    /// The stop sign means that the game is killed at once.
    StopKills,
    /// An expression that cannot be read.
    BadPattern,
    /// The icon is not a picture of points, and is not shown.
    IconNotShown,
}

/// The warnings of one import.
#[derive(Debug, Default)]
pub(super) struct Warnings(pub(super) Vec<Warning>);

/// More say nothing new, and would let a small file make a large answer.
const MOST: usize = 500;

impl Warnings {
    pub(super) fn add(&mut self, code: Code, key: impl Into<String>, message: impl Into<String>) {
        if self.0.len() < MOST {
            let key = crate::text::line(&key.into(), 300);
            self.0.push(Warning { code, key, message: crate::text::line(&message.into(), 500) });
        }
    }
}
