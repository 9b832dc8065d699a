//! The pings of one connection, and how long their answers take.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Pings under way whose answers are measured.
const PINGS: usize = 8;

/// The pings that have not come back.
#[derive(Default)]
pub(super) struct Pings {
    next: u64,
    under_way: VecDeque<(u64, Instant)>,
    /// Since when none of them has come back.
    pub(super) unanswered: Option<Instant>,
}

impl Pings {
    pub(super) fn send(&mut self) -> Message {
        let now = Instant::now();
        self.next += 1;
        self.under_way.push_back((self.next, now));
        if self.under_way.len() > PINGS {
            self.under_way.pop_front();
        }
        self.unanswered.get_or_insert(now);
        Message::Ping(Bytes::copy_from_slice(&self.next.to_be_bytes()))
    }

    /// How long it took, where it is the answer to one of ours.
    pub(super) fn answered(&mut self, pong: &[u8]) -> Option<Duration> {
        let number = u64::from_be_bytes(pong.try_into().ok()?);
        let (_, sent) = *self.under_way.iter().find(|(asked, _)| *asked == number)?;
        self.under_way.retain(|(asked, _)| *asked > number);
        self.unanswered = self.under_way.front().map(|(_, sent)| *sent);
        Some(sent.elapsed())
    }
}
