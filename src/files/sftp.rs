//! Files for SFTP clients (`src/sftp/`): permissions, and the connection to the node.

use agent::streams::Pipe;
use protocol::{FileSftp, NodeId, ServerId, ToAgent, capability, file_paths};
use storage::servers::Server;

use super::denied::Denied;
use super::{ANSWER, Files};
use crate::auth::{Actor, Permission, Visible};
use crate::error::{ApiError, Code};

/// A server's files, as an SFTP user may access them.
pub struct SftpPlace {
    /// The server.
    pub server_id: ServerId,
    node_id: NodeId,
    writable: bool,
    denied: Denied,
}

/// The rights of an open connection, which ends when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SftpRights {
    node_id: NodeId,
    writable: bool,
    configures: bool,
}

impl SftpPlace {
    /// 403 if the template denies the path.
    pub fn check(&self, path: &[u8]) -> Result<(), ApiError> {
        self.denied.check(&file_paths::text_of(path))
    }

    /// The same for operations on whole trees.
    pub fn check_tree(&self, path: &[u8]) -> Result<(), ApiError> {
        self.denied.check_tree(&file_paths::text_of(path))
    }

    /// 403 if there are denied files: a link would be another name for one.
    pub fn check_links(&self) -> Result<(), ApiError> {
        self.denied.check_links()
    }

    /// Whether files may be changed.
    pub fn is_writable(&self) -> bool {
        self.writable
    }
}

impl Files {
    /// A server's files and the rights on them, for an actor who may read them.
    pub fn sftp_place(&self, actor: &Actor, id: &ServerId) -> Result<(SftpPlace, SftpRights), ApiError> {
        let access = self.0.parts.auth.server_access(actor, id, Permission::FilesRead)?;
        let server = self.server(id)?;
        // Not while they are on their way to another node.
        let stays = self.0.parts.transfers.allows(&server.id).is_ok();
        let rights = SftpRights {
            node_id: server.node_id.clone(),
            writable: stays && access.permissions().allow(Permission::Files),
            configures: access.permissions().allow(Permission::Configure),
        };
        let place = SftpPlace {
            node_id: server.node_id.clone(),
            writable: rights.writable,
            denied: Denied::of(&server, &access),
            server_id: server.id,
        };
        Ok((place, rights))
    }

    /// The current rights on a server's files.
    pub fn sftp_rights(&self, actor: &Actor, id: &ServerId) -> Result<SftpRights, ApiError> {
        self.sftp_place(actor, id).map(|(_, rights)| rights)
    }

    /// Ids and names of the servers whose files the actor may read.
    pub fn sftp_servers(&self, actor: &Actor) -> Result<Vec<(ServerId, String)>, ApiError> {
        let visible = self.0.parts.auth.visible(actor)?;
        let all: Vec<Server> = self.0.parts.store.read_now(storage::servers::list)?;
        let may = |server: &Server| match &visible {
            Visible::All => true,
            some => some.of(&server.id).is_some_and(|granted| granted.allow(Permission::FilesRead)),
        };
        let there = all.into_iter().filter(|server| server.deleting.is_none() && may(server));
        Ok(there.map(|server| (server.id, server.name)).collect())
    }

    /// Opens a stream connection over which the node serves the files.
    pub async fn sftp_open(&self, place: &SftpPlace) -> Result<Pipe, ApiError> {
        if self.agents().lacks(&place.node_id, capability::FILES_SFTP) {
            let sentence = "The agent of this node does not know SFTP. Update it.";
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        let expected = self.0.parts.streams.expect(&place.node_id)?;
        let message = FileSftp {
            server_id: place.server_id.clone(),
            transfer_id: expected.ticket().transfer_id.clone(),
            token: expected.ticket().token.clone(),
            writable: place.writable,
        };
        self.agents().ask(&place.node_id, ToAgent::FileSftp(message), ANSWER).await?;
        let missing = || ApiError::new(Code::NodeTimeout, "The node did not open a connection for the data.");
        expected.pipe().await.ok_or_else(missing)
    }
}
