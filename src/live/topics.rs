//! What one socket follows, and what comes next on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Live;
use super::limits::{LISTS, NAMES};
use super::message::{self, ClientMessage, Frame};
use super::topic::{Feed, Follower, News};
use crate::auth::Actor;
use crate::error::{ApiError, Code};
use crate::net::rate_limit::TokenBucket;

/// Topics that one socket may follow.
const MOST: usize = 512;
/// Longer names are no topic's.
const LONGEST_NAME: usize = 80;
/// Frames that may wait before no more messages of the client are read.
const ENOUGH: usize = 1024;

/// The place of a topic in the list of topics, and its whole name: feeds are asked in this order.
type Key = (usize, String);

/// The topics of one socket.
pub(super) struct Topics {
    live: Live,
    follower: Follower,
    /// Frames that are made already: refusals, and one round of changes.
    ready: VecDeque<Frame>,
    /// Feeds that are asked when something in the panel has changed.
    lists: BTreeMap<Key, Box<dyn Feed>>,
    /// Feeds that wake the socket.
    streams: BTreeMap<Key, Box<dyn Feed>>,
    /// Topics that were asked for and refused. They count as well: nobody gets to try names without end.
    refused: BTreeSet<String>,
    /// The stream that was served last: the others come first now.
    last_served: Key,
    /// How many names it may still send.
    names: TokenBucket,
    /// How much time its lists may still take.
    budget: TokenBucket,
}

impl Topics {
    pub(super) fn new(live: Live, actor: Actor) -> Result<Self, ApiError> {
        let visible = live.auth.visible(&actor)?;
        Ok(Self {
            live,
            follower: Follower { actor, visible, wake: Arc::default() },
            ready: VecDeque::new(),
            lists: BTreeMap::new(),
            streams: BTreeMap::new(),
            refused: BTreeSet::new(),
            last_served: Key::default(),
            names: TokenBucket::new(NAMES.0, NAMES.1, Instant::now()),
            budget: TokenBucket::new(LISTS.0, LISTS.1, Instant::now()),
        })
    }

    pub(super) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.follower.wake)
    }

    /// Whether a change somewhere in the panel can mean news here.
    pub(super) fn has_lists(&self) -> bool {
        !self.lists.is_empty()
    }

    /// Whether another message of the client may be read.
    pub(super) fn has_room(&self) -> bool {
        self.ready.len() < ENOUGH
    }

    /// When lists may be looked at again, where they were looked at too often.
    pub(super) fn next_round(&self) -> Option<Instant> {
        self.budget.due().filter(|_| self.has_lists())
    }

    /// What the client said. False where it names too many topics.
    #[must_use]
    pub(super) fn client_says(&mut self, text: &[u8]) -> bool {
        match crate::http::parse::<ClientMessage>(text) {
            Ok(message) => {
                let count = message.unsubscribe.len() + message.subscribe.len();
                if !self.names.take_many(count as f64, Instant::now()) {
                    return false;
                }
                for name in &message.unsubscribe {
                    self.unsubscribe(name);
                }
                // A name that is there twice counts once.
                let mut said = BTreeSet::new();
                for name in message.subscribe.iter().filter(|name| said.insert(name.as_str())) {
                    if let Err(error) = self.subscribe(name) {
                        if self.open() < MOST && name.len() <= LONGEST_NAME {
                            self.refused.insert(name.clone());
                        }
                        self.ready.push_back(message::error(Some(name), &error));
                    }
                }
            }
            Err(error) => self.ready.push_back(message::error(None, &error)),
        }
        true
    }

    fn unsubscribe(&mut self, name: &str) {
        self.refused.remove(name);
        if let Some((place, _, _)) = self.live.topic(name) {
            let key = (place, name.to_owned());
            self.lists.remove(&key);
            self.streams.remove(&key);
        }
    }

    /// Asking again begins again.
    fn subscribe(&mut self, name: &str) -> Result<(), ApiError> {
        self.unsubscribe(name);
        if self.open() >= MOST {
            let sentence = format!("One connection may follow at most {MOST} topics.");
            return Err(ApiError::new(Code::TooManyRequests, sentence));
        }
        let (place, topic, id) = self.live.topic(name).ok_or_else(|| ApiError::not_found("topic"))?;
        self.live.auth.authorize(self.follower.actor.clone(), topic.access(), &id.into())?;
        let feed = topic.follow(&self.follower, id)?;
        let map = if topic.wakes() { &mut self.streams } else { &mut self.lists };
        map.insert((place, name.to_owned()), feed);
        Ok(())
    }

    fn open(&self) -> usize {
        self.lists.len() + self.streams.len() + self.refused.len()
    }

    /// What the caller may do may have changed: what is no longer allowed ends with an error, and the rest is put right.
    pub(super) fn recheck(&mut self, actor: Actor) -> Result<(), ApiError> {
        self.follower.visible = self.live.auth.visible(&actor)?;
        self.follower.actor = actor;
        let mut ended = Vec::new();
        for ((_, name), feed) in self.lists.iter_mut().chain(&mut self.streams) {
            let Some((_, topic, id)) = self.live.topic(name) else { continue };
            match self.live.auth.authorize(self.follower.actor.clone(), topic.access(), &id.into()) {
                Ok(_) => self.ready.extend(feed.access_changed(&self.follower)),
                Err(error) => ended.push((name.clone(), error)),
            }
        }
        for (name, error) in ended {
            let frame = self.end_of(&name, &error);
            self.ready.push_back(frame);
        }
        Ok(())
    }

    /// The next frame, if there is one.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        if self.ready.is_empty() {
            self.look_at_lists().await;
        }
        self.ready.pop_front().or_else(|| self.next_of_streams())
    }

    async fn look_at_lists(&mut self) {
        if self.budget.due().is_some() {
            return;
        }
        let began = Instant::now();
        let mut ended = Vec::new();
        for ((_, name), feed) in &mut self.lists {
            match feed.next() {
                News::Nothing => {}
                News::Frame(frame) => self.ready.push_back(frame),
                News::Frames(frames) => self.ready.extend(frames),
                News::Load(frame) => match frame.await {
                    Ok(frame) => self.ready.push_back(frame),
                    Err(error) => tracing::warn!(topic = name, %error, "a live topic could not be read"),
                },
                News::Gone(error) => ended.push((name.clone(), error)),
            }
        }
        for (name, error) in ended {
            let frame = self.end_of(&name, &error);
            self.ready.push_back(frame);
        }
        if !self.ready.is_empty() {
            self.budget.take_many(began.elapsed().as_secs_f64(), Instant::now());
        }
    }

    /// Streams take turns, so that a flood on one does not hold up the others.
    fn next_of_streams(&mut self) -> Option<Frame> {
        let after = (Bound::Excluded(self.last_served.clone()), Bound::Unbounded);
        let until = (Bound::Unbounded, Bound::Included(self.last_served.clone()));
        for range in [after, until] {
            for (key, feed) in self.streams.range_mut::<Key, _>(range) {
                let news = match feed.next() {
                    // A stream has its frames in memory.
                    News::Nothing | News::Load(_) => continue,
                    News::Frame(frame) => Ok(Some(frame)),
                    News::Frames(frames) => {
                        self.ready.extend(frames);
                        Ok(self.ready.pop_front())
                    }
                    News::Gone(error) => Err(error),
                };
                match news {
                    Ok(frame) => {
                        self.last_served.clone_from(key);
                        return frame;
                    }
                    Err(error) => {
                        let name = key.1.clone();
                        return Some(self.end_of(&name, &error));
                    }
                }
            }
        }
        None
    }

    /// What a topic ends with.
    fn end_of(&mut self, name: &str, error: &ApiError) -> Frame {
        self.unsubscribe(name);
        message::error(Some(name), error)
    }
}
