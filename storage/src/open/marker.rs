//! The marker `instance.json`: says that this folder had a database, so that a missing one is noticed.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backend::{sync_folder_of, write_synced};
use crate::meta::Instance;
use crate::open::OpenError;

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Marker {
    instance_id: String,
    created_at: Timestamp,
}

/// Whether there is a marker, with any content.
pub(crate) fn is_there(path: &Path) -> Result<bool, OpenError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(OpenError::io("looking for", path, e)),
    }
}

/// Updates the marker from the database.
pub(crate) fn write(path: &Path, instance: &Instance) -> Result<(), OpenError> {
    let marker = Marker {
        instance_id: instance.id.clone(),
        created_at: Timestamp::from_millisecond(instance.created_at).unwrap_or_default(),
    };
    if fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).as_ref() == Some(&marker) {
        return Ok(());
    }
    let write = || {
        let unfinished = path.with_extension("json.new");
        write_synced(&unfinished, &serde_json::to_vec(&marker)?)?;
        fs::rename(&unfinished, path)?;
        sync_folder_of(path)
    };
    write().map_err(|e| OpenError::io("writing", path, e))
}
