//! What a node tells of a server's ports and of its router, and whether that may be asked.

use std::time::Duration;

use protocol::{ReachReport, RouterAllow, ServerRef, ToAgent, ToPanel, capability};
use storage::servers::Server;

use super::Reach;
use super::views::ReachView;
use crate::agents::RequestError;
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};

/// How long a node may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

impl Reach {
    /// By which addresses players reach a server, and what may be in the way.
    pub(super) async fn of_server(&self, permit: &Permit<need::View>) -> Result<ReachView, ApiError> {
        let server = self.server(permit.server_id())?;
        let report = self.ask(&server).await?;
        let host = self.public_host(&server.node_id)?;
        Ok(ReachView::new(&server, host, report))
    }

    /// Allows or forbids to ask the router for a server.
    pub(super) async fn allow_router(
        &self,
        permit: &Permit<need::Configure>,
        allow: bool,
    ) -> Result<(), ApiError> {
        let server = self.server(permit.server_id())?;
        if self.agents.lacks(&server.node_id, capability::REACH) {
            let sentence = "The agent of this node cannot ask a router. Update it.";
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        let never = self.own_ports.to_vec();
        let message = ToAgent::RouterAllow(RouterAllow { server_id: server.id.clone(), allow, never });
        self.agents.ask(&server.node_id, message, ANSWER).await?;
        tracing::info!(server = %server.id, allow, by = %permit.actor(), "router");
        Ok(())
    }

    fn server(&self, id: &str) -> Result<Server, ApiError> {
        let server = self.store.read_now(|tx| storage::servers::get(tx, id))?;
        server.ok_or_else(|| ApiError::not_found("server"))
    }

    /// What the node tells; `None` if it cannot be asked now.
    async fn ask(&self, server: &Server) -> Result<Option<ReachReport>, ApiError> {
        if self.agents.lacks(&server.node_id, capability::REACH) {
            return Ok(None);
        }
        let message = ToAgent::ReachQuery(ServerRef { server_id: server.id.clone() });
        match self.agents.ask(&server.node_id, message, ANSWER).await {
            Ok(ToPanel::ReachReport(report)) => Ok(Some(report)),
            Ok(_) => Err(RequestError::Unfitting.into()),
            Err(error) => {
                tracing::debug!(server = %server.id, %error, "what is known of its ports");
                Ok(None)
            }
        }
    }
}
