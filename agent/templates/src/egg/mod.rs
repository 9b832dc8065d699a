//! The public format of other panels, "eggs": PTDL_v1, PTDL_v2, PLCN_v1 to v3, as JSON or YAML.
//!
//! What is read becomes a [`Template`](crate::model::Template). Keys that mean nothing here stay in its `extras`, in the shape
//! of the egg, and are given back on export. Everything that could surprise somebody is a [`Warning`] that names the key.

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

/// Reads an egg that has been parsed.
pub fn import_document(document: &Value) -> Result<Imported, ImportError> {
    read::template(document)
}

/// Reads an egg.
pub fn import(bytes: &[u8]) -> Result<Imported, ImportError> {
    read::template(&document(bytes)?)
}

/// Whether this is rather the native form than an egg.
pub fn is_native(document: &Value) -> bool {
    document.get("template").is_some() && document.get("about").is_some()
}

/// Reads JSON, which begins with a brace, or YAML.
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
