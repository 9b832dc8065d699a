//! The top folder of a login without a server: one folder for each server.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use protocol::ServerId;
use sftp::{Attrs, NameEntry};
use tokio::time::Instant;

use crate::auth::Actor;
use crate::error::ApiError;
use crate::files::Files;

/// How old the list may be.
const FRESH: Duration = Duration::from_secs(2);
/// Mode of a read-only folder.
const MODE: u32 = 0o040_555;
/// Bytes of a folder's name.
const LONGEST: usize = 100;

/// Folders by name.
#[derive(Default)]
pub(super) struct Servers {
    by_name: BTreeMap<String, ServerId>,
    read: Option<Instant>,
}

impl Servers {
    /// As of now, or a little before.
    pub(super) fn refresh(&mut self, files: &Files, actor: &Actor) -> Result<(), ApiError> {
        if self.read.is_some_and(|read| read.elapsed() < FRESH) {
            return Ok(());
        }
        self.by_name = names(files.sftp_servers(actor)?);
        self.read = Some(Instant::now());
        Ok(())
    }

    /// The server of this folder. Its id is understood as well.
    pub(super) fn find(&self, name: &[u8]) -> Option<&ServerId> {
        let name = std::str::from_utf8(name).ok()?;
        self.by_name.get(name).or_else(|| self.by_name.values().find(|id| ***id == *name))
    }

    /// All of them.
    pub(super) fn entries(&self) -> Vec<NameEntry> {
        let one = |name: &str| NameEntry {
            name: Bytes::copy_from_slice(name.as_bytes()),
            long: format!("dr-xr-xr-x    2 0        0                   0 Jan  1  1970 {name}").into(),
            attrs: attrs(),
        };
        [".", ".."].into_iter().chain(self.by_name.keys().map(String::as_str)).map(one).collect()
    }
}

/// What a client is told of the top folder.
pub(super) fn attrs() -> Attrs {
    Attrs { size: Some(0), owner: Some((0, 0)), permissions: Some(MODE), times: Some((0, 0)) }
}

/// The servers' names as names of folders; of those that would be the same each has its id behind it.
fn names(servers: Vec<(ServerId, String)>) -> BTreeMap<String, ServerId> {
    let folder = |name: &str| {
        let mut clean: String =
            name.chars().map(|c| if c == '/' || c.is_control() { '-' } else { c }).collect();
        while clean.len() > LONGEST {
            clean.pop();
        }
        let clean = clean.trim().to_owned();
        if matches!(clean.as_str(), "" | "." | "..") { "server".to_owned() } else { clean }
    };
    let all: Vec<_> = servers.into_iter().map(|(id, name)| (folder(&name), id)).collect();
    let (mut seen, mut twice) = (HashSet::new(), HashSet::new());
    for (name, _) in &all {
        if !seen.insert(name.clone()) {
            twice.insert(name.clone());
        }
    }
    let unique = |(name, id): (String, ServerId)| match twice.contains(&name) {
        true => (format!("{name} ({id})"), id),
        false => (name, id),
    };
    all.into_iter().map(unique).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_has_a_folder_of_its_own() {
        let servers = [("1", "Home"), ("2", "a/b"), ("3", "Home"), ("4", ".."), ("5", "")];
        let all = names(servers.into_iter().map(|(id, name)| (id.into(), name.to_owned())).collect());
        let shown: Vec<_> = all.iter().map(|(name, id)| (name.as_str(), id.to_string())).collect();
        let expected =
            [("Home (1)", "1"), ("Home (3)", "3"), ("a-b", "2"), ("server (4)", "4"), ("server (5)", "5")];
        assert_eq!(shown, expected.map(|(name, id)| (name, id.to_owned())));
        let servers = Servers { by_name: all, read: None };
        assert_eq!(servers.find(b"a-b").map(|id| id.to_string()), Some("2".to_owned()));
        assert_eq!(servers.find(b"3").map(|id| id.to_string()), Some("3".to_owned()));
        assert!(servers.find(b"..").is_none() && servers.find(b"\xff").is_none());
        assert_eq!(servers.entries().len(), 7);
    }
}
