//! From whoever sends to a node: pieces go on as they come. The node answers when all is on its disk.

use std::time::Duration;

use agent::streams::{FRAME_BYTES, Frame, Pipe};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use protocol::{Control, FileReceive, FileTarget, Summary, ToAgent, ToPanel};
use storage::servers::Server;
use tokio::time::timeout;

use super::Files;
use crate::agents::RequestError;
use crate::auth::{Actor, Permission};
use crate::error::{ApiError, Code};
use crate::http::BodyStream;

/// How long a node may take nothing.
const STALLED: Duration = Duration::from_secs(60);
/// To bring all of it to the disk.
const TO_DISK: Duration = Duration::from_secs(600);
/// How long a node that broke off may take to say why.
const LAST_WORD: Duration = Duration::from_secs(5);
/// The deadlines are ours: the request itself has none that matters.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Where the bytes come from.
pub(super) trait ByteSource: Send {
    /// The next piece; `None` at the end. May be dropped and called again.
    fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, ApiError>>> + Send;
}

impl ByteSource for BodyStream {
    async fn next(&mut self) -> Option<Result<Bytes, ApiError>> {
        BodyStream::next(self).await
    }
}

impl Files {
    /// Has the node take what comes. `most` is how many bytes that may be.
    pub(super) async fn take(
        &self,
        server: &Server,
        by: &Actor,
        target: FileTarget,
        source: &mut impl ByteSource,
        most: Option<u64>,
    ) -> Result<ToPanel, ApiError> {
        let _slot = self.0.open.enter(by)?;
        let expected = self.0.parts.streams.expect(&server.node_id)?;
        let message = ToAgent::FileReceive(FileReceive {
            server_id: server.id.clone(),
            transfer_id: expected.ticket().transfer_id.clone(),
            token: expected.ticket().token.clone(),
            target,
        });
        let mut asked = std::pin::pin!(self.agents().ask(&server.node_id, message, LONGEST));
        let flow = async {
            let missing =
                || ApiError::new(Code::NodeTimeout, "The node did not open a connection for the data.");
            let mut pipe = expected.pipe().await.ok_or_else(missing)?;
            forward(source, &mut pipe, most).await?;
            Ok::<_, Broken>(pipe)
        };
        let flowed = tokio::select! {
            // It refuses before anything was sent, or in the middle of it.
            answer = &mut asked => return answer.map_err(ApiError::from),
            why = self.revoked(by, &server.id, Permission::Files) => return Err(why),
            flowed = flow => flowed,
        };
        match flowed {
            // The pipe stays open until the answer is there.
            Ok(_pipe) => match timeout(TO_DISK, asked).await {
                Ok(answer) => answer.map_err(ApiError::from),
                Err(_) => Err(RequestError::Timeout(TO_DISK).into()),
            },
            // Its own answer tells more.
            Err(Broken::ByNode(error)) => match timeout(LAST_WORD, asked).await {
                Ok(Err(refused)) => Err(refused.into()),
                _ => Err(error),
            },
            Err(Broken::BySource(error)) => {
                // What came is put away before its sender learns that he may go on.
                let _ = timeout(LAST_WORD, asked).await;
                Err(error)
            }
        }
    }
}

/// Which side has ended it.
enum Broken {
    BySource(ApiError),
    ByNode(ApiError),
}

impl From<ApiError> for Broken {
    fn from(error: ApiError) -> Self {
        Self::ByNode(error)
    }
}

/// All of it, in frames as large as they may be where there is enough.
async fn forward(source: &mut impl ByteSource, pipe: &mut Pipe, most: Option<u64>) -> Result<(), Broken> {
    let (mut buffer, mut bytes) = (BytesMut::new(), 0_u64);
    loop {
        let piece = match source.next().now_or_never() {
            Some(piece) => piece,
            None => {
                // The source pauses: what is here goes on.
                send(pipe, buffer.split().freeze()).await?;
                tokio::select! {
                    piece = source.next() => piece,
                    word = pipe.inward.recv() => return Err(said(word)),
                }
            }
        };
        match piece {
            Some(Ok(piece)) => {
                bytes += piece.len() as u64;
                if most.is_some_and(|most| bytes > most) {
                    let sentence = format!("More came than was announced: {} bytes.", most.unwrap_or(0));
                    return Err(Broken::BySource(ApiError::new(Code::TooLarge, sentence)));
                }
                collect(&mut buffer, piece, pipe).await?;
            }
            Some(Err(error)) => {
                send(pipe, buffer.split().freeze()).await?;
                return Err(Broken::BySource(error));
            }
            None => break,
        }
    }
    send(pipe, buffer.split().freeze()).await?;
    let done = Control::Done(Summary { bytes, entries: 1, sha256: String::new() });
    put(pipe, Frame::Control(done)).await
}

async fn collect(buffer: &mut BytesMut, mut piece: Bytes, pipe: &mut Pipe) -> Result<(), Broken> {
    while !piece.is_empty() {
        if buffer.capacity() < FRAME_BYTES {
            buffer.reserve(FRAME_BYTES - buffer.len());
        }
        let part = piece.split_to(piece.len().min(FRAME_BYTES - buffer.len()));
        buffer.extend_from_slice(&part);
        if buffer.len() == FRAME_BYTES {
            let full = std::mem::take(buffer);
            send(pipe, full.freeze()).await?;
        }
    }
    Ok(())
}

async fn send(pipe: &mut Pipe, bytes: Bytes) -> Result<(), Broken> {
    if bytes.is_empty() { Ok(()) } else { put(pipe, Frame::Bytes(bytes)).await }
}

async fn put(pipe: &mut Pipe, frame: Frame) -> Result<(), Broken> {
    match timeout(STALLED, pipe.out.send(frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(said(timeout(LAST_WORD, pipe.inward.recv()).await.ok().flatten())),
        Err(_) => Err(Broken::ByNode(ApiError::new(
            Code::NodeTimeout,
            "The node took nothing for too long. Look at its disk.",
        ))),
    }
}

/// What the node said instead of taking more.
fn said(word: Option<Frame>) -> Broken {
    let error = match word {
        Some(Frame::Control(Control::Failed(report))) => RequestError::Refused(Box::new(report)).into(),
        _ => ApiError::new(Code::NodeOffline, "The connection to the node broke off."),
    };
    Broken::ByNode(error)
}
