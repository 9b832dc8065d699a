//! A client's connections to nodes: one for each server that it uses.
//!
//! Handles from a node get a byte in front that identifies the link. All other answers are forwarded unchanged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use agent::streams::{FRAME_BYTES, Frame, Pipe};
use bytes::{BufMut, Bytes, BytesMut};
use protocol::ServerId;
use sftp::{FromClient, FromServer, MAX_HANDLE, MAX_PATH, Reply, Request, next_packet};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::auth::Actor;
use crate::error::{ApiError, Code};
use crate::files::{Files, SftpPlace, SftpRights};
use crate::system::shutdown::Tasks;

/// Servers that one client may use at a time.
const MOST: usize = 32;
/// The most that a request takes beside its data: two paths, or a handle.
const HEAD: usize = 2 * MAX_PATH + MAX_HANDLE + 64;
/// The kind of an answer that has a handle.
const HANDLE: u8 = 102;

/// The client's rights on each server in use, as they were when it was opened. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct InUse(Arc<Mutex<HashMap<ServerId, SftpRights>>>);

impl InUse {
    /// Whether all rights are unchanged.
    pub(super) fn still(&self, files: &Files, actor: &Actor) -> bool {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        used.iter().all(|(server, rights)| files.sftp_rights(actor, server).as_ref().ok() == Some(rights))
    }

    pub(super) fn note(&self, server: ServerId, rights: SftpRights) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(server, rights);
    }
}

/// The client, and what its links need.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) files: Files,
    pub(super) actor: Actor,
    pub(super) tasks: Tasks,
    pub(super) used: InUse,
    /// Answers to the client.
    pub(super) answers: mpsc::Sender<Bytes>,
    /// Cancels the client's connection.
    pub(super) token: CancellationToken,
}

struct Link {
    place: SftpPlace,
    out: mpsc::Sender<Frame>,
    pending: BytesMut,
}

/// The connections to nodes.
#[derive(Default)]
pub(super) struct Links {
    all: Vec<Link>,
    /// Cancelled with the session. A link that ends earlier ends the client's connection.
    closing: CancellationToken,
}

impl Drop for Links {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

/// A link to a node has ended.
#[derive(Debug)]
pub(super) struct Gone;

impl Links {
    /// The link for a server; opens it if there is none.
    pub(super) async fn to(&mut self, server: &ServerId, client: &Client) -> Result<u8, ApiError> {
        if let Some(at) = self.all.iter().position(|link| link.place.server_id == *server) {
            return Ok(u8::try_from(at).unwrap_or(u8::MAX));
        }
        if self.all.len() >= MOST {
            let sentence = format!("One connection may use the files of {MOST} servers. Connect once more.");
            return Err(ApiError::new(Code::TooManyRequests, sentence));
        }
        let (place, rights) = client.files.sftp_place(&client.actor, server)?;
        let Pipe { out, inward } = client.files.sftp_open(&place).await?;
        let slot = u8::try_from(self.all.len()).unwrap_or(u8::MAX);
        client.used.note(server.clone(), rights);
        let (answers, token) = (client.answers.clone(), client.token.clone());
        let closing = self.closing.clone();
        drop(client.tasks.spawn("SFTP answers", async move {
            tokio::select! {
                biased;
                () = closing.cancelled() => {}
                () = token.cancelled() => {}
                () = carry(inward, slot, &answers) => token.cancel(),
                () = answers.closed() => {}
            }
        }));
        self.all.push(Link { place, out, pending: BytesMut::new() });
        Ok(slot)
    }

    pub(super) fn place(&self, slot: u8) -> Option<&SftpPlace> {
        self.all.get(usize::from(slot)).map(|link| &link.place)
    }

    /// Queues a request for a node.
    pub(super) async fn put(&mut self, slot: u8, id: u32, request: Request) -> Result<(), Gone> {
        let Some(link) = self.all.get_mut(usize::from(slot)) else { return Err(Gone) };
        let data = if let Request::Write { data, .. } = &request { data.len() } else { HEAD };
        if link.pending.len() + data + MAX_HANDLE + 64 > FRAME_BYTES {
            link.flush().await?;
        }
        FromClient::Request { id, request }.encode(&mut link.pending);
        Ok(())
    }

    /// Sends all queued requests.
    pub(super) async fn flush(&mut self) -> Result<(), Gone> {
        for link in &mut self.all {
            link.flush().await?;
        }
        Ok(())
    }
}

impl Link {
    async fn flush(&mut self) -> Result<(), Gone> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let frame = self.pending.split().freeze();
        self.out.send(Frame::Bytes(frame)).await.map_err(|_gone| Gone)
    }
}

/// Forwards a node's answers until either end closes.
async fn carry(mut inward: mpsc::Receiver<Frame>, slot: u8, answers: &mpsc::Sender<Bytes>) {
    while let Some(Frame::Bytes(frame)) = inward.recv().await {
        let Some(frame) = with_slot(frame, slot) else { return };
        if answers.send(frame).await.is_err() {
            return;
        }
    }
}

/// Prefixes all handles in a frame of packets with the link's number. `None` if the frame is malformed.
fn with_slot(frame: Bytes, slot: u8) -> Option<Bytes> {
    if !has_handle(&frame)? {
        return Some(frame);
    }
    let mut rest = BytesMut::from(frame);
    let mut all = BytesMut::with_capacity(rest.len() + 64);
    while let Some(packet) = next_packet(&mut rest).ok()? {
        if packet.first() != Some(&HANDLE) {
            all.put_u32(u32::try_from(packet.len()).ok()?);
            all.put_slice(&packet);
            continue;
        }
        let FromServer::Reply { id, reply: Reply::Handle(handle) } = FromServer::decode(packet).ok()? else {
            return None;
        };
        if handle.len() >= MAX_HANDLE {
            return None;
        }
        FromServer::Reply { id, reply: Reply::Handle(mark(slot, &handle)) }.encode(&mut all);
    }
    Some(all.freeze())
}

/// Whether a frame of packets contains a handle; `None` if it is malformed.
fn has_handle(mut frame: &[u8]) -> Option<bool> {
    let mut found = false;
    while !frame.is_empty() {
        let (length, rest) = frame.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        found |= *rest.first().filter(|_| length > 0)? == HANDLE;
        frame = rest.get(length..)?;
    }
    Some(found)
}

fn mark(slot: u8, handle: &[u8]) -> Bytes {
    let mut marked = BytesMut::with_capacity(handle.len() + 1);
    marked.put_u8(slot);
    marked.put_slice(handle);
    marked.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(replies: &[Reply]) -> Bytes {
        let mut all = BytesMut::new();
        for (reply, id) in replies.iter().zip(1..) {
            FromServer::Reply { id, reply: reply.clone() }.encode(&mut all);
        }
        all.freeze()
    }

    #[test]
    fn handles_say_whose_they_are() {
        let data = Reply::Data(Bytes::from_static(b"data"));
        let plain = row(&[data.clone(), Reply::ok()]);
        assert_eq!(with_slot(plain.clone(), 3), Some(plain));
        let handle = |bytes: &'static [u8]| Reply::Handle(Bytes::from_static(bytes));
        let marked = with_slot(row(&[data.clone(), handle(b"ab"), Reply::ok()]), 3).unwrap();
        assert_eq!(marked, row(&[data, handle(b"\x03ab"), Reply::ok()]));
    }

    #[test]
    fn what_is_no_row_of_packets_ends_it() {
        for frame in [&b"\0\0"[..], b"\0\0\0\0", b"\0\0\0\x09ab", b"\xff\xff\xff\xff\x01", b"\0\0\0\x02f\0"] {
            assert_eq!(with_slot(Bytes::from_static(frame), 0), None, "{frame:?}");
        }
    }
}
