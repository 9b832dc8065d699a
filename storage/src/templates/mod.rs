//! Templates added by users; the built-in ones are part of the program.

pub(crate) mod record;

use crate::error::{Error, Result};
use crate::tables::TEMPLATES;
use crate::tx::{ReadTx, WriteTx};

pub use record::Template;

/// Adds a template. [`Error::Taken`] if its id is in use.
pub fn insert(tx: &WriteTx, template: &Template) -> Result<()> {
    if TEMPLATES.contains(tx, template.id.as_str())? {
        return Err(Error::Taken { what: "the template id" });
    }
    TEMPLATES.put(tx, template.id.as_str(), template)
}

/// Replaces the template with the same id; returns `false` if there is none.
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

/// All templates, ordered by id.
pub fn list(tx: &ReadTx) -> Result<Vec<Template>> {
    TEMPLATES.all(tx)
}

/// Deletes a template; returns whether it existed. Servers created from it keep their copy.
pub fn delete(tx: &WriteTx, id: &str) -> Result<bool> {
    TEMPLATES.remove(tx, id)
}
