//! A source of templates, as it is stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Millis;

/// Where templates are listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Never changes.
    pub id: String,
    /// The address of the list.
    pub url: String,
    /// What kind of list it was: `index`, `links` or `archive`.
    pub kind: String,
    /// How many templates it lists.
    pub entries: u32,
    /// When it was added.
    pub created_at: Millis,
    /// When it was last fetched.
    pub fetched_at: Millis,
    /// Why the last fetch failed, for people; absent where it did not.
    #[serde(default)]
    pub problem: Option<String>,
    /// When that was.
    #[serde(default)]
    pub tried_at: Option<Millis>,
    /// What was taken out of it: the entry's address or file → the template's id.
    #[serde(default)]
    pub taken: BTreeMap<String, String>,
}

/// What a source lists: compressed, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The entries, without files.
    pub entries: String,
    /// The files of an archive.
    #[serde(default)]
    pub files: String,
}
