//! Tracks who follows what. Agents send console lines and stats only for what is followed. Changes are batched: an
//! agent is notified at most once a second, however often followers come and go.

mod stats_wish;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::{
    ConsoleLines, ConsoleSubscribe, ConsoleTail, NodeId, ServerId, ServerRef, Stats, StatsSubscribe, ToAgent,
    ToPanel,
};
use tokio::sync::Notify;

use self::stats_wish::{Check, StatsWishes};
use super::console::{ConsoleFeed, FIRST_LINES, Lingered, Next, ReaderId, Rings};
use super::registry::Registry;
use super::session::Session;
use super::stats::StatsFeed;

/// How long a new reader waits for the first lines before it starts without any.
const FIRST_LINES_WITHIN: Duration = Duration::from_secs(3);
/// How long a console stays subscribed after its last reader left.
const LINGERS: Duration = Duration::from_secs(1);
/// How long a list is kept current after it was read by HTTP.
const FRESH_FOR: Duration = Duration::from_secs(15);

/// Whether the list was read lately: not at all; in this round; in an earlier round but not yet in this one.
const UNREAD: u8 = 0;
const READ: u8 = 1;
const WAITING: u8 = 2;

/// All subscriptions. Cheap to clone.
#[derive(Clone)]
pub(super) struct Subscriptions(Arc<Inner>);

struct Inner {
    registry: Arc<Registry>,
    consoles: Mutex<HashMap<ServerId, Arc<ConsoleFeed>>>,
    rings: Arc<Rings>,
    stats: Mutex<HashMap<ServerId, Arc<StatsFeed>>>,
    /// Number of followers of each list, indexed by [`AgentTopic`].
    lists: [AtomicUsize; 2],
    /// How often each server is in a followed list that is limited to some servers.
    listed: Mutex<HashMap<ServerId, usize>>,
    /// Whether each list was read by HTTP lately, indexed by [`AgentTopic`].
    read: [AtomicU8; 2],
    wishes: StatsWishes,
}

/// A list that can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentTopic {
    /// All servers, with stats of each.
    Servers,
    /// All nodes, with usage of each.
    Nodes,
}

/// Guard of a followed list; ends the subscription when dropped.
pub struct TopicGuard {
    subscriptions: Subscriptions,
    topic: AgentTopic,
    /// Limited to these servers; `None` for all.
    only: Option<Vec<ServerId>>,
}

/// A followed console; ends the subscription when dropped.
pub struct ConsoleWatch {
    subscriptions: Subscriptions,
    server_id: ServerId,
    node_id: NodeId,
    feed: Arc<ConsoleFeed>,
    reader: ReaderId,
}

/// Followed stats; ends the subscription when dropped.
pub struct StatsWatch {
    subscriptions: Subscriptions,
    server_id: ServerId,
    node_id: NodeId,
    feed: Arc<StatsFeed>,
    reader: Arc<Notify>,
}

impl Subscriptions {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self(Arc::new(Inner {
            registry,
            consoles: Mutex::default(),
            rings: Arc::default(),
            stats: Mutex::default(),
            lists: Default::default(),
            listed: Mutex::default(),
            read: Default::default(),
            wishes: StatsWishes::default(),
        }))
    }

    /// Follows a console. Wakes `reader` when there is something new.
    pub(super) fn watch_console(
        &self,
        server_id: &ServerId,
        node_id: &NodeId,
        reader: Arc<Notify>,
    ) -> ConsoleWatch {
        let mut consoles = lock(&self.0.consoles);
        let feed = if let Some(feed) = consoles.get(server_id) {
            Arc::clone(feed)
        } else {
            let feed = ConsoleFeed::new(&self.0.rings);
            consoles.insert(server_id.to_owned(), Arc::clone(&feed));
            self.follow_console(server_id, node_id, &feed);
            feed
        };
        let reader = feed.add_reader(reader);
        drop(consoles);
        let (server_id, node_id) = (server_id.to_owned(), node_id.to_owned());
        ConsoleWatch { subscriptions: self.clone(), server_id, node_id, feed, reader }
    }

    /// Follows a server's stats. Wakes `reader` when there is something new.
    pub(super) fn watch_stats(
        &self,
        server_id: &ServerId,
        node_id: &NodeId,
        reader: Arc<Notify>,
    ) -> StatsWatch {
        let latest = self.0.registry.lock().server(server_id).stats;
        let mut stats = lock(&self.0.stats);
        let feed = stats.entry(server_id.to_owned()).or_insert_with(|| StatsFeed::new(latest));
        let feed = Arc::clone(feed);
        feed.add_reader(Arc::clone(&reader));
        drop(stats);
        self.refresh(node_id);
        let (server_id, node_id) = (server_id.to_owned(), node_id.to_owned());
        StatsWatch { subscriptions: self.clone(), server_id, node_id, feed, reader }
    }

    /// Follows a list until the guard is dropped.
    pub(super) fn watch_list(&self, topic: AgentTopic) -> TopicGuard {
        if self.0.lists[topic as usize].fetch_add(1, Ordering::AcqRel) == 0 {
            self.refresh_all();
        }
        TopicGuard { subscriptions: self.clone(), topic, only: None }
    }

    /// Follows a list of these servers until the guard is dropped.
    pub(super) fn watch_some(&self, server_ids: impl Iterator<Item = ServerId>) -> TopicGuard {
        let only: Vec<ServerId> = server_ids.collect();
        let mut listed = lock(&self.0.listed);
        let mut first = false;
        for id in &only {
            let count = listed.entry(id.clone()).or_default();
            *count += 1;
            first |= *count == 1;
        }
        drop(listed);
        if first {
            self.refresh_nodes_of(&only);
        }
        TopicGuard { subscriptions: self.clone(), topic: AgentTopic::Servers, only: Some(only) }
    }

    /// Keeps a list current for a while after it was read by HTTP, in case it is read again.
    pub(super) fn keep_fresh(&self, topic: AgentTopic) {
        if self.0.read[topic as usize].swap(READ, Ordering::AcqRel) != UNREAD {
            return;
        }
        let guard = self.watch_list(topic);
        let token = self.0.registry.tasks.token();
        let subscriptions = self.clone();
        drop(self.0.registry.tasks.spawn("keep-fresh", async move {
            let read = &subscriptions.0.read[topic as usize];
            let next =
                |from, to| read.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok();
            // If it was read again in the meantime, wait one more round.
            while next(READ, WAITING) || !next(WAITING, UNREAD) {
                tokio::select! {
                    () = token.cancelled() => break,
                    () = tokio::time::sleep(FRESH_FOR) => {}
                }
            }
            drop(guard);
        }));
    }

    /// Renews the subscriptions on a node that has reconnected; consoles continue where they stopped.
    pub(super) fn resume(&self, session: &Session) {
        let node_id = session.node_id();
        let consoles = lock(&self.0.consoles);
        for (server_id, feed) in consoles.iter() {
            if self.0.registry.lock().is_on(server_id, node_id) {
                self.follow_console(server_id, node_id, feed);
            }
        }
        drop(consoles);
        self.refresh(node_id);
    }

    /// Requests console lines from the agent: first the recent ones, so that readers know at once whether there are
    /// any, then all that follow.
    fn follow_console(&self, server_id: &ServerId, node_id: &NodeId, feed: &Arc<ConsoleFeed>) {
        let Ok(session) = self.0.registry.session(node_id) else {
            feed.set_ready();
            return;
        };
        if feed.after().is_some() {
            subscribe(&session, server_id, feed);
            return;
        }
        let tail = ConsoleTail { server_id: server_id.to_owned(), tail: FIRST_LINES as u32 };
        let (subscriptions, server_id, feed) = (self.clone(), server_id.to_owned(), Arc::clone(feed));
        drop(self.0.registry.tasks.spawn("console-tail", async move {
            match session.ask(ToAgent::ConsoleTail(tail), FIRST_LINES_WITHIN).await {
                Ok(ToPanel::ConsoleLines(lines)) if !lines.lines.is_empty() => {
                    feed.push(lines.lines, false, lines.partial);
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(server = %server_id, %error, "no console"),
            }
            // Locked, so that an unsubscribe of the last reader comes either before or after all of this.
            let consoles = lock(&subscriptions.0.consoles);
            if consoles.get(&server_id).is_some_and(|followed| Arc::ptr_eq(followed, &feed)) {
                subscribe(&session, &server_id, &feed);
            }
        }));
    }

    fn refresh_all(&self) {
        let nodes: Vec<NodeId> = self.0.registry.lock().nodes.keys().cloned().collect();
        for node in nodes {
            self.refresh(&node);
        }
    }

    fn refresh_nodes_of(&self, server_ids: &[ServerId]) {
        let nodes: BTreeSet<NodeId> = {
            let state = self.0.registry.lock();
            server_ids.iter().filter_map(|id| Some(state.servers.get(id)?.node_id.clone())).collect()
        };
        for node in nodes {
            self.refresh(&node);
        }
    }

    /// Notifies an agent if the set of wanted stats has changed: at once if the last notification is long ago, else
    /// soon.
    pub(super) fn refresh(&self, node_id: &NodeId) {
        let Ok(session) = self.0.registry.session(node_id) else { return };
        let due = match self.0.wishes.check(&session, Instant::now()) {
            Check::No => return,
            Check::Now => return self.send_wish(&session),
            Check::At(due) => due,
        };
        let subscriptions = self.clone();
        drop(self.0.registry.tasks.spawn("stats-wish", async move {
            tokio::select! {
                () = session.ended().cancelled() => return,
                () = tokio::time::sleep_until(due.into()) => {}
            }
            subscriptions.0.wishes.checked(&session, Instant::now());
            subscriptions.send_wish(&session);
        }));
    }

    fn send_wish(&self, session: &Session) {
        let node_id = session.node_id();
        let all = self.followers(AgentTopic::Servers) > 0;
        let mut followed: BTreeSet<ServerId> = lock(&self.0.stats).keys().cloned().collect();
        followed.extend(lock(&self.0.listed).keys().cloned());
        let mut server_ids: Vec<ServerId> = {
            let state = self.0.registry.lock();
            if all {
                state.servers_of(node_id)
            } else {
                followed.into_iter().filter(|id| state.is_on(id, node_id)).collect()
            }
        };
        server_ids.sort_unstable();
        let node = self.followers(AgentTopic::Nodes) > 0;
        self.0.wishes.send(session, (server_ids, node), |(server_ids, node)| {
            let wish = StatsSubscribe { server_ids: server_ids.clone(), node: *node };
            let sent = session.tell(ToAgent::StatsSubscribe(wish));
            if let Err(error) = &sent {
                tracing::debug!(node = %node_id, %error, "could not tell whose stats are wanted");
            }
            sent.is_ok()
        });
    }

    /// The first message to an agent that announced protocol extensions: it announces the panel's. `None` if the agent
    /// is sent a stats subscription anyway.
    pub(super) fn announcement(&self, session: &Session) -> Option<ToAgent> {
        self.0.wishes.begin(session).then(|| ToAgent::StatsSubscribe(StatsSubscribe::default()))
    }

    /// Handles that the last reader of a console has left. The agent is only notified if no reader comes back soon.
    fn leave_console(&self, server_id: &ServerId, node_id: &NodeId, feed: &Arc<ConsoleFeed>) {
        if !feed.linger() {
            return;
        }
        let (subscriptions, token) = (self.clone(), self.0.registry.tasks.token());
        let (server_id, node_id, feed) = (server_id.to_owned(), node_id.to_owned(), Arc::clone(feed));
        drop(self.0.registry.tasks.spawn("console-lingers", async move {
            loop {
                tokio::select! {
                    () = token.cancelled() => return,
                    () = tokio::time::sleep(LINGERS) => {}
                }
                // Locked, as in `follow_console`.
                let mut consoles = lock(&subscriptions.0.consoles);
                match feed.lingered(LINGERS) {
                    Lingered::Wait => continue,
                    Lingered::Read => return,
                    Lingered::Over => {}
                }
                if consoles.get(&server_id).is_some_and(|known| Arc::ptr_eq(known, &feed)) {
                    consoles.remove(&server_id);
                    let registry = &subscriptions.0.registry;
                    // The server may have been moved in the meantime.
                    let node_id = registry.node_of(&server_id).unwrap_or(node_id);
                    if let Ok(session) = registry.session(&node_id) {
                        // If the queue is full, lines that still arrive are dropped here.
                        drop(session.tell(ToAgent::ConsoleUnsubscribe(ServerRef { server_id })));
                    }
                }
                return;
            }
        }));
    }

    fn followers(&self, topic: AgentTopic) -> usize {
        self.0.lists[topic as usize].load(Ordering::Acquire)
    }

    /// Whether a followed list contains this server.
    pub(super) fn is_listed(&self, server_id: &ServerId) -> bool {
        self.followers(AgentTopic::Servers) > 0 || lock(&self.0.listed).contains_key(server_id)
    }

    /// Passes new console lines to readers.
    pub(super) fn lines(&self, lines: ConsoleLines) {
        let feed = lock(&self.0.consoles).get(&lines.server_id).cloned();
        if let Some(feed) = feed {
            feed.push(lines.lines, lines.reset, lines.partial);
        }
        if self.0.rings.are_full() {
            let all: Vec<_> = lock(&self.0.consoles).values().cloned().collect();
            all.iter().for_each(|feed| feed.trim());
        }
    }

    /// Passes a new sample to readers.
    pub(super) fn sample(&self, server_id: &ServerId, stats: Stats) {
        let feed = lock(&self.0.stats).get(server_id).cloned();
        if let Some(feed) = feed {
            feed.push(stats);
        }
    }

    /// Lets readers of these consoles start without lines, because no agent can send any at present.
    pub(super) fn set_ready(&self, server_ids: &[ServerId]) {
        let consoles = lock(&self.0.consoles);
        for feed in server_ids.iter().filter_map(|id| consoles.get(id)) {
            feed.set_ready();
        }
    }

    /// Tells followers that a server was deleted.
    pub(super) fn server_gone(&self, server_id: &ServerId) {
        if let Some(feed) = lock(&self.0.consoles).get(server_id) {
            feed.set_gone();
        }
        if let Some(feed) = lock(&self.0.stats).get(server_id) {
            feed.set_gone();
        }
    }

    /// Removes a deleted node.
    pub(super) fn node_gone(&self, node_id: &NodeId) {
        self.0.wishes.forget(node_id);
    }

    #[cfg(test)]
    pub(super) fn listed(&self) -> Vec<ServerId> {
        lock(&self.0.listed).keys().cloned().collect()
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        lock(&self.0.consoles).is_empty() && lock(&self.0.stats).is_empty()
    }
}

/// Subscribes to all lines that follow those in the feed.
fn subscribe(session: &Session, server: &ServerId, feed: &ConsoleFeed) {
    let (server_id, after, last) = (server.to_owned(), feed.after(), feed.fingerprints());
    let wish = ConsoleSubscribe { server_id, after, last, partial: true };
    if let Err(error) = session.tell(ToAgent::ConsoleSubscribe(wish)) {
        tracing::warn!(%server, %error, "could not follow a console");
    }
    feed.set_ready();
}

impl ConsoleWatch {
    /// What is next for this reader: first the recent lines, then each new batch.
    pub fn next(&self) -> Next {
        self.feed.next(self.reader)
    }
}

impl StatsWatch {
    /// The feed of samples.
    pub fn feed(&self) -> &StatsFeed {
        &self.feed
    }
}

impl Drop for ConsoleWatch {
    fn drop(&mut self) {
        // Locked, so that no reader is added in between.
        let consoles = lock(&self.subscriptions.0.consoles);
        let last = self.feed.remove_reader(self.reader);
        drop(consoles);
        if last {
            self.subscriptions.leave_console(&self.server_id, &self.node_id, &self.feed);
        }
    }
}

impl Drop for StatsWatch {
    fn drop(&mut self) {
        let mut stats = lock(&self.subscriptions.0.stats);
        let last = self.feed.remove_reader(&self.reader);
        if last && stats.get(&self.server_id).is_some_and(|feed| Arc::ptr_eq(feed, &self.feed)) {
            stats.remove(&self.server_id);
        }
        drop(stats);
        if last {
            self.subscriptions.refresh(&self.node_id);
        }
    }
}

impl Drop for TopicGuard {
    fn drop(&mut self) {
        let subscriptions = &self.subscriptions;
        let Some(only) = &self.only else {
            if subscriptions.0.lists[self.topic as usize].fetch_sub(1, Ordering::AcqRel) == 1 {
                subscriptions.refresh_all();
            }
            return;
        };
        let mut listed = lock(&subscriptions.0.listed);
        let mut last = false;
        for id in only {
            if let Some(count) = listed.get_mut(id) {
                *count -= 1;
                if *count == 0 {
                    last = true;
                    listed.remove(id);
                }
            }
        }
        drop(listed);
        if last {
            subscriptions.refresh_nodes_of(only);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
