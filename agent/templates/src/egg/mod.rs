//! Eggs, the template format of Pterodactyl and Pelican: PTDL_v1, PTDL_v2, PLCN_v1 to v3, as JSON or YAML.
//!
//! An imported egg becomes a [`Template`](crate::model::Template). Unknown keys are kept in its `extras`, in the
//! structure of the egg, and restored on export. Everything that is changed or ignored is reported as a [`Warning`]
//! with the key.

mod config;
mod error;
mod export;
mod images;
mod legacy;
mod native;
mod read;
mod reading;
mod stop;
mod variables;
mod warning;

#[cfg(test)]
mod public_tests;
#[cfg(test)]
mod tests;

pub use error::{ImportError, Imported};
pub use export::{Format, export};
pub use warning::{Code, Warning};

use crate::value::{self, ParseError, Value};

/// Imports a parsed egg.
pub fn import_document(document: &Value) -> Result<Imported, ImportError> {
    read::template(document)
}

/// Imports an egg from JSON or YAML.
pub fn import(bytes: &[u8]) -> Result<Imported, ImportError> {
    read::template(&document(bytes)?)
}

/// Whether a document is a template in the native form rather than an egg.
pub fn is_native(document: &Value) -> bool {
    document.get("template").is_some() && document.get("about").is_some()
}

/// Parses a file as JSON if it begins with a brace, and as YAML otherwise.
pub fn document(bytes: &[u8]) -> Result<Value, ImportError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        ImportError::Unreadable(ParseError { message: "it is not UTF-8 text".into(), line: Some(line) })
    })?;
    let limits = &crate::model::LIMITS;
    let json = text.trim_start().starts_with('{');
    if json { value::from_json(text, limits) } else { value::from_yaml(text, limits) }
        .map_err(ImportError::Unreadable)
}
