//! Reads backups: lists folders as long as queries come in, and streams archives.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::mpsc::Receiver;

use jiff::Timestamp;
use protocol::file_paths::{bytes_of, text_of};
use protocol::{ArchiveFormat, FileEntries, FileEntry, FileKind};
use rustic_core::jiff::Timestamp as Time;
use rustic_core::repofile::{Node, NodeType, SnapshotFile};
use rustic_core::{RusticError, TreeId};

use super::contents::{self, Content, DEPTH, Readable};
use super::message::{ContentsQuery, Failure, FailureCode, Outcome, WorkerEvent, say, say_bytes};
use crate::fs::archive::{self, ArchiveError, Attributes, Entries, Format};
use crate::fs::text_below;

/// Bytes of names and targets in one page.
const PAGE: usize = 1 << 20;
/// Bytes of what a link leads to that are told.
const TARGET: usize = 1024;
/// Bytes that go out at once.
const FRAME: usize = 256 * 1024;

/// The snapshots of a repository by the ids of their backups.
pub(super) type Snapshots = HashMap<String, SnapshotFile>;

/// An error of the library in our words.
pub(super) type Told<'t> = &'t dyn Fn(&RusticError) -> Failure;

/// Answers queries until the input ends.
pub(super) fn serve(
    repository: &Readable,
    snapshots: &Snapshots,
    questions: &Receiver<String>,
    told: Told<'_>,
) {
    let mut last = None;
    while let Ok(line) = questions.recv() {
        let answer = match serde_json::from_str::<ContentsQuery>(&line) {
            Ok(asked) => list(repository, snapshots, &asked, &mut last, told),
            Err(error) => Err(Failure::new(FailureCode::Failed, error.to_string())),
        };
        match answer {
            Ok(entries) => say(&WorkerEvent::Listed(entries)),
            Err(Failure { code, message }) => say(&WorkerEvent::Failed { code, message }),
        }
    }
}

/// A page of a folder. The one that was asked for last is kept: the next page is of the same.
fn list(
    repository: &Readable,
    snapshots: &Snapshots,
    asked: &ContentsQuery,
    last: &mut Option<(TreeId, Vec<Node>)>,
    told: Told<'_>,
) -> Result<FileEntries, Failure> {
    let failed = |error: Box<RusticError>| told(&error);
    let snapshot = snapshots.get(&asked.backup_id).ok_or_else(no_backup)?;
    let path = bytes_of(&asked.path);
    let top = contents::top(repository, snapshot).map_err(failed)?;
    let folder = contents::find(repository, &top, &path).map_err(failed)?;
    let folder = folder.ok_or_else(|| contents::missing(&asked.path))?;
    let (NodeType::Dir, Some(tree)) = (&folder.node_type, folder.subtree) else {
        return Err(Failure::new(
            FailureCode::NotFound,
            format!("{} is no folder in this backup.", asked.path),
        ));
    };
    if last.as_ref().is_none_or(|(id, _)| *id != tree) {
        *last = Some((tree, contents::entries(repository, &folder).map_err(failed)?));
    }
    let nodes = last.as_ref().map(|(_, nodes)| nodes.as_slice()).unwrap_or_default();
    let after = asked.after.as_deref().map(bytes_of);
    let begin = after.map_or(0, |after| nodes.partition_point(|node| *contents::name(node) <= *after));
    let mut entries = Vec::new();
    let mut room = PAGE;
    for node in &nodes[begin..] {
        let entry = entry(node);
        let takes = entry.name.len() + entry.target.as_ref().map_or(0, String::len);
        if entries.len() >= asked.limit as usize || (takes > room && !entries.is_empty()) {
            break;
        }
        room = room.saturating_sub(takes);
        entries.push(entry);
    }
    let trimmed: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    Ok(FileEntries {
        path: text_below(&trimmed.join(&b'/')),
        more: begin + entries.len() < nodes.len(),
        total: nodes.len() as u64,
        entries,
    })
}

fn no_backup() -> Failure {
    Failure::new(FailureCode::NotFound, "The backup is not in the repository.")
}

fn entry(node: &Node) -> FileEntry {
    let target = node.is_symlink().then(|| node.node_type.to_link().as_os_str().as_encoded_bytes());
    FileEntry {
        name: text_of(&contents::name(node)),
        kind: match node.node_type {
            NodeType::File => FileKind::File,
            NodeType::Dir => FileKind::Directory,
            NodeType::Symlink { .. } => FileKind::Symlink,
            _ => FileKind::Other,
        },
        size: if node.is_file() { node.meta.size } else { 0 },
        mode: node.meta.mode.unwrap_or(0) & 0o777,
        modified: time(node).unwrap_or(Timestamp::UNIX_EPOCH),
        target_kind: None,
        target: target.filter(|target| target.len() <= TARGET && !target.contains(&0)).map(text_of),
    }
}

/// When it was changed last.
fn time(node: &Node) -> Option<Timestamp> {
    let time = node.meta.mtime?;
    Timestamp::new(time.as_second(), time.subsec_nanosecond()).ok()
}

/// Sends an archive of what has these paths; the empty list is all of it.
pub(super) fn send(
    repository: &Readable,
    snapshot: &SnapshotFile,
    paths: &[String],
    format: ArchiveFormat,
    told: Told<'_>,
) -> Result<Outcome, Failure> {
    let failed = |error: Box<RusticError>| told(&error);
    let top = contents::top(repository, snapshot).map_err(failed)?;
    let mut chosen = chosen(paths);
    let mut nodes = Vec::with_capacity(chosen.len());
    for path in &chosen {
        let node = contents::find(repository, &top, path).map_err(failed)?;
        nodes.push(node.ok_or_else(|| contents::missing(&text_below(path)))?);
    }
    let slices: Vec<&[u8]> = chosen.iter().map(Vec::as_slice).collect();
    let above = archive::common(&slices);
    let format = match format {
        ArchiveFormat::Zip => Format::Zip,
        ArchiveFormat::Tar => Format::Tar,
        ArchiveFormat::TarGz => Format::TarGz,
        ArchiveFormat::TarZst => Format::TarZst,
    };
    let mut sending = Sending { repository, outcome: Outcome::default(), failed: None };
    let written = archive::write(format, Frames(Vec::with_capacity(FRAME)), |entries| {
        for (path, node) in chosen.iter_mut().zip(&nodes) {
            let mut name = path.split_off(above.min(path.len()));
            sending.node(entries, &mut name, node, 0)?;
        }
        Ok(())
    });
    if let Some(error) = &sending.failed {
        return Err(told(error));
    }
    let written = written.map_err(|error| Failure::new(FailureCode::Failed, error.to_string()));
    written?.1.flush().map_err(|error| Failure::io("Sending the archive", &error))?;
    Ok(sending.outcome)
}

/// The paths that were chosen, without those that come with others.
pub(super) fn chosen(paths: &[String]) -> Vec<Vec<u8>> {
    let plain = |path: &String| {
        let bytes = bytes_of(path);
        let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
        parts.join(&b'/')
    };
    let mut chosen: Vec<Vec<u8>> = paths.iter().map(plain).collect();
    if chosen.is_empty() {
        chosen.push(Vec::new());
    }
    chosen.sort_unstable();
    chosen.dedup_by(|path, before| archive::is_within(path, before));
    chosen
}

struct Sending<'r> {
    repository: &'r Readable,
    outcome: Outcome,
    failed: Option<Box<RusticError>>,
}

impl Sending<'_> {
    /// A file, or a folder with what is in it.
    fn node(
        &mut self,
        entries: &mut dyn Entries,
        path: &mut Vec<u8>,
        node: &Node,
        depth: usize,
    ) -> Result<(), ArchiveError> {
        let about = attributes(node);
        match &node.node_type {
            NodeType::Dir => {
                if !path.is_empty() {
                    entries.folder(path, &about).map_err(ArchiveError::Stream)?;
                }
                if depth >= DEPTH {
                    return Ok(());
                }
                for child in contents::entries(self.repository, node).map_err(|error| self.unread(error))? {
                    let length = path.len();
                    if length > 0 {
                        path.push(b'/');
                    }
                    path.extend_from_slice(&contents::name(&child));
                    self.node(entries, path, &child, depth + 1)?;
                    path.truncate(length);
                }
                Ok(())
            }
            NodeType::File => {
                let mut content = Content::new(self.repository, node);
                let written = entries.file(path, &about, node.meta.size, &mut content);
                if let Some(error) = content.failed {
                    return Err(self.unread(error));
                }
                written.map_err(ArchiveError::Stream)?;
                self.outcome.files += 1;
                self.outcome.bytes = self.outcome.bytes.saturating_add(node.meta.size);
                Ok(())
            }
            NodeType::Symlink { .. } => {
                let target = node.node_type.to_link().as_os_str().as_encoded_bytes();
                entries.symlink(path, &about, target).map_err(ArchiveError::Stream)
            }
            _ => Ok(()),
        }
    }

    fn unread(&mut self, error: Box<RusticError>) -> ArchiveError {
        self.failed = Some(error);
        ArchiveError::Stream(io::ErrorKind::InvalidData.into())
    }
}

fn attributes(node: &Node) -> Attributes {
    let kind = match node.node_type {
        NodeType::Dir => 0o040_000,
        NodeType::Symlink { .. } => 0o120_000,
        _ => 0o100_000,
    };
    Attributes {
        mode: kind | node.meta.mode.unwrap_or(0o644) & 0o777,
        uid: node.meta.uid.unwrap_or(0),
        gid: node.meta.gid.unwrap_or(0),
        modified: node.meta.mtime.map_or(0, Time::as_second),
    }
}

/// Bytes on their way to the agent, in pieces.
struct Frames(Vec<u8>);

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(FRAME - self.0.len());
        self.0.extend_from_slice(&bytes[..taken]);
        if self.0.len() == FRAME {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.0.is_empty() {
            say_bytes(&self.0)?;
            self.0.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_another_comes_with_it() {
        let paths = ["/world", "world/region", "//a//b/", "ab"].map(str::to_owned);
        assert_eq!(chosen(&paths), [&b"a/b"[..], b"ab", b"world"]);
        assert_eq!(chosen(&[]), [b""]);
        assert_eq!(chosen(&["/".to_owned(), "/x".to_owned()]), [b""]);
    }
}
