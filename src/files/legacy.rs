//! Nodes whose agent knows no more of files than to read and write small texts.

use protocol::{FileRead, FileWrite, ToAgent, ToPanel, capability};
use sha2::{Digest, Sha256};
use storage::servers::Server;

use super::content::{Body, Content};
use super::place::unfitting;
use super::{Files, path};
use crate::auth::Actor;
use crate::error::{ApiError, Code};
use crate::http::BodyStream;
use crate::revision::Expected;

/// The largest text.
const MOST: u64 = 4 << 20;
/// Hex digits of a tag.
const TAG: usize = 32;

impl Files {
    pub(super) async fn legacy_content(&self, server: &Server, path: String) -> Result<Content, ApiError> {
        let text = self.legacy_text(server, path.clone()).await?;
        Ok(Content {
            name: path::last(&path).to_owned(),
            size: Some(text.len() as u64),
            etag: Some(tag(text.as_bytes())),
            part: None,
            body: Body::Text(text.into_bytes()),
        })
    }

    pub(super) async fn legacy_write(
        &self,
        server: &Server,
        by: &Actor,
        path: String,
        expected: &Expected,
        body: &mut BodyStream,
    ) -> Result<String, ApiError> {
        self.can_text(server)?;
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece?);
            if bytes.len() as u64 > MOST {
                let sentence =
                    "The agent of this node takes files of at most 4 MiB. Update it for larger ones.";
                return Err(ApiError::new(Code::TooLarge, sentence));
            }
        }
        let content = String::from_utf8(bytes).map_err(|_binary| {
            ApiError::new(
                Code::Conflict,
                "The agent of this node takes UTF-8 text only. Update it for others.",
            )
        })?;
        if *expected != Expected::Whatever {
            let there = match self.legacy_text(server, path.clone()).await {
                Ok(text) => Some(tag(text.as_bytes())),
                Err(error) if error.code() == Code::NotFound => None,
                Err(error) => return Err(error),
            };
            expected.check(there.as_deref())?;
        }
        let etag = tag(content.as_bytes());
        let message = FileWrite { server_id: server.id.clone(), path: path.clone(), content };
        match self.ask(server, ToAgent::FileWrite(message)).await? {
            ToPanel::FileContent(answer) if answer.success != Some(false) => {}
            ToPanel::FileContent(answer) => {
                let why = answer.message.unwrap_or_else(|| "The node could not write the file.".to_owned());
                return Err(ApiError::new(Code::Conflict, why));
            }
            _ => return Err(unfitting()),
        }
        tracing::info!(server = %server.id, %by, path, "file written");
        Ok(etag)
    }

    async fn legacy_text(&self, server: &Server, path: String) -> Result<String, ApiError> {
        self.can_text(server)?;
        let message = ToAgent::FileRead(FileRead { server_id: server.id.clone(), path });
        match self.ask(server, message).await? {
            ToPanel::FileContent(file) => file.content.ok_or_else(unfitting),
            _ => Err(unfitting()),
        }
    }

    fn can_text(&self, server: &Server) -> Result<(), ApiError> {
        // A legacy agent does not say that it can: it is asked, and answers or not.
        let legacy = self
            .agents()
            .node(&server.node_id)
            .system
            .is_some_and(|system| !system.capabilities.iter().any(|word| word == capability::ACK));
        if !legacy && self.agents().lacks(&server.node_id, capability::FILES) {
            return Err(ApiError::new(
                Code::Conflict,
                "The agent of this node cannot serve files. Update it.",
            ));
        }
        Ok(())
    }
}

fn tag(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    digits.chars().take(TAG).collect()
}
