//! Removes damaged blobs from the repository's index. The next backup with the same content stores them again, which also
//! repairs older backups.

use std::collections::HashSet;

use rustic_core::repofile::{IndexFile, PackId};
use rustic_core::{IndexedFullStatus, Repository};

use super::message::{Failure, FailureCode};
use super::seal::{name_of, seal};
use super::space::Space;
use super::store::Kind;

/// Rewrites the index files that contain these packs, without the unreadable blobs. The caller must hold an exclusive
/// lock.
pub(super) fn heal(
    repository: &Repository<IndexedFullStatus>,
    space: &Space,
    key: &[u8; 64],
    bad: &HashSet<PackId>,
) -> Result<(), Failure> {
    let sizes: Vec<_> = space.store.list(Kind::Pack)?.into_iter().filter(|(id, _)| has(bad, id)).collect();
    for (id, _) in space.store.list(Kind::Index)? {
        let mut index =
            repository.get_file::<IndexFile>(&id.into()).map_err(|error| space.failure(&error))?;
        if !index.packs.iter().any(|pack| bad.contains(&pack.id)) {
            continue;
        }
        for pack in index.packs.iter_mut().filter(|pack| bad.contains(&pack.id)) {
            match sizes.iter().find(|(id, _)| *id == *pack.id) {
                Some((_, size)) => {
                    pack.blobs.retain(|blob| repository.get_blob_cached(&blob.id, blob.tpe).is_ok());
                    pack.size = Some(*size);
                }
                None => pack.blobs.clear(),
            }
        }
        index.packs.retain(|pack| !pack.blobs.is_empty());
        let content = serde_json::to_vec(&index).ok().and_then(|text| seal(&text, key));
        let content = content.ok_or_else(|| {
            Failure::new(FailureCode::Failed, "The repository's index could not be written.")
        })?;
        // The new file first: if killed in between, both exist, which is harmless.
        space.store.write(Kind::Index, &name_of(&content), std::slice::from_ref(&content))?;
        space.store.remove(Kind::Index, &id)?;
    }
    Ok(())
}

fn has(bad: &HashSet<PackId>, id: &rustic_core::Id) -> bool {
    bad.contains(&PackId::from(*id))
}
