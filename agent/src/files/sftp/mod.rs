//! A server's files for an SFTP client. The panel knows who that is and passes its packets on; here each is answered in its
//! turn, below the server's folder. A client asks ahead, so while one piece is on its way the next is read already.
//!
//! Files are written in place, not aside: a client whose connection broke asks how much of the file is there and goes on
//! after it, and would go on after a former file if that still had the name.

mod answer;
mod attributes;
mod folder;
mod handles;
mod session;
mod trees;

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio_util::sync::CancellationToken;

use crate::streams::{Frame, FrameSender, Pipe};

pub(super) use session::Session;

/// What was written is brought to the disk when the client was quiet for so long.
const QUIET: Duration = Duration::from_secs(1);

/// Serves until the panel ends it.
pub(super) async fn serve(mut session: Session, mut pipe: Pipe, cancel: &CancellationToken) {
    loop {
        let next = async {
            match session.is_dirty() {
                true => tokio::time::timeout(QUIET, pipe.inward.recv()).await.ok(),
                false => Some(pipe.inward.recv().await),
            }
        };
        let frame = tokio::select! {
            () = cancel.cancelled() => break,
            frame = next => frame,
        };
        match frame {
            Some(Some(Frame::Bytes(frame))) => {
                let (out, cancel) = (pipe.out.clone(), cancel.clone());
                let work = move || {
                    let mut sender = FrameSender::new(&out, &cancel);
                    let served = session
                        .serve(BytesMut::from(frame), &mut |frame: Bytes| sender.send(Frame::Bytes(frame)));
                    (session, served)
                };
                // A panic in there ends this client's connection, and nothing else.
                let Ok((back, served)) = tokio::task::spawn_blocking(work).await else { return };
                session = back;
                if let Err(error) = served {
                    tracing::debug!(server = %session.server_id(), %error, "an SFTP client's connection");
                    break;
                }
            }
            Some(_) => break,
            None => {
                let Ok(back) = tokio::task::spawn_blocking(move || session.settled()).await else { return };
                session = back;
            }
        }
    }
    if session.is_dirty() {
        let _ = tokio::task::spawn_blocking(move || session.settled()).await;
    }
}
