//! The EULA of games that ask for it through a file: feature `eula` of eggs. Minecraft's server creates `eula.txt` and
//! exits until the file contains `eula=true`.

use ::templates::model::Template as Native;
use protocol::{FileWrite, ToAgent};
use storage::servers::Server;

use super::Servers;
use super::deletions::not_deleting;
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};

/// Name of the feature in eggs.
const FEATURE: &str = "eula";
/// Path relative to the server's folder.
const FILE: &str = "eula.txt";

impl Servers {
    /// Accepts the EULA in the file; takes effect at the next start.
    pub(super) async fn accept_eula(&self, permit: &Permit<need::Configure>) -> Result<(), ApiError> {
        let server = self.record(permit.server_id())?;
        not_deleting(&server)?;
        self.moves.allows(&server.id)?;
        if !asks(&server) {
            return Err(ApiError::new(
                Code::Conflict,
                "This server's game does not ask for an EULA by a file.",
            ));
        }
        let content = format!("# Accepted in the panel by {}.\neula=true\n", permit.actor());
        let file = FileWrite { server_id: server.id.clone(), path: FILE.to_owned(), content };
        self.ask(&server, ToAgent::FileWrite(file)).await?;
        tracing::info!(server = %server.id, by = %permit.actor(), "EULA accepted");
        Ok(())
    }
}

fn asks(server: &Server) -> bool {
    let kept = server.template.as_deref().and_then(|kept| serde_json::from_str::<Native>(kept).ok());
    kept.is_some_and(|template| template.run.features.iter().any(|feature| feature == FEATURE))
}
