//! An added template, as it is stored.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// A template in the panel's own form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Never changes.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The template itself, as JSON of the native form (`agent/templates/template.schema.json`).
    pub body: String,
    /// When it was added.
    pub created_at: Millis,
    /// When it was last replaced by a newer file; absent where it never was.
    #[serde(default)]
    pub updated_at: Option<Millis>,
}
