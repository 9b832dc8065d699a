//! The topics that one socket follows, and which frame is sent next.

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

/// Most topics per socket.
const MOST: usize = 512;
/// Longest topic name.
const LONGEST_NAME: usize = 80;
/// While this many frames are waiting, no messages of the client are read.
const ENOUGH: usize = 1024;

/// Index of a topic in the list, and its full name. Feeds are asked in this order.
type Key = (usize, String);

/// Topics of one socket.
pub(super) struct Topics {
    live: Live,
    follower: Follower,
    /// Frames ready to be sent: errors, and one round of changes.
    ready: VecDeque<Frame>,
    /// Feeds that are polled when something in the panel has changed.
    lists: BTreeMap<Key, Box<dyn Feed>>,
    /// Feeds that wake the socket.
    streams: BTreeMap<Key, Box<dyn Feed>>,
    /// Topics that were refused. They count towards the limit, so that a client cannot try any number of names.
    refused: BTreeSet<String>,
    /// The stream served last; the following ones are first now.
    last_served: Key,
    /// How many more names the client may send.
    names: TokenBucket,
    /// How much more time may be spent on its lists.
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

    /// Whether there is a feed to poll when something in the panel changes.
    pub(super) fn has_lists(&self) -> bool {
        !self.lists.is_empty()
    }

    /// Whether another message of the client may be read.
    pub(super) fn has_room(&self) -> bool {
        self.ready.len() < ENOUGH
    }

    /// When lists may be polled again, if their time budget is used up.
    pub(super) fn next_round(&self) -> Option<Instant> {
        self.budget.due().filter(|_| self.has_lists())
    }

    /// Handles a message of the client. False if it names too many topics.
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
                // A name that occurs twice counts once.
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

    /// Starts a subscription; a repeated one starts over.
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

    /// Called when the caller's permissions may have changed. Subscriptions that are no longer allowed end with an
    /// error, the others are updated.
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

    /// The next frame of the streams, which take turns so that a busy one does not delay the others.
    fn next_of_streams(&mut self) -> Option<Frame> {
        let after = (Bound::Excluded(self.last_served.clone()), Bound::Unbounded);
        let until = (Bound::Unbounded, Bound::Included(self.last_served.clone()));
        for range in [after, until] {
            for (key, feed) in self.streams.range_mut::<Key, _>(range) {
                let news = match feed.next() {
                    // Streams have their frames in memory and never return `Load`.
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

    /// The frame with which a topic ends.
    fn end_of(&mut self, name: &str, error: &ApiError) -> Frame {
        self.unsubscribe(name);
        message::error(Some(name), error)
    }
}
