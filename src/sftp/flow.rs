//! The bytes of one channel, in both directions, within bounds.
//!
//! The SSH library reads and writes a connection in a single task and calls us for each piece of data. Blocking in that call
//! until a request fits would also stop all output; a node that waits for its answers to be sent takes no more requests,
//! and both sides would wait for ever. So while the call waits for room, it sends answers itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use russh::ChannelId;
use russh::server::{Handle, Session};
use sftp::{DecodeError, MAX_PACKET, next_packet};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Bytes of queued requests; more than the largest one.
const WAITING: usize = 4 * MAX_PACKET;
/// Requests that are handled in one go, and bytes of them.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 256 * 1024;
/// Queued answers, each up to 256 KiB.
const ANSWERS: usize = 2;
/// Bytes of answers that a client may have outstanding while it keeps sending requests.
const UNTAKEN: usize = 32 << 20;
/// How long a node may not accept a request.
const STALLED: Duration = Duration::from_secs(120);

#[derive(Debug, Default)]
struct Received {
    buffer: Mutex<BytesMut>,
    ended: AtomicBool,
    arrived: Notify,
    room: Notify,
}

/// The SSH library's end of a channel.
pub(super) struct Flow {
    received: Arc<Received>,
    answers: Arc<tokio::sync::Mutex<mpsc::Receiver<Bytes>>>,
    blocked: watch::Sender<bool>,
    untaken: usize,
}

/// Incoming requests, for the session.
pub(super) struct Requests(Arc<Received>);

/// Outgoing answers.
pub(super) struct Answers {
    waiting: Arc<tokio::sync::Mutex<mpsc::Receiver<Bytes>>>,
    blocked: watch::Receiver<bool>,
}

/// The two ends of a channel.
pub(super) fn flow() -> (Flow, Requests, mpsc::Sender<Bytes>, Answers) {
    let received = Arc::new(Received::default());
    let (answer, answers) = mpsc::channel(ANSWERS);
    let answers = Arc::new(tokio::sync::Mutex::new(answers));
    let (blocked, is_blocked) = watch::channel(false);
    let outward = Answers { waiting: Arc::clone(&answers), blocked: is_blocked };
    let flow = Flow { received: Arc::clone(&received), answers, blocked, untaken: 0 };
    (flow, Requests(received), answer, outward)
}

impl Received {
    fn lock(&self) -> MutexGuard<'_, BytesMut> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flow {
    /// Queues received data. If too much is queued, sends answers until there is room.
    pub(super) async fn push(
        &mut self,
        data: &[u8],
        channel: ChannelId,
        session: &mut Session,
        token: &CancellationToken,
    ) -> Result<(), russh::Error> {
        let waiting = {
            let mut buffer = self.received.lock();
            buffer.extend_from_slice(data);
            buffer.len()
        };
        self.received.arrived.notify_one();
        if waiting <= WAITING {
            return Ok(());
        }
        if !session.has_pending_data(channel) {
            self.untaken = 0;
        }
        self.blocked.send_replace(true);
        let drained = self.drain(channel, session, token).await;
        self.blocked.send_replace(false);
        drained
    }

    async fn drain(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
        token: &CancellationToken,
    ) -> Result<(), russh::Error> {
        let deadline = Instant::now() + STALLED;
        let mut answers = self.answers.lock().await;
        while self.received.lock().len() > WAITING / 2 {
            tokio::select! {
                biased;
                () = token.cancelled() => return Err(russh::Error::Disconnect),
                Some(answer) = answers.recv() => {
                    self.untaken += answer.len();
                    if self.untaken > UNTAKEN {
                        return Err(russh::Error::Disconnect);
                    }
                    session.data(channel, answer)?;
                }
                () = self.received.room.notified() => {}
                () = sleep_until(deadline) => return Err(russh::Error::Disconnect),
            }
        }
        Ok(())
    }

    /// Marks the end of the input.
    pub(super) fn end(&self) {
        self.received.ended.store(true, Ordering::Release);
        self.received.arrived.notify_one();
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.end();
    }
}

impl Requests {
    /// The next whole packets; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Bytes>>, DecodeError> {
        loop {
            let ended = self.0.ended.load(Ordering::Acquire);
            let packets = self.take()?;
            if !packets.is_empty() {
                self.0.room.notify_one();
                return Ok(Some(packets));
            }
            if ended {
                return Ok(None);
            }
            self.0.arrived.notified().await;
        }
    }

    fn take(&self) -> Result<Vec<Bytes>, DecodeError> {
        let mut buffer = self.0.lock();
        let (mut packets, mut bytes) = (Vec::new(), 0);
        while packets.len() < BATCH && bytes < BATCH_BYTES {
            let Some(packet) = next_packet(&mut buffer)? else { break };
            bytes += packet.len();
            packets.push(packet);
        }
        Ok(packets)
    }
}

impl Answers {
    /// Sends answers as they come, until there are no more or the connection is gone.
    pub(super) async fn forward(mut self, handle: Handle, channel: ChannelId) {
        loop {
            if *self.blocked.borrow_and_update() {
                if self.blocked.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let answer = tokio::select! {
                biased;
                changed = self.blocked.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                answer = async { self.waiting.lock().await.recv().await } => answer,
            };
            let Some(answer) = answer else { break };
            if handle.data(channel, answer).await.is_err() {
                return;
            }
        }
        let _ = handle.exit_status_request(channel, 0).await;
        let _ = handle.eof(channel).await;
        let _ = handle.close(channel).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_come_whole_and_end() {
        let (flow, mut requests, _answer, _answers) = flow();
        flow.received.lock().extend_from_slice(&[0, 0, 0, 2, 7]);
        assert!(requests.take().unwrap().is_empty());
        flow.received.lock().extend_from_slice(&[8, 0, 0, 0, 1, 9, 0]);
        assert_eq!(requests.next().await.unwrap().unwrap(), [&[7, 8][..], &[9][..]]);
        flow.end();
        assert!(requests.next().await.unwrap().is_none());
        flow.received.lock().clear();
        flow.received.lock().extend_from_slice(&[255; 8]);
        assert!(requests.next().await.is_err());
    }

    #[tokio::test]
    async fn a_batch_is_bounded() {
        let (flow, mut requests, _answer, _answers) = flow();
        for _ in 0..BATCH + 1 {
            flow.received.lock().extend_from_slice(&[0, 0, 0, 1, 1]);
        }
        assert_eq!(requests.next().await.unwrap().unwrap().len(), BATCH);
        assert_eq!(requests.next().await.unwrap().unwrap().len(), 1);
    }
}
