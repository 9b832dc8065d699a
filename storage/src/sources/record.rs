//! The stored record of a template source.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Millis;

/// A list of templates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Never changes.
    pub id: String,
    /// URL of the list.
    pub url: String,
    /// Kind of the list: `index`, `links` or `archive`.
    pub kind: String,
    /// Number of templates it lists.
    pub entries: u32,
    /// When it was added.
    pub created_at: Millis,
    /// When it was last fetched.
    pub fetched_at: Millis,
    /// Why the last fetch failed, for users; absent if it succeeded.
    #[serde(default)]
    pub problem: Option<String>,
    /// When the last failed fetch was attempted.
    #[serde(default)]
    pub tried_at: Option<Millis>,
    /// Templates imported from it: the entry's address or file → the template's id.
    #[serde(default)]
    pub taken: BTreeMap<String, String>,
    /// Hashes of linked templates that are here, as they were there when the source was last fetched, by address.
    #[serde(default)]
    pub states: BTreeMap<String, String>,
}

/// Contents of a source, as compressed text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The entries, without files.
    pub entries: String,
    /// The files of an archive.
    #[serde(default)]
    pub files: String,
}
