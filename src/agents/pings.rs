//! Pings of one connection and their round-trip times.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// How many pings are remembered while they wait for their answer.
const PINGS: usize = 8;

/// Pings without an answer yet.
#[derive(Default)]
pub(super) struct Pings {
    next: u64,
    under_way: VecDeque<(u64, Instant)>,
    /// When the oldest unanswered ping was sent; `None` after any answer.
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

    /// Handles a pong. Returns the round-trip time if it answers one of our pings.
    pub(super) fn answered(&mut self, pong: &[u8]) -> Option<Duration> {
        let number = u64::from_be_bytes(pong.try_into().ok()?);
        let (_, sent) = *self.under_way.iter().find(|(asked, _)| *asked == number)?;
        self.under_way.retain(|(asked, _)| *asked > number);
        self.unanswered = self.under_way.front().map(|(_, sent)| *sent);
        Some(sent.elapsed())
    }
}
