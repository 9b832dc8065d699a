//! Warnings about an imported egg.

use serde::Serialize;

/// A warning about an imported egg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Kind of the warning.
    pub code: Code,
    /// Key in the egg, as a path such as `config.files.server.properties`.
    pub key: String,
    /// Explanation for the user.
    pub message: String,
}

/// Kinds of warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// An unknown key. It is kept and restored on export.
    UnknownKey,
    /// A key that other panels ignore too. It is kept and restored on export.
    IgnoredKey,
    /// An unknown version, read as the nearest known one.
    UnknownVersion,
    /// A duplicate key; the last one is used.
    DuplicateKey,
    /// Control characters were removed, or a text was cut.
    Cleaned,
    /// A value of an unexpected type, treated as absent.
    WrongKind,
    /// There is no container image.
    MissingImage,
    /// A variable was renamed.
    Renamed,
    /// An unusable variable. It is kept and restored on export.
    UnusableVariable,
    /// An unknown rule, which is not checked.
    UnknownRule,
    /// The default breaks the variable's rules: the user has to set a value before the first start.
    DefaultBreaksRules,
    /// A config file that is ignored.
    SkippedFile,
    /// The stop command kills the game at once.
    StopKills,
    /// An invalid regular expression.
    BadPattern,
    /// The icon is not a raster image, and is not shown.
    IconNotShown,
}

/// The warnings of one import.
#[derive(Debug, Default)]
pub(super) struct Warnings(pub(super) Vec<Warning>);

/// Most warnings of an import, so that a small file cannot cause a large response.
const MOST: usize = 500;

impl Warnings {
    pub(super) fn add(&mut self, code: Code, key: impl Into<String>, message: impl Into<String>) {
        if self.0.len() < MOST {
            let key = crate::text::line(&key.into(), 300);
            self.0.push(Warning { code, key, message: crate::text::line(&message.into(), 500) });
        }
    }
}
