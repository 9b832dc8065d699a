//! The server whose files are meant.

use std::sync::Arc;

use protocol::{ServerId, ToAgent, ToPanel, capability};
use storage::servers::Server;

use super::{ANSWER, Files};
use crate::agents::{RequestError, Session};
use crate::error::{ApiError, Code};

impl Files {
    /// The server, whatever its node can do.
    pub(super) fn server(&self, id: &ServerId) -> Result<Server, ApiError> {
        let record = self.0.parts.store.read_now(|tx| storage::servers::get(tx, id))?;
        let server = record.ok_or_else(|| ApiError::not_found("server"))?;
        if server.deleting.is_some() {
            return Err(ApiError::new(Code::Conflict, "The server is being deleted."));
        }
        if self.agents().server(&server.id).missing {
            let sentence = "The node has lost this server. An administrator can make it again under Nodes.";
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        Ok(server)
    }

    /// The same to change something: not while its files are on their way to another node.
    pub(super) fn changeable(&self, id: &ServerId) -> Result<Server, ApiError> {
        let server = self.server(id)?;
        self.0.parts.transfers.allows(&server.id)?;
        Ok(server)
    }

    /// Refuses what only our own agents can do.
    pub(super) fn managed(&self, server: &Server) -> Result<(), ApiError> {
        if self.is_legacy(server) {
            let sentence =
                "The agent of this node can only read and write small text files. Update it to manage files.";
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        Ok(())
    }

    /// Whether its node's agent is there, and knows no more than small text files, or not even those.
    pub(super) fn is_legacy(&self, server: &Server) -> bool {
        self.agents().lacks(&server.node_id, capability::FILE_MANAGER)
    }

    /// A server whose node can do everything.
    pub(super) fn readable_place(&self, id: &ServerId) -> Result<Server, ApiError> {
        let server = self.server(id)?;
        self.managed(&server)?;
        Ok(server)
    }

    /// The same to change something.
    pub(super) fn writable_place(&self, id: &ServerId) -> Result<Server, ApiError> {
        let server = self.changeable(id)?;
        self.managed(&server)?;
        Ok(server)
    }

    /// The connection to its node.
    pub(super) fn session(&self, server: &Server) -> Result<Arc<Session>, ApiError> {
        self.agents().session(&server.node_id).map_err(ApiError::from)
    }

    /// Asks its node what takes no time.
    pub(super) async fn ask(&self, server: &Server, message: ToAgent) -> Result<ToPanel, ApiError> {
        let _turn = self.0.turns.take(&server.node_id).await?;
        self.agents().ask(&server.node_id, message, ANSWER).await.map_err(ApiError::from)
    }
}

/// The answer was of another kind than the question.
pub(super) fn unfitting() -> ApiError {
    RequestError::Unfitting.into()
}
