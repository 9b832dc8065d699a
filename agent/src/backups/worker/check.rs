//! Checks a repository: whether all packs exist and have the right size, whether a share of them has the right content,
//! and whether all trees can be read. Names the backups that are damaged.

use std::collections::{HashMap, HashSet};

use rustic_core::repofile::{BlobType, IndexFile, PackId};
use rustic_core::{BlobId, DataId, Id, IndexedFullStatus, Repository, RusticError, TreeId};
use sha2::{Digest, Sha256};

use super::message::{Failure, FailureCode, Outcome};
use super::space::{Space, backup_of};
use super::store::Kind;

/// Most damaged backups that are named.
const NAMED: usize = 1_000;
/// Deepest nesting of folders.
const DEPTH: usize = 1_000;

/// A running check.
pub(super) struct Check<'s> {
    pub(super) repository: Repository<IndexedFullStatus>,
    pub(super) space: &'s Space,
}

/// Results so far.
#[derive(Default)]
struct Found {
    /// Missing or damaged packs.
    packs: HashSet<PackId>,
    /// Whether a tree is intact, including everything below it.
    trees: HashMap<TreeId, bool>,
    /// Whether a blob in a damaged pack is readable.
    pieces: HashMap<DataId, bool>,
}

impl Check<'_> {
    /// Checks everything, and the content of the packs in this part of `share`.
    /// Also returns the damaged packs.
    pub(super) fn run(&self, part: u32, share: u32) -> Result<(Outcome, HashSet<PackId>), Failure> {
        let mut found = Found { packs: self.packs(part, share)?, ..Found::default() };
        let (snapshots, unreadable) = self.space.snapshots(&self.repository)?;
        let mut damaged = Vec::new();
        let mut others = unreadable;
        for snapshot in &snapshots {
            if self.tree(snapshot.tree, &mut found, 0) {
                continue;
            }
            match backup_of(snapshot) {
                Some(id) if damaged.len() < NAMED => damaged.push(id),
                _ => others += 1,
            }
        }
        let mut sentences = Vec::new();
        if !found.packs.is_empty() {
            sentences.push(format!(
                "{} files of the backup repository are missing or damaged.",
                found.packs.len()
            ));
            if damaged.is_empty() && others == 0 {
                sentences.push("No backup is affected.".to_owned());
            }
        }
        if others > 0 {
            sentences.push(format!(
                "{others} more backups are damaged, which are unreadable or not from this panel."
            ));
        }
        let warning = (!sentences.is_empty()).then(|| sentences.join(" "));
        Ok((Outcome { damaged, warning, ..Outcome::default() }, found.packs))
    }

    /// Finds missing and damaged packs.
    fn packs(&self, part: u32, share: u32) -> Result<HashSet<PackId>, Failure> {
        let failed = |error: Box<RusticError>| self.space.failure(&error);
        let there: HashMap<Id, u32> = self.space.store.list(Kind::Pack)?.into_iter().collect();
        let mut bad = HashSet::new();
        let mut read = Vec::new();
        for index in
            self.repository.stream_files::<IndexFile>().map_err(|error| self.space.failure(&error))?
        {
            let (_, index) = index.map_err(failed)?;
            for pack in index.packs {
                match there.get(&*pack.id) {
                    Some(size) if *size == pack.pack_size() => {
                        if pack.id.as_u32() % share.max(1) == part {
                            read.push((pack.id, *size));
                        }
                    }
                    _ => drop(bad.insert(pack.id)),
                }
            }
        }
        drop(there);
        let progress = self.repository.progress_bytes("checking");
        progress.set_length(read.iter().map(|(_, size)| u64::from(*size)).sum());
        for (id, size) in read {
            match self.space.read(Kind::Pack, &id) {
                // A pack's name is its hash.
                Ok(bytes) if Id::new(Sha256::digest(&bytes).into()) == *id => {}
                Err(failure) if failure.code != FailureCode::NotFound && !failure.is_of_the_disk() => {
                    return Err(failure);
                }
                _ => drop(bad.insert(id)),
            }
            progress.inc(size.into());
        }
        progress.finish();
        Ok(bad)
    }

    /// Whether everything below this tree is readable.
    fn tree(&self, id: TreeId, found: &mut Found, depth: usize) -> bool {
        if let Some(known) = found.trees.get(&id) {
            return *known;
        }
        let good = depth < DEPTH
            && match self.repository.get_tree(&id) {
                Ok(tree) => {
                    let mut good = true;
                    for node in tree.nodes {
                        let below = node.subtree.is_none_or(|below| self.tree(below, found, depth + 1));
                        let pieces = node.content.iter().flatten().all(|piece| self.piece(*piece, found));
                        good &= below && pieces;
                    }
                    good
                }
                Err(_) => false,
            };
        found.trees.insert(id, good);
        good
    }

    fn piece(&self, id: DataId, found: &mut Found) -> bool {
        let Ok(entry) = self.repository.get_index_entry(&id) else { return false };
        if !found.packs.contains(&entry.pack) {
            return true;
        }
        let blob = BlobId::from(id);
        *found
            .pieces
            .entry(id)
            .or_insert_with(|| self.repository.get_blob_cached(&blob, BlobType::Data).is_ok())
    }
}
