//! Templates that somebody added; the built-in ones are part of the program.

pub(crate) mod record;

use crate::error::{Error, Result};
use crate::tables::TEMPLATES;
use crate::tx::{ReadTx, WriteTx};

pub use record::Template;

/// Adds a template. [`Error::Taken`] where its id is in use.
pub fn insert(tx: &WriteTx, template: &Template) -> Result<()> {
    if TEMPLATES.contains(tx, template.id.as_str())? {
        return Err(Error::Taken { what: "the template id" });
    }
    TEMPLATES.put(tx, template.id.as_str(), template)
}

/// Writes a template over the one of its id; `false` where there is none.
pub fn update(tx: &WriteTx, template: &Template) -> Result<bool> {
    if !TEMPLATES.contains(tx, template.id.as_str())? {
        return Ok(false);
    }
    TEMPLATES.put(tx, template.id.as_str(), template)?;
    Ok(true)
}

/// The template with this id.
pub fn get(tx: &ReadTx, id: &str) -> Result<Option<Template>> {
    TEMPLATES.get(tx, id)
}

/// All templates, in the order of their ids.
pub fn list(tx: &ReadTx) -> Result<Vec<Template>> {
    TEMPLATES.all(tx)
}

/// Deletes a template and tells whether it was there. Servers made from it keep what they took over.
pub fn delete(tx: &WriteTx, id: &str) -> Result<bool> {
    TEMPLATES.remove(tx, id)
}
