//! The files in a snapshot. A repository may have been written by somebody else, so its content is not trusted: invalid names are
//! left out, and the depth of folders is limited.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;

use bytes::Bytes;
use rustic_core::repofile::{BlobType, Metadata, Node, NodeType, SnapshotFile};
use rustic_core::{BlobId, DataId, IndexedFullStatus, Repository, RusticError};

use super::message::{Failure, FailureCode};

/// Folders in folders.
pub(super) const DEPTH: usize = 256;
/// Bytes of a name.
const NAME: usize = 255;

/// A repository whose files can be read.
pub(super) type Readable = Repository<IndexedFullStatus>;

/// The folder of the server in a snapshot.
pub(super) fn top(repository: &Readable, snapshot: &SnapshotFile) -> Result<Node, Box<RusticError>> {
    if repository.get_tree(&snapshot.tree)?.nodes.is_empty() {
        // A backup of an empty folder does not hold the folder either.
        return Ok(Node::new_node(OsStr::new(""), NodeType::Dir, Metadata::default()));
    }
    let path = snapshot.paths.iter().next().cloned().unwrap_or_default();
    repository.node_from_snapshot_and_path(snapshot, &path)
}

/// A node's name as bytes.
pub(super) fn name(node: &Node) -> Cow<'_, [u8]> {
    match node.name() {
        Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
        Cow::Owned(name) => Cow::Owned(name.as_bytes().to_vec()),
    }
}

/// Whether it is the name of one entry of a folder.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..")
        && name.len() <= NAME
        && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}

/// What is in a folder: files, folders and links with a name of their own, by the bytes of their names.
pub(super) fn entries(repository: &Readable, folder: &Node) -> Result<Vec<Node>, Box<RusticError>> {
    let Some(tree) = &folder.subtree else { return Ok(Vec::new()) };
    Ok(believed(repository.get_tree(tree)?.nodes))
}

/// Drops entries that a server's folder cannot contain.
fn believed(mut nodes: Vec<Node>) -> Vec<Node> {
    let mut seen = HashSet::with_capacity(nodes.len());
    nodes.retain(|node| {
        let kept = matches!(node.node_type, NodeType::File | NodeType::Dir | NodeType::Symlink { .. });
        let name = name(node);
        kept && is_name(&name) && seen.insert(name.into_owned())
    });
    nodes.sort_unstable_by(|one, other| name(one).cmp(&name(other)));
    nodes
}

/// What lies at a path below a folder, which begins with no `/`; the empty path is the folder itself. `None` if nothing is there.
pub(super) fn find(repository: &Readable, top: &Node, path: &[u8]) -> Result<Option<Node>, Box<RusticError>> {
    let mut here = top.clone();
    for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        if !is_name(part) || here.node_type != NodeType::Dir {
            return Ok(None);
        }
        let there = entries(repository, &here)?.into_iter().find(|node| name(node).as_ref() == part);
        match there {
            Some(node) => here = node,
            None => return Ok(None),
        }
    }
    Ok(Some(here))
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Bytes of all files.
    pub(super) bytes: u64,
    /// Files.
    pub(super) files: u64,
}

/// How much is in a file or a folder.
pub(super) fn measure(repository: &Readable, node: &Node) -> Result<Size, Box<RusticError>> {
    let mut size = Size::default();
    let mut left = vec![(node.clone(), 0)];
    while let Some((node, depth)) = left.pop() {
        match node.node_type {
            NodeType::Dir if depth < DEPTH => {
                left.extend(entries(repository, &node)?.into_iter().map(|node| (node, depth + 1)));
            }
            NodeType::File => {
                size.bytes = size.bytes.saturating_add(node.meta.size);
                size.files += 1;
            }
            _ => {}
        }
    }
    Ok(size)
}

/// The error for a path that is not in the backup.
pub(super) fn missing(path: &str) -> Failure {
    Failure::new(FailureCode::NotFound, format!("There is no {path} in this backup."))
}

/// The bytes of a file, one piece after another.
pub(super) struct Content<'r> {
    repository: &'r Readable,
    pieces: std::slice::Iter<'r, DataId>,
    now: Bytes,
    left: u64,
    /// Why it could not be read.
    pub(super) failed: Option<Box<RusticError>>,
}

impl<'r> Content<'r> {
    pub(super) fn new(repository: &'r Readable, node: &'r Node) -> Self {
        let pieces = node.content.as_deref().unwrap_or_default().iter();
        Self { repository, pieces, now: Bytes::new(), left: node.meta.size, failed: None }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            let Some(id) = self.pieces.next() else { return Ok(0) };
            match self.repository.get_blob_cached(&BlobId::from(**id), BlobType::Data) {
                Ok(bytes) => self.now = bytes,
                Err(error) => {
                    self.failed = Some(error);
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
        // As many as its length says: that is written already.
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(to.len()).min(self.now.len());
        let piece = self.now.split_to(most);
        to[..most].copy_from_slice(&piece);
        self.left -= most as u64;
        Ok(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_of_others_is_not_believed() {
        let tree = serde_json::json!([
            { "name": "z", "type": "file" },
            { "name": "..", "type": "dir" },
            { "name": "a/b", "type": "file" },
            { "name": "../../etc/cron.d/x", "type": "file" },
            { "name": "", "type": "file" },
            { "name": "link", "type": "symlink", "linktarget": "/etc" },
            { "name": "link", "type": "dir" },
            { "name": "disk", "type": "dev", "device": 2049 },
            { "name": "null", "type": "chardev", "device": 259 },
            { "name": "pipe", "type": "fifo" },
            { "name": "new\\nline", "type": "file" },
            { "name": "caf\\xe9", "type": "file" },
        ]);
        let nodes: Vec<Node> = serde_json::from_value(tree).unwrap();
        let kept = believed(nodes);
        let names: Vec<_> = kept.iter().map(|node| name(node).into_owned()).collect();
        assert_eq!(names, [&b"caf\xe9"[..], b"link", b"new\nline", b"z"]);
        assert!(kept[1].is_symlink(), "the second of a name would lie behind the link");
    }

    #[test]
    fn names_lead_nowhere() {
        for good in [&b"world"[..], b"..a", b"new\nline", b"caf\xe9", &[b'x'; 255]] {
            assert!(is_name(good), "{good:?}");
        }
        for bad in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0", &[b'x'; 256]] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
