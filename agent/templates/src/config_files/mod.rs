//! Config files that are set before each start: bytes in, bytes out.
//!
//! The meaning is that of wings (`parser/parser.go`, `parser/helpers.go`, of Pterodactyl and Pelican). Where those rewrite a
//! whole file, here only what changes is edited, so that comments and order stay; and what was edited is read again before it
//! is taken.

mod file;
mod ini;
mod json;
mod lines;
mod path;
mod properties;
mod settings;
#[cfg(test)]
mod tests;
mod toml;
mod tree;
mod xml;
mod yaml;

pub use settings::MAX_BYTES;

use std::borrow::Cow;

use crate::model::{ConfigFile, Parser, Scalar, Setting};
use crate::placeholders::{self, Context};
use crate::value::ParseError;

/// Why a config file was not set. It stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is not what the parser expects.
    #[error("it is not {format}: {message}")]
    Unparsable {
        /// The format that was expected.
        format: &'static str,
        /// The line, from 1, where that is known.
        line: Option<usize>,
        /// What is wrong, for people.
        message: String,
    },
    /// It has more than [`MAX_BYTES`].
    #[error("it is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
}

impl ConfigError {
    fn unparsable(format: &'static str, error: ParseError) -> Self {
        Self::Unparsable { format, line: error.line, message: error.message }
    }

    /// The line, from 1, where that is known.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Unparsable { line, .. } => *line,
            Self::TooLarge => None,
        }
    }
}

/// What a config file becomes. `present` is its content; absent where there is no such file yet.
pub fn render(file: &ConfigFile, present: Option<&[u8]>, context: &Context) -> Result<Vec<u8>, ConfigError> {
    let settings = resolve(file, context);
    set(file.parser, present.unwrap_or_default(), &settings)
}

/// The settings with their placeholders replaced.
fn resolve(file: &ConfigFile, context: &Context) -> Vec<Setting> {
    // A line end in a variable would begin a line that its author chose.
    let by_lines = matches!(file.parser, Parser::File | Parser::Ini);
    let mut context = Cow::Borrowed(context);
    if by_lines && context.environment.values().any(|value| value.contains(['\n', '\r'])) {
        for value in context.to_mut().environment.values_mut() {
            *value = value.replace(['\n', '\r'], " ");
        }
    }
    let one = |setting: &Setting| Setting {
        value: match &setting.value {
            Scalar::Text(text) => Scalar::Text(placeholders::in_config(text, &context)),
            other => other.clone(),
        },
        ..setting.clone()
    };
    file.set.iter().map(one).collect()
}

/// Sets values in a file. Placeholders have been replaced.
pub fn set(parser: Parser, present: &[u8], settings: &[Setting]) -> Result<Vec<u8>, ConfigError> {
    if present.len() > MAX_BYTES {
        return Err(ConfigError::TooLarge);
    }
    let (mark, body) = match present.strip_prefix(b"\xEF\xBB\xBF") {
        Some(body) => (&present[..3], body),
        None => (&present[..0], present),
    };
    let body = match parser {
        Parser::File => file::set(body, settings),
        Parser::Properties => properties::set(body, settings),
        Parser::Ini => ini::set(body, settings),
        Parser::Json => whole("JSON", body, |text| json::set(text, settings))?,
        Parser::Yaml => whole("YAML", body, |text| yaml::set(text, settings))?,
        Parser::Xml => whole("XML", body, |text| xml::set(text, settings))?,
        Parser::Toml => whole("TOML", body, |text| toml::set(text, settings))?,
    };
    Ok([mark, &body].concat())
}

/// Sets a format that is read as a whole, which has to be UTF-8. Line ends of Windows are kept.
fn whole(
    format: &'static str,
    body: &[u8],
    set: impl Fn(&str) -> Result<String, ParseError>,
) -> Result<Vec<u8>, ConfigError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let line = body[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        ConfigError::unparsable(
            format,
            ParseError { message: "it is not UTF-8 text".into(), line: Some(line) },
        )
    })?;
    let windows = text.contains("\r\n") && text.matches('\n').count() == text.matches("\r\n").count();
    let unix = if windows { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    let done = set(&unix).map_err(|error| ConfigError::unparsable(format, error))?;
    if done == *unix {
        return Ok(body.to_vec());
    }
    Ok(if windows { done.replace('\n', "\r\n").into_bytes() } else { done.into_bytes() })
}
