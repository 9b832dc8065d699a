//! Routes each request: resolves its path to a server and checks permissions.

use std::collections::HashMap;

use bytes::Bytes;
use sftp::{
    Attrs, Extended, Limits, MAX_DATA, MAX_PACKET, NameEntry, OpenFlags, Reply, Request, StatVfs, StatusCode,
};

use super::change_log::ChangeLog;
use super::links::{Client, Links};
use super::path::{Top, absolute, first};
use super::top::{self, Servers};
use crate::error::{ApiError, Code};
use crate::files::SftpPlace;

/// Write size announced to clients; clients send many writes ahead, and all of them may be queued here.
const WRITE: u64 = 64 * 1024;
/// Files and folders that a node lets one client have open.
const HANDLES: u64 = 256;
/// First byte of handles of the top folder; those of nodes start with the link's number.
const OURS: u8 = u8::MAX;
/// Top folders that are being listed.
const LISTINGS: usize = 16;
/// Entries of one answer.
const ENTRIES: usize = 128;

/// The result of routing a request.
pub(super) enum Step {
    /// Answer it here.
    Answer(Reply),
    /// Forward it to this link.
    Forward(u8, Request),
}

/// Routes one client's requests.
pub(super) struct Router {
    pub(super) client: Client,
    pub(super) links: Links,
    top: Top,
    servers: Servers,
    listings: Listings,
    log: ChangeLog,
}

/// Listings of the top folder.
#[derive(Default)]
struct Listings {
    next: u32,
    open: HashMap<u32, Vec<NameEntry>>,
}

impl Listings {
    fn add(&mut self, mut entries: Vec<NameEntry>) -> Result<Bytes, Reply> {
        if self.open.len() >= LISTINGS {
            return Err(Reply::status(StatusCode::Failure, "Too many folders are open."));
        }
        entries.reverse();
        self.next = self.next.wrapping_add(1);
        self.open.insert(self.next, entries);
        let mut handle = vec![OURS];
        handle.extend_from_slice(&self.next.to_be_bytes());
        Ok(handle.into())
    }

    fn number(handle: &[u8]) -> Option<u32> {
        Some(u32::from_be_bytes(handle.get(1..)?.try_into().ok()?))
    }

    fn answer(&mut self, request: &Request) -> Result<Reply, Reply> {
        match request {
            Request::ReadDir { handle } => {
                let number = Self::number(handle).ok_or_else(no_handle)?;
                let entries = self.open.get_mut(&number).ok_or_else(no_handle)?;
                let rest = entries.len().saturating_sub(ENTRIES);
                let mut some = entries.split_off(rest);
                some.reverse();
                match some.is_empty() {
                    true => Err(Reply::status(StatusCode::EndOfFile, "The end of the folder.")),
                    false => Ok(Reply::Names(some)),
                }
            }
            Request::Close { handle } => {
                let number = Self::number(handle).ok_or_else(no_handle)?;
                self.open.remove(&number).map(|_| Reply::ok()).ok_or_else(no_handle)
            }
            Request::Fstat { .. } => Ok(Reply::Attrs(top::attrs())),
            _ => Err(only_servers()),
        }
    }
}

fn no_handle() -> Reply {
    Reply::status(StatusCode::Failure, "There is no such handle.")
}

fn only_servers() -> Reply {
    Reply::status(StatusCode::PermissionDenied, "Here are only the servers' folders. Open one of them.")
}

fn refusal(error: &ApiError) -> Reply {
    let code = match error.code() {
        Code::NotFound => StatusCode::NoSuchFile,
        Code::Forbidden => StatusCode::PermissionDenied,
        _ => StatusCode::Failure,
    };
    Reply::status(code, error.message().to_owned())
}

fn whole(path: &[u8]) -> Result<Vec<u8>, Reply> {
    absolute(path).ok_or_else(|| Reply::status(StatusCode::Failure, "The path is too long, or none."))
}

impl Router {
    pub(super) fn new(client: Client, top: Top) -> Self {
        let log = ChangeLog::new(client.actor.to_string());
        let (servers, links, listings) = (Servers::default(), Links::default(), Listings::default());
        Self { client, top, servers, links, listings, log }
    }

    /// Routes a request; an error is the answer to the client.
    pub(super) async fn step(&mut self, request: Request) -> Result<Step, Reply> {
        match request {
            Request::RealPath { path } => {
                let name = Bytes::from(whole(&path)?);
                let entry = NameEntry { long: name.clone(), name, attrs: Attrs::default() };
                Ok(Step::Answer(Reply::Names(vec![entry])))
            }
            Request::Extended(Extended::Limits) => {
                let limits = Limits {
                    packet: MAX_PACKET as u64,
                    read: MAX_DATA as u64,
                    write: WRITE,
                    handles: HANDLES,
                };
                Ok(Step::Answer(Reply::Extended(limits.encode())))
            }
            Request::Extended(Extended::Other { .. }) => {
                Err(Reply::status(StatusCode::Unsupported, "This extension is not supported."))
            }
            mut request => match handle(&mut request).map(|handle| handle.first().copied()) {
                Some(slot) => self.by_handle(slot.ok_or_else(no_handle)?, request),
                None => self.by_path(request).await,
            },
        }
    }

    /// A request whose handle begins with this byte.
    fn by_handle(&mut self, slot: u8, mut request: Request) -> Result<Step, Reply> {
        if slot == OURS {
            return self.listings.answer(&request).map(Step::Answer);
        }
        if self.links.place(slot).is_none() {
            return Err(no_handle());
        }
        if let Some(handle) = handle(&mut request) {
            // The rest is the node's handle.
            let _ = handle.split_to(1);
        }
        Ok(Step::Forward(slot, request))
    }

    /// The link and the path within the server; `None` for the folder of all servers.
    async fn at(&mut self, path: &[u8]) -> Result<Option<(u8, Bytes)>, Reply> {
        let path = whole(path)?;
        let (server, path) = match &self.top {
            Top::Server(server) => (server.clone(), path.into()),
            Top::Servers => {
                let Some((name, rest)) = first(&path) else { return Ok(None) };
                self.servers
                    .refresh(&self.client.files, &self.client.actor)
                    .map_err(|error| refusal(&error))?;
                let missing = || Reply::status(StatusCode::NoSuchFile, "There is no such server.");
                (self.servers.find(name).ok_or_else(missing)?.clone(), Bytes::copy_from_slice(rest))
            }
        };
        let slot = self.links.to(&server, &self.client).await.map_err(|error| refusal(&error))?;
        Ok(Some((slot, path)))
    }

    /// The same, but refuses the folder of all servers.
    async fn within(&mut self, path: &[u8]) -> Result<(u8, Bytes), Reply> {
        self.at(path).await?.ok_or_else(only_servers)
    }

    fn place(&self, slot: u8) -> Result<&SftpPlace, Reply> {
        self.links.place(slot).ok_or_else(no_handle)
    }

    /// Checks that the server is writable, and logs the change.
    fn change(&mut self, slot: u8, path: &[u8], what: &str) -> Result<(), Reply> {
        let place = self.place(slot)?;
        if !place.is_writable() {
            let sentence = "You may read the files of this server, but not change them now.";
            return Err(Reply::status(StatusCode::PermissionDenied, sentence));
        }
        let server = place.server_id.clone();
        self.log.note(&server, what, path);
        Ok(())
    }

    async fn by_path(&mut self, request: Request) -> Result<Step, Reply> {
        Ok(match request {
            Request::Stat { path } => self.look(&path, |path| Request::Stat { path }).await?,
            Request::Lstat { path } => self.look(&path, |path| Request::Lstat { path }).await?,
            Request::OpenDir { path } => match self.at(&path).await? {
                Some((slot, path)) => {
                    self.place(slot)?.check(&path).map_err(|error| refusal(&error))?;
                    Step::Forward(slot, Request::OpenDir { path })
                }
                None => {
                    self.servers
                        .refresh(&self.client.files, &self.client.actor)
                        .map_err(|error| refusal(&error))?;
                    Step::Answer(Reply::Handle(self.listings.add(self.servers.entries())?))
                }
            },
            Request::Extended(Extended::StatVfs { path }) => match self.at(&path).await? {
                Some((slot, path)) => Step::Forward(slot, Request::Extended(Extended::StatVfs { path })),
                None => {
                    let room = StatVfs { block: 4096, fragment: 4096, name_max: 255, ..StatVfs::default() };
                    Step::Answer(Reply::Extended(room.encode()))
                }
            },
            Request::ReadLink { path } => {
                let (slot, path) = self.within(&path).await?;
                self.place(slot)?.check(&path).map_err(|error| refusal(&error))?;
                Step::Forward(slot, Request::ReadLink { path })
            }
            Request::Open { path, flags, attrs } => {
                let (slot, path) = self.within(&path).await?;
                self.place(slot)?.check(&path).map_err(|error| refusal(&error))?;
                if flags.has(OpenFlags::WRITE) || flags.has(OpenFlags::APPEND) {
                    self.change(slot, &path, "file opened to be written")?;
                }
                Step::Forward(slot, Request::Open { path, flags, attrs })
            }
            Request::SetStat { path, attrs } => {
                let (slot, path) = self.changed(&path, "attributes of a file changed").await?;
                Step::Forward(slot, Request::SetStat { path, attrs })
            }
            Request::Extended(Extended::LsetStat { path, attrs }) => {
                let (slot, path) = self.changed(&path, "attributes of a file changed").await?;
                Step::Forward(slot, Request::Extended(Extended::LsetStat { path, attrs }))
            }
            Request::Remove { path } => {
                let (slot, path) = self.changed(&path, "file removed").await?;
                Step::Forward(slot, Request::Remove { path })
            }
            Request::MakeDir { path, attrs } => {
                let (slot, path) = self.changed(&path, "folder made").await?;
                Step::Forward(slot, Request::MakeDir { path, attrs })
            }
            Request::RemoveDir { path } => {
                let (slot, path) = self.changed(&path, "folder removed").await?;
                Step::Forward(slot, Request::RemoveDir { path })
            }
            Request::Rename { from, to } => {
                let (slot, from, to) = self.renamed(&from, &to).await?;
                Step::Forward(slot, Request::Rename { from, to })
            }
            Request::Extended(Extended::PosixRename { from, to }) => {
                let (slot, from, to) = self.renamed(&from, &to).await?;
                Step::Forward(slot, Request::Extended(Extended::PosixRename { from, to }))
            }
            Request::SymLink { target, link } => {
                let (slot, link) = self.within(&link).await?;
                let target = self.link_target(target).await?;
                let place = self.place(slot)?;
                place.check(&link).and_then(|()| place.check_links()).map_err(|error| refusal(&error))?;
                self.change(slot, &link, "link made")?;
                Step::Forward(slot, Request::SymLink { target, link })
            }
            _ => return Err(Reply::status(StatusCode::Unsupported, "This request is not supported.")),
        })
    }

    async fn look(&mut self, path: &[u8], request: impl FnOnce(Bytes) -> Request) -> Result<Step, Reply> {
        Ok(match self.at(path).await? {
            Some((slot, path)) => Step::Forward(slot, request(path)),
            None => Step::Answer(Reply::Attrs(top::attrs())),
        })
    }

    async fn changed(&mut self, path: &[u8], what: &str) -> Result<(u8, Bytes), Reply> {
        let (slot, path) = self.within(path).await?;
        self.place(slot)?.check_tree(&path).map_err(|error| refusal(&error))?;
        self.change(slot, &path, what)?;
        Ok((slot, path))
    }

    async fn renamed(&mut self, from: &[u8], to: &[u8]) -> Result<(u8, Bytes, Bytes), Reply> {
        let (slot, from) = self.within(from).await?;
        let (other, to) = self.within(to).await?;
        if slot != other {
            let sentence = "Files cannot be moved from one server to another. Copy them.";
            return Err(Reply::status(StatusCode::Unsupported, sentence));
        }
        let place = self.place(slot)?;
        place.check_tree(&from).and_then(|()| place.check_tree(&to)).map_err(|error| refusal(&error))?;
        self.change(slot, &from, "file renamed")?;
        Ok((slot, from, to))
    }

    /// Resolves an absolute target from the client's top folder to the server's folder.
    async fn link_target(&mut self, target: Bytes) -> Result<Bytes, Reply> {
        match target.first() {
            Some(b'/') => Ok(self.within(&target).await?.1),
            _ => Ok(target),
        }
    }
}

/// The handle that a request names.
fn handle(request: &mut Request) -> Option<&mut Bytes> {
    match request {
        Request::Close { handle }
        | Request::Read { handle, .. }
        | Request::Write { handle, .. }
        | Request::Fstat { handle }
        | Request::FsetStat { handle, .. }
        | Request::ReadDir { handle }
        | Request::Extended(Extended::FstatVfs { handle } | Extended::Fsync { handle }) => Some(handle),
        _ => None,
    }
}
