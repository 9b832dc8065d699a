//! The link between a panel and an agent: two queues of envelopes.
//!
//! Each queue has two lanes. Urgent messages (answers, statuses, requests) are always accepted and overtake the others.
//! Bulk messages (console lines, stats) have `capacity` slots and are dropped or delayed when these are full. So a
//! flood on one console can neither delay an answer nor use unbounded memory. An unread status of a server is replaced
//! by a newer one.

pub mod log_counter;
pub mod metered_stream;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{ConsoleItem, Envelope, ToAgent, ToPanel};
use tokio::sync::Notify;

/// Number of queued urgent messages from which statuses are reduced to one per server.
const FOLD_FROM: usize = 256;
/// Maximum queued bulk messages per source.
const EACH: usize = 4;
/// Number of queued urgent messages at which the other side is considered dead.
const MOST_URGENT: usize = 65_536;
/// Bytes of queued urgent messages at which senders that can wait do so.
const MOST_BYTES: usize = 8 << 20;
/// Number of queued urgent messages at which senders that can wait do so.
const MOST_WAITING: usize = 1_024;
/// Assumed bytes of a message in addition to its texts.
const EACH_TAKES: usize = 512;

/// Determines a message's lane.
pub trait Lane {
    /// Whether it is bulk, which may be dropped or delayed: console lines and stats.
    fn is_bulk(&self) -> bool;
    /// The source of a bulk message. One source cannot use all slots, so that others do not wait behind a flood.
    fn source(&self) -> Option<&str> {
        None
    }
    /// A key: a message makes older ones with the same key obsolete.
    fn replaces(&self) -> Option<&str> {
        None
    }
    /// Approximate size in bytes.
    fn weight(&self) -> usize {
        EACH_TAKES
    }
}

impl Lane for ToAgent {
    fn is_bulk(&self) -> bool {
        false
    }

    fn weight(&self) -> usize {
        let variables = |all: &BTreeMap<String, String>| {
            all.iter().map(|(name, value)| name.len() + value.len() + 64).sum::<usize>()
        };
        EACH_TAKES
            + match self {
                Self::FileWrite(file) => file.content.len(),
                Self::ServerCommand(command) => command.command.len(),
                Self::ServerCreate(spec) => spec.startup.len() + variables(&spec.environment),
                Self::ServerUpdate(update) => {
                    update.startup.as_ref().map_or(0, String::len)
                        + update.environment.as_ref().map_or(0, variables)
                }
                Self::StatsSubscribe(of) => of.server_ids.len() * 64,
                _ => 0,
            }
    }
}

impl Lane for ToPanel {
    fn is_bulk(&self) -> bool {
        matches!(
            self,
            Self::ConsoleLines(_)
                | Self::ServerStats(_)
                | Self::NodeStats(_)
                | Self::ServerOutput(_)
                | Self::FileProgress(_)
        )
    }

    fn source(&self) -> Option<&str> {
        match self {
            Self::ConsoleLines(lines) => Some(&lines.server_id),
            Self::FileProgress(progress) => Some(&progress.job_id),
            _ => None,
        }
    }

    fn replaces(&self) -> Option<&str> {
        match self {
            Self::ServerStatus(status) => Some(&status.server_id),
            _ => None,
        }
    }

    fn weight(&self) -> usize {
        EACH_TAKES
            + match self {
                Self::FileContent(file) => file.content.as_ref().map_or(0, String::len),
                Self::ConsoleLines(lines) => lines
                    .lines
                    .iter()
                    .map(|item| match item {
                        ConsoleItem::Line(line) => line.text.len() + 64,
                        ConsoleItem::Skipped { .. } => 64,
                    })
                    .sum(),
                Self::Sync(sync) => sync.servers.len() * EACH_TAKES,
                Self::StatsHistory(history) => history.samples.len() * 128,
                Self::FileEntries(entries) => entries.entries.len() * 160,
                Self::FileMatches(matches) => matches.matches.len() * EACH_TAKES,
                Self::FileDone(done) => (done.skipped.len() + done.trashed.len()) * 160,
                Self::FileTrashList(list) => list.entries.len() * 160,
                Self::ServerDescription(told) => {
                    told.spec.environment.iter().map(|(name, value)| name.len() + value.len() + 64).sum()
                }
                _ => 0,
            }
    }
}

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No room for bulk messages at the moment.
    #[error("the link is full")]
    Full,
    /// The other side is gone.
    #[error("the link is closed")]
    Closed,
}

#[derive(Debug)]
struct Queue<M> {
    lanes: Mutex<Lanes<M>>,
    /// Notified when there is something to read or the senders are gone.
    filled: Notify,
    /// Notified when there is room for bulk or the reader is gone.
    drained: Notify,
    capacity: usize,
}

#[derive(Debug)]
struct Lanes<M> {
    urgent: VecDeque<Envelope<M>>,
    /// Bytes of the queued urgent messages.
    weight: usize,
    bulk: VecDeque<Envelope<M>>,
    senders: usize,
    reader: bool,
}

impl<M> Lanes<M> {
    fn is_heavy(&self) -> bool {
        self.reader && (self.weight > MOST_BYTES || self.urgent.len() >= MOST_WAITING)
    }
}

impl<M: Lane> Queue<M> {
    fn lock(&self) -> MutexGuard<'_, Lanes<M>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, envelope: Envelope<M>) -> Result<(), (LinkError, Envelope<M>)> {
        let mut lanes = self.lock();
        if !lanes.reader {
            return Err((LinkError::Closed, envelope));
        }
        // The answer to a request is never bulk, whatever it contains.
        if envelope.message_id.is_none() && envelope.message.is_bulk() {
            let same = |source| lanes.bulk.iter().filter(|old| old.message.source() == Some(source)).count();
            if lanes.bulk.len() >= self.capacity
                || envelope.message.source().is_some_and(|source| same(source) >= EACH)
            {
                return Err((LinkError::Full, envelope));
            }
            lanes.bulk.push_back(envelope);
        } else {
            if lanes.urgent.len() >= FOLD_FROM
                && envelope.message_id.is_none()
                && let Some(key) = envelope.message.replaces()
            {
                lanes.urgent.retain(|old| old.message_id.is_some() || old.message.replaces() != Some(key));
                lanes.weight = lanes.urgent.iter().map(|old| old.message.weight()).sum();
            }
            if lanes.urgent.len() >= MOST_URGENT {
                return Err((LinkError::Full, envelope));
            }
            lanes.weight += envelope.message.weight();
            lanes.urgent.push_back(envelope);
        }
        drop(lanes);
        self.filled.notify_one();
        Ok(())
    }
}

/// The sending end. Cheap to clone; the link closes when the last one is dropped.
#[derive(Debug)]
pub struct Outbox<M: Lane>(Arc<Queue<M>>);

impl<M: Lane> Clone for Outbox<M> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<M: Lane> Drop for Outbox<M> {
    fn drop(&mut self) {
        self.0.lock().senders -= 1;
        self.0.filled.notify_one();
    }
}

impl<M: Lane> Outbox<M> {
    /// Sends without waiting. Only bulk messages are refused for lack of room.
    ///
    /// # Errors
    /// [`LinkError`]; the message is dropped.
    pub fn try_send(&self, envelope: Envelope<M>) -> Result<(), LinkError> {
        self.0.push(envelope).map_err(|(error, _)| error)
    }

    /// Sends an urgent message once not too many are queued: for messages read from a peer that may send endlessly.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn send_slowly(&self, envelope: Envelope<M>) -> Result<(), LinkError> {
        loop {
            let drained = self.0.drained.notified();
            if !self.0.lock().is_heavy() {
                return self.try_send(envelope);
            }
            drained.await;
        }
    }

    /// Sends, waiting for room.
    ///
    /// # Errors
    /// [`LinkError::Closed`].
    pub async fn send(&self, mut envelope: Envelope<M>) -> Result<(), LinkError> {
        loop {
            let drained = self.0.drained.notified();
            match self.0.push(envelope) {
                Ok(()) => return Ok(()),
                Err((LinkError::Closed, _)) => return Err(LinkError::Closed),
                Err((LinkError::Full, back)) => envelope = back,
            }
            drained.await;
        }
    }
}

/// The reading end.
#[derive(Debug)]
pub struct Inbox<M: Lane>(Arc<Queue<M>>);

impl<M: Lane> Drop for Inbox<M> {
    fn drop(&mut self) {
        let mut lanes = self.0.lock();
        lanes.reader = false;
        lanes.urgent.clear();
        lanes.weight = 0;
        lanes.bulk.clear();
        drop(lanes);
        self.0.drained.notify_waiters();
    }
}

impl<M: Lane> Inbox<M> {
    /// Whether so much is queued that no more work should be requested.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        self.0.lock().is_heavy()
    }

    /// The next message, urgent ones first; `None` when the other side is gone and everything was read. Cancel safe.
    pub async fn recv(&mut self) -> Option<Envelope<M>> {
        loop {
            let filled = self.0.filled.notified();
            let (next, open) = {
                let mut lanes = self.0.lock();
                let urgent = lanes.urgent.pop_front();
                if let Some(urgent) = &urgent {
                    lanes.weight = lanes.weight.saturating_sub(urgent.message.weight());
                }
                (urgent.or_else(|| lanes.bulk.pop_front()), lanes.senders > 0)
            };
            if next.is_some() {
                self.0.drained.notify_waiters();
                return next;
            }
            if !open {
                return None;
            }
            filled.await;
        }
    }
}

/// The panel's side of a link.
#[derive(Debug)]
pub struct PanelSide {
    /// Requests to the agent.
    pub to_agent: Outbox<ToAgent>,
    /// Messages of the agent.
    pub from_agent: Inbox<ToPanel>,
}

/// The agent's side of a link.
#[derive(Debug)]
pub struct AgentSide {
    /// Messages to the panel.
    pub to_panel: Outbox<ToPanel>,
    /// Requests of the panel.
    pub from_panel: Inbox<ToAgent>,
}

/// A link within this process, without encoding. `capacity` is the number of bulk slots.
#[must_use]
pub fn local(capacity: usize) -> (PanelSide, AgentSide) {
    let (to_agent, from_panel) = queue(capacity);
    let (to_panel, from_agent) = queue(capacity);
    (PanelSide { to_agent, from_agent }, AgentSide { to_panel, from_panel })
}

fn queue<M: Lane>(capacity: usize) -> (Outbox<M>, Inbox<M>) {
    let queue = Arc::new(Queue {
        lanes: Mutex::new(Lanes {
            urgent: VecDeque::new(),
            weight: 0,
            bulk: VecDeque::new(),
            senders: 1,
            reader: true,
        }),
        filled: Notify::new(),
        drained: Notify::new(),
        capacity: capacity.max(1),
    });
    (Outbox(Arc::clone(&queue)), Inbox(queue))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Ack, ConsoleLines, ServerStatus, Status};

    fn lines() -> Envelope<ToPanel> {
        lines_of("a")
    }

    fn lines_of(server: &str) -> Envelope<ToPanel> {
        let lines = ConsoleLines { server_id: server.into(), ..ConsoleLines::default() };
        Envelope::new(ToPanel::ConsoleLines(lines))
    }

    #[tokio::test]
    async fn a_flood_leaves_room_for_others() {
        let (mut panel, agent) = local(64);
        for _ in 0..EACH {
            agent.to_panel.try_send(lines_of("loud")).unwrap();
        }
        assert_eq!(agent.to_panel.try_send(lines_of("loud")), Err(LinkError::Full));
        agent.to_panel.try_send(lines_of("quiet")).unwrap();
        panel.from_agent.recv().await.unwrap();
        agent.to_panel.try_send(lines_of("loud")).unwrap();
    }

    #[tokio::test]
    async fn bulk_gives_way_and_answers_overtake() {
        let (mut panel, agent) = local(2);
        assert_eq!(agent.to_panel.try_send(lines()), Ok(()));
        assert_eq!(agent.to_panel.try_send(lines()), Ok(()));
        assert_eq!(agent.to_panel.try_send(lines()), Err(LinkError::Full));
        agent.to_panel.try_send(Envelope::with_id(ToPanel::Ack(Ack::default()), "1")).unwrap();
        assert!(matches!(panel.from_agent.recv().await.unwrap().message, ToPanel::Ack(_)));
        assert!(matches!(panel.from_agent.recv().await.unwrap().message, ToPanel::ConsoleLines(_)));
        assert_eq!(agent.to_panel.try_send(lines()), Ok(()));
    }

    #[tokio::test]
    async fn a_sender_waits_for_room_and_learns_of_the_end() {
        let (mut panel, agent) = local(1);
        agent.to_panel.try_send(lines()).unwrap();
        let send = agent.to_panel.send(lines());
        let (sent, _) = tokio::join!(send, panel.from_agent.recv());
        assert_eq!(sent, Ok(()));
        let (sent, ()) = tokio::join!(agent.to_panel.send(lines()), async { drop(panel) });
        assert_eq!(sent, Err(LinkError::Closed));
    }

    #[tokio::test]
    async fn a_reader_learns_of_the_end() {
        let (mut panel, agent) = local(1);
        agent.to_panel.try_send(lines()).unwrap();
        drop(agent);
        assert!(panel.from_agent.recv().await.is_some());
        assert!(panel.from_agent.recv().await.is_none());
        assert_eq!(
            panel.to_agent.try_send(Envelope::new(ToAgent::SystemInfoRequest)),
            Err(LinkError::Closed)
        );
    }

    #[tokio::test]
    async fn unread_statuses_fold_into_the_newest_and_answers_never_go() {
        let (mut panel, agent) = local(1);
        let out = &agent.to_panel;
        for n in 0..1_000 {
            let status = if n % 2 == 0 { Status::Running } else { Status::Stopped };
            out.try_send(Envelope::new(ToPanel::ServerStatus(Box::new(ServerStatus::new("a", status)))))
                .unwrap();
            out.try_send(Envelope::with_id(ToPanel::Ack(Ack::default()), n.to_string())).unwrap();
        }
        drop(agent);
        let (mut answers, mut last) = (0, None);
        let mut statuses = 0;
        while let Some(envelope) = panel.from_agent.recv().await {
            match envelope.message {
                ToPanel::ServerStatus(status) => {
                    statuses += 1;
                    last = Some(status.status);
                }
                _ => answers += 1,
            }
        }
        assert_eq!((answers, last), (1_000, Some(Status::Stopped)));
        assert!(statuses < 200, "{statuses}");
    }
}
