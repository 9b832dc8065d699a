//! The stored record of an added template.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// A template in the panel's own form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Never changes.
    pub id: String,
    /// Display name.
    pub name: String,
    /// The template itself, as JSON of the native form (`agent/templates/template.schema.json`).
    pub body: String,
    /// When it was added.
    pub created_at: Millis,
    /// When it was last replaced by a newer file; absent if it never was.
    #[serde(default)]
    pub updated_at: Option<Millis>,
}
