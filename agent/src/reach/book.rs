//! What is kept of the router on the disk: for which servers somebody said yes, and which ports it was asked to forward.
//! A port is written down before the router hears of it, so that a killed agent finds and ends what it began.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use protocol::{Protocol, ServerId};
use serde::{Deserialize, Serialize};

use crate::persist;

/// Name of the file in the agent's folder.
const FILE: &str = "router.state";
/// Largest file that is read.
const LARGEST: u64 = 1 << 20;

/// A port of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Outside {
    pub(super) protocol: Protocol,
    pub(super) port: u16,
}

/// A port that the router was asked to forward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) outside: Outside,
    /// The server that has it.
    pub(super) server_id: ServerId,
    /// Proves to a router with PCP that the mapping is ours.
    pub(super) nonce: [u8; 12],
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    #[serde(default)]
    allowed: BTreeSet<ServerId>,
    #[serde(default)]
    asked: Vec<Asked>,
    #[serde(default)]
    never: BTreeSet<u16>,
}

/// The file, and what is in it.
#[derive(Debug)]
pub(super) struct Book {
    path: PathBuf,
    allowed: BTreeSet<ServerId>,
    asked: BTreeMap<Outside, Asked>,
    /// Ports that are never forwarded: the panel's own.
    never: BTreeSet<u16>,
}

impl Book {
    /// Reads it; one that cannot be read counts as empty, and its leases end by themselves.
    pub(super) fn open(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let content = match read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Content::default(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the list of forwarded ports could not be read");
                Content::default()
            }
        };
        let asked = content.asked.into_iter().map(|asked| (asked.outside, asked)).collect();
        Self { path, allowed: content.allowed, asked, never: content.never }
    }

    pub(super) fn allows(&self, server_id: &ServerId) -> bool {
        self.allowed.contains(server_id)
    }

    /// Whether there is nothing to do for anybody.
    pub(super) fn is_empty(&self) -> bool {
        self.allowed.is_empty() && self.asked.is_empty()
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.values().cloned().collect()
    }

    /// Whether this port is never forwarded.
    pub(super) fn never(&self, port: u16) -> bool {
        self.never.contains(&port)
    }

    /// Allows or forbids the router for a server, and sets the ports that are never forwarded; on the disk when this
    /// returns.
    pub(super) fn allow(&mut self, server_id: &ServerId, allowed: bool, never: &[u16]) -> io::Result<()> {
        let mut changed =
            if allowed { self.allowed.insert(server_id.clone()) } else { self.allowed.remove(server_id) };
        let never: BTreeSet<_> = never.iter().copied().collect();
        changed |= never != self.never;
        self.never = never;
        if changed { self.save() } else { Ok(()) }
    }

    /// Writes down a port that the router is about to be asked for.
    pub(super) fn add(&mut self, asked: Asked) -> io::Result<()> {
        if self.asked.get(&asked.outside) == Some(&asked) {
            return Ok(());
        }
        self.asked.insert(asked.outside, asked);
        self.save()
    }

    /// Forgets a port that the router does not forward any more.
    pub(super) fn remove(&mut self, outside: Outside) -> io::Result<()> {
        if self.asked.remove(&outside).is_none() { Ok(()) } else { self.save() }
    }

    /// Forgets the permission of servers that are no more.
    pub(super) fn keep_only(&mut self, servers: &BTreeSet<ServerId>) -> io::Result<()> {
        let before = self.allowed.len();
        self.allowed.retain(|id| servers.contains(id));
        if self.allowed.len() == before { Ok(()) } else { self.save() }
    }

    fn save(&self) -> io::Result<()> {
        let content =
            Content { allowed: self.allowed.clone(), asked: self.asked(), never: self.never.clone() };
        persist::write_whole(&self.path, &serde_json::to_vec(&content)?).map_err(|error| error.source)
    }
}

fn read(path: &Path) -> io::Result<Content> {
    if fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large"));
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let outside = Outside { protocol: Protocol::Udp, port: 2456 };
        let asked = Asked { outside, server_id: "s".into(), nonce: [3; 12] };
        let mut book = Book::open(folder.path());
        assert!(book.is_empty());
        book.allow(&"s".into(), true, &[3000]).unwrap();
        book.add(asked.clone()).unwrap();
        let mut book = Book::open(folder.path());
        assert!(book.allows(&"s".into()) && !book.allows(&"t".into()));
        assert_eq!(book.asked(), [asked]);
        book.remove(outside).unwrap();
        book.keep_only(&BTreeSet::new()).unwrap();
        let book = Book::open(folder.path());
        assert!(book.is_empty() && book.never(3000) && !book.never(2456));
    }

    #[test]
    fn a_damaged_file_counts_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{\"allowed\": 7").unwrap();
        let mut book = Book::open(folder.path());
        assert!(book.is_empty());
        book.allow(&"s".into(), true, &[3000]).unwrap();
        assert!(Book::open(folder.path()).allows(&"s".into()));
    }
}
