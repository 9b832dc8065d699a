//! Links for browsers: a cookie alone proves nothing here, and a link that a browser opens can say nothing else. So whoever
//! may read a file is given a link that is good once, for a minute.

use std::time::Instant;

use protocol::{ArchiveFormat, FileKind, FileSource, NodeId};

use super::body::{DownloadRequest, Format};
use super::content::{Body, Content};
use super::denied::Denied;
use super::place::unfitting;
use super::tickets::{GOOD_FOR, Ticket};
use super::views::DownloadView;
use super::{Files, path};
use crate::auth::{Permission, Permit, need};
use crate::error::{ApiError, Code};

impl Files {
    /// A link for a browser.
    pub(super) async fn link(
        &self,
        permit: &Permit<need::FilesRead>,
        wanted: DownloadRequest,
    ) -> Result<DownloadView, ApiError> {
        let server = self.readable_place(permit.server_id())?;
        // The whole of it may be downloaded as well.
        let paths = match wanted.paths.as_slice() {
            [only] if path::checked("paths[0]", only)? == "/" => vec!["/".to_owned()],
            several => path::list("paths", several)?,
        };
        let [first, ..] = paths.as_slice() else { return Err(unfitting()) };
        let alone = paths.len() == 1;
        let first = first.clone();
        let denied = Denied::of(&server, permit);
        paths.iter().try_for_each(|path| denied.check(path))?;
        let (source, name) = if let Some(id) = wanted.version {
            if !alone || wanted.format.is_some() || !path::is_number(&id) {
                return Err(ApiError::field("version", "is of one file, which comes as it is"));
            }
            let name = path::last(&first).to_owned();
            (FileSource::Version { path: first, id }, name)
        } else if alone && wanted.format.is_none() && self.is_file(&server, &first).await? {
            let name = path::last(&first).to_owned();
            (FileSource::Content { path: first, offset: 0, length: None, etag: None }, name)
        } else {
            denied.check_archives()?;
            let format = ArchiveFormat::from(wanted.format.unwrap_or(Format::Zip));
            let stem = match path::last(&first) {
                name if alone && !name.is_empty() => name,
                _ => server.name.as_str(),
            };
            let name = format!("{stem}.{}", format.ending());
            (FileSource::Archive { paths, format }, name)
        };
        let ticket = Ticket {
            actor: permit.actor().clone(),
            server_id: server.id,
            node_id: server.node_id,
            permission: Permission::FilesRead,
            source,
            name,
            until: Instant::now() + GOOD_FOR,
        };
        self.link_of(ticket)
    }

    /// A link to files of a backup, as an archive, for whoever may do with backups of the server what he likes.
    pub(crate) fn link_to_backup(
        &self,
        permit: &Permit<need::Backups>,
        node_id: &NodeId,
        source: FileSource,
        name: String,
    ) -> Result<DownloadView, ApiError> {
        self.link_of(Ticket {
            actor: permit.actor().clone(),
            server_id: permit.server_id().clone(),
            node_id: node_id.clone(),
            permission: Permission::Backups,
            source,
            name,
            until: Instant::now() + GOOD_FOR,
        })
    }

    fn link_of(&self, ticket: Ticket) -> Result<DownloadView, ApiError> {
        let name = ticket.name.clone();
        let secret = self.0.tickets.put(ticket)?;
        Ok(DownloadView { url: format!("/api/downloads/{secret}"), name })
    }

    async fn is_file(&self, server: &storage::servers::Server, path: &str) -> Result<bool, ApiError> {
        if path == "/" {
            return Ok(false);
        }
        Ok(match self.stat(server, path.to_owned()).await?.entry.kind {
            FileKind::File => true,
            FileKind::Directory => false,
            FileKind::Symlink | FileKind::Other => {
                return Err(ApiError::new(Code::NotRegular, "This is neither a plain file nor a folder."));
            }
        })
    }

    /// What a link leads to.
    pub(super) async fn redeem(&self, secret: &str) -> Result<Content, ApiError> {
        let used = || ApiError::new(Code::Unauthenticated, "This download link was used, or is too old.");
        let ticket = self.0.tickets.take(secret).ok_or_else(used)?;
        // What he may do now counts, not what he might when it was made.
        let auth = &self.0.parts.auth;
        let actor = auth.renewed(&ticket.actor)?;
        auth.server_access(&actor, &ticket.server_id, ticket.permission)?;
        let server = match ticket.permission {
            Permission::FilesRead => self.readable_place(&ticket.server_id)?,
            _ => self.server(&ticket.server_id)?,
        };
        let place = (&ticket.node_id, ticket.permission);
        let (info, flow) = self.open_at(&server, place, &actor, ticket.source).await?;
        tracing::info!(server = %server.id, by = %actor, file = ticket.name, "download begun");
        let (size, etag, flow) = match info {
            Some(info) => (Some(info.entry.size), Some(info.etag), flow.of_length(info.entry.size)),
            None => (None, None, flow),
        };
        Ok(Content { name: ticket.name, size, etag, part: None, body: Body::Flow(flow) })
    }
}
