//! From a node to whoever asked: what is read there comes over a connection of its own, and goes on as it comes. What the
//! other end does not take, the node does not send.

use std::time::Duration;

use agent::streams::{Frame, Pipe};
use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use protocol::{Control, FileInfo, FileSend, FileSource, NodeId, ToAgent, ToPanel};
use storage::servers::Server;

use super::place::unfitting;
use super::streams_open::StreamSlot;
use super::{ANSWER, Files};
use crate::auth::{Actor, Permission};
use crate::error::{ApiError, Code};

/// How long a node may send nothing. What packs an archive reads meanwhile.
const STALLED: Duration = Duration::from_secs(60);

/// Bytes on their way from a node.
pub(super) struct Outflow {
    pipe: Pipe,
    /// How many are still to come, where that is known.
    remaining: Option<u64>,
    /// Why they may not go on, once that is so.
    revoked: BoxFuture<'static, ApiError>,
    _slot: StreamSlot,
}

/// Why an answer is broken off. It is seen by nobody: the other end finds that something is missing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BrokenOff(String);

impl Files {
    /// Has the node send something. Where it is a file, it says what that is.
    pub(super) async fn open(
        &self,
        server: &Server,
        by: &Actor,
        source: FileSource,
    ) -> Result<(Option<Box<FileInfo>>, Outflow), ApiError> {
        self.open_at(server, (&server.node_id, Permission::FilesRead), by, source).await
    }

    /// The same of what lies on some node, for as long as the caller has a permission.
    pub(super) async fn open_at(
        &self,
        server: &Server,
        (node_id, permission): (&NodeId, Permission),
        by: &Actor,
        source: FileSource,
    ) -> Result<(Option<Box<FileInfo>>, Outflow), ApiError> {
        let slot = self.0.open.enter(by)?;
        let expected = self.0.parts.streams.expect(node_id)?;
        let message = FileSend {
            server_id: server.id.clone(),
            transfer_id: expected.ticket().transfer_id.clone(),
            token: expected.ticket().token.clone(),
            source,
        };
        let answer = self.agents().ask(node_id, ToAgent::FileSend(message), ANSWER).await?;
        let info = match answer {
            ToPanel::FileInfo(info) => Some(info),
            ToPanel::Ack(_) => None,
            _ => return Err(unfitting()),
        };
        let missing = || ApiError::new(Code::NodeTimeout, "The node did not open a connection for the data.");
        let pipe = expected.pipe().await.ok_or_else(missing)?;
        let (files, actor, id) = (self.clone(), by.clone(), server.id.clone());
        let revoked = Box::pin(async move { files.revoked(&actor, &id, permission).await });
        Ok((info, Outflow { pipe, remaining: None, revoked, _slot: slot }))
    }
}

impl Outflow {
    /// Ends after so many bytes, and is broken off where there are fewer.
    pub(super) fn of_length(mut self, length: u64) -> Self {
        self.remaining = Some(length);
        self
    }

    /// The next piece.
    async fn next(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        if self.remaining == Some(0) {
            return None;
        }
        let frame = tokio::select! {
            frame = tokio::time::timeout(STALLED, self.pipe.inward.recv()) => frame,
            why = &mut self.revoked => return Some(Err(BrokenOff(why.message().to_owned()))),
        };
        match frame {
            Ok(Some(Frame::Bytes(mut bytes))) => {
                if let Some(remaining) = &mut self.remaining {
                    // A log grows while it is read: what was promised is what is sent.
                    bytes.truncate(usize::try_from(*remaining).unwrap_or(usize::MAX));
                    *remaining -= bytes.len() as u64;
                }
                Some(Ok(bytes))
            }
            Ok(Some(Frame::Control(Control::Done(_)))) if self.remaining.is_none() => None,
            Ok(Some(Frame::Control(Control::Done(_)))) => {
                Some(Err(BrokenOff("the file became shorter while it was read".to_owned())))
            }
            Ok(Some(Frame::Control(Control::Failed(report)))) => Some(Err(BrokenOff(report.message))),
            Ok(None) => Some(Err(BrokenOff("the node's connection broke off".to_owned()))),
            Err(_) => Some(Err(BrokenOff("the node sent nothing for too long".to_owned()))),
        }
    }

    /// As the body of an answer.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, BrokenOff>> + Send + 'static {
        futures_util::stream::unfold(Some(self), |flow| async move {
            let mut flow = flow?;
            match flow.next().await? {
                Ok(bytes) => Some((Ok(bytes), Some(flow))),
                Err(error) => {
                    tracing::debug!(%error, "a download was broken off");
                    Some((Err(error), None))
                }
            }
        })
    }
}
