//! Sets values in config files, before each start of a server. Bytes in, bytes out.
//!
//! The behavior is that of wings (`parser/parser.go`, `parser/helpers.go`, of Pterodactyl and Pelican). But while wings
//! rewrites the whole file, only the changed values are edited here, so that comments and order are kept. The result is
//! parsed again before it is used.

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

/// Why a config file could not be set. The file is left unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It does not have the expected format.
    #[error("it is not {format}: {message}")]
    Unparsable {
        /// Expected format, such as `JSON`.
        format: &'static str,
        /// Line number, from 1; `None` if unknown.
        line: Option<usize>,
        /// Error message for the user.
        message: String,
    },
    /// It is larger than [`MAX_BYTES`].
    #[error("it is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
}

impl ConfigError {
    fn unparsable(format: &'static str, error: ParseError) -> Self {
        Self::Unparsable { format, line: error.line, message: error.message }
    }

    /// Line number, from 1; `None` if unknown.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Unparsable { line, .. } => *line,
            Self::TooLarge => None,
        }
    }
}

/// Renders a config file. `present` is its current content; `None` if it does not exist yet.
pub fn render(file: &ConfigFile, present: Option<&[u8]>, context: &Context) -> Result<Vec<u8>, ConfigError> {
    let settings = resolve(file, context);
    set(file.parser, present.unwrap_or_default(), &settings)
}

/// The settings with their placeholders replaced.
fn resolve(file: &ConfigFile, context: &Context) -> Vec<Setting> {
    // A line break in a variable could otherwise add arbitrary lines to the file.
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

/// Sets values in a file. The placeholders in `settings` must already be replaced.
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

/// Sets values in a format that is parsed as a whole. The file has to be UTF-8. Windows line endings are kept.
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
