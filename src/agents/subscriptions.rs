//! Who watches what. An agent sends console lines and stats of exactly what somebody looks at. What changes in that is
//! gathered: an agent hears of it once a second at most, however often somebody looks and looks away.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agent::protocol::{
    ConsoleLines, ConsoleSubscribe, ConsoleTail, ServerRef, Stats, StatsSubscribe, ToAgent, ToPanel,
};
use tokio::sync::Notify;

use super::console::{ConsoleFeed, FIRST_LINES, Lingered, Next, ReaderId, Rings};
use super::registry::Agents;
use super::session::{RequestError, Session};
use super::stats::StatsFeed;

/// How long a new reader waits for the first lines before it begins with none.
const FIRST_LINES_WITHIN: Duration = Duration::from_secs(3);

/// Between two changes of whose stats an agent hears that they are wanted.
const CHANGES_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at whether it has to hear of one.
const LOOKS_EVERY: Duration = Duration::from_millis(50);
/// How long a console is followed on after the last one looked away.
const LINGERS: Duration = Duration::from_secs(1);

/// How long a look by HTTP keeps a list current.
const PEEK_LASTS: Duration = Duration::from_secs(15);

/// Nobody has looked lately; somebody did in this round; nobody did in this round yet.
const NOBODY: u8 = 0;
const LOOKED: u8 = 1;
const WAITING: u8 = 2;

/// What is watched.
#[derive(Default)]
pub(super) struct Watching {
    consoles: Mutex<HashMap<String, Arc<ConsoleFeed>>>,
    rings: Arc<Rings>,
    stats: Mutex<HashMap<String, Arc<StatsFeed>>>,
    /// How many look at the list of all servers, of all nodes.
    servers: AtomicUsize,
    nodes: AtomicUsize,
    /// How many look at a list with this server in it, who do not see all.
    listed: Mutex<HashMap<String, usize>>,
    /// Whether the lists were looked at by HTTP lately, by [`AgentTopic`].
    looked: [AtomicU8; 2],
}

/// A list that somebody looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentTopic {
    /// All servers: each one's stats are wanted.
    Servers,
    /// All nodes: each one's usage is wanted.
    Nodes,
}

/// Ends the interest when dropped.
pub struct TopicGuard {
    agents: Agents,
    interest: AgentTopic,
    /// Only in these servers.
    only: Option<Vec<String>>,
}

/// When an agent was last told whose stats are wanted.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    told: Option<Instant>,
    looked: Option<Instant>,
    /// Somebody will look again soon.
    waits: bool,
}

/// A console that is followed; no longer when dropped.
pub struct ConsoleWatch {
    agents: Agents,
    server_id: String,
    node_id: String,
    feed: Arc<ConsoleFeed>,
    reader: ReaderId,
}

/// Stats that are followed; no longer when dropped.
pub struct StatsWatch {
    agents: Agents,
    server_id: String,
    node_id: String,
    feed: Arc<StatsFeed>,
    reader: Arc<Notify>,
}

impl Agents {
    /// Follows a console. `reader` is woken when there is something new.
    pub fn watch_console(&self, server_id: &str, node_id: &str, reader: Arc<Notify>) -> ConsoleWatch {
        let mut consoles = lock(&self.0.watching.consoles);
        let feed = if let Some(feed) = consoles.get(server_id) {
            Arc::clone(feed)
        } else {
            let feed = ConsoleFeed::new(&self.0.watching.rings);
            consoles.insert(server_id.to_owned(), Arc::clone(&feed));
            self.follow_console(server_id, node_id, &feed);
            feed
        };
        let reader = feed.add_reader(reader);
        drop(consoles);
        let (server_id, node_id) = (server_id.to_owned(), node_id.to_owned());
        ConsoleWatch { agents: self.clone(), server_id, node_id, feed, reader }
    }

    /// Follows stats. `reader` is woken when there is something new.
    pub fn watch_stats(&self, server_id: &str, node_id: &str, reader: Arc<Notify>) -> StatsWatch {
        let latest = self.server(server_id).stats;
        let mut stats = lock(&self.0.watching.stats);
        let feed = stats.entry(server_id.to_owned()).or_insert_with(|| StatsFeed::new(latest));
        let feed = Arc::clone(feed);
        feed.add_reader(Arc::clone(&reader));
        drop(stats);
        self.refresh_interest(node_id);
        let (server_id, node_id) = (server_id.to_owned(), node_id.to_owned());
        StatsWatch { agents: self.clone(), server_id, node_id, feed, reader }
    }

    /// Looks at a list until the guard is dropped.
    pub fn watch_list(&self, interest: AgentTopic) -> TopicGuard {
        if self.0.watching.counter(interest).fetch_add(1, Ordering::AcqRel) == 0 {
            self.refresh_all_interest();
        }
        TopicGuard { agents: self.clone(), interest, only: None }
    }

    /// Looks at a list of these servers until the guard is dropped.
    pub fn watch_some(&self, server_ids: impl Iterator<Item = String>) -> TopicGuard {
        let only: Vec<String> = server_ids.collect();
        let mut listed = lock(&self.0.watching.listed);
        let mut first = false;
        for id in &only {
            let count = listed.entry(id.clone()).or_default();
            *count += 1;
            first |= *count == 1;
        }
        drop(listed);
        if first {
            self.refresh_interest_in(&only);
        }
        TopicGuard { agents: self.clone(), interest: AgentTopic::Servers, only: Some(only) }
    }

    /// Somebody has looked at a list once, and may do so again: keeps it current for a while.
    pub fn keep_fresh(&self, interest: AgentTopic) {
        let looked = &self.0.watching.looked[interest as usize];
        if looked.swap(LOOKED, Ordering::AcqRel) != NOBODY {
            return;
        }
        let guard = self.watch_list(interest);
        let (agents, token) = (self.clone(), self.0.tasks.token());
        drop(self.0.tasks.spawn("keep_fresh", async move {
            let looked = &agents.0.watching.looked[interest as usize];
            let next =
                |from, to| looked.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok();
            // Looked at again in the meantime? Then once more.
            while next(LOOKED, WAITING) || !next(WAITING, NOBODY) {
                tokio::select! {
                    () = token.cancelled() => break,
                    () = tokio::time::sleep(PEEK_LASTS) => {}
                }
            }
            drop(guard);
        }));
    }

    /// A node has come back: what is watched there is asked for again, from where it stopped.
    pub(super) fn follow_again(&self, session: &Session) {
        let node_id = session.node_id();
        let consoles = lock(&self.0.watching.consoles);
        for (server_id, feed) in consoles.iter() {
            if self.placed_on(server_id, node_id) {
                self.follow_console(server_id, node_id, feed);
            }
        }
        drop(consoles);
        self.refresh_interest(node_id);
    }

    fn placed_on(&self, server_id: &str, node_id: &str) -> bool {
        self.lock().servers.get(server_id).is_some_and(|server| server.node_id == node_id)
    }

    /// Asks the agent for the lines: the last ones first, so that readers know at once whether there are any, then all
    /// that follow.
    fn follow_console(&self, server_id: &str, node_id: &str, feed: &Arc<ConsoleFeed>) {
        let Ok(session) = self.session(node_id) else {
            feed.set_ready();
            return;
        };
        if feed.after().is_some() {
            subscribe(&session, server_id, feed);
            return;
        }
        let tail = ConsoleTail { server_id: server_id.to_owned(), tail: FIRST_LINES as u32 };
        let (agents, server_id, feed) = (self.clone(), server_id.to_owned(), Arc::clone(feed));
        drop(self.0.tasks.spawn("console-tail", async move {
            match agents.tail(&session, tail).await {
                Ok(ToPanel::ConsoleLines(lines)) if !lines.lines.is_empty() => {
                    feed.push(lines.lines, false, lines.partial);
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(server = server_id, %error, "no console"),
            }
            // Under the lock, so that an unsubscribe of the last reader comes either before or after all of this.
            let consoles = lock(&agents.0.watching.consoles);
            if consoles.get(&server_id).is_some_and(|watched| Arc::ptr_eq(watched, &feed)) {
                subscribe(&session, &server_id, &feed);
            }
        }));
    }

    /// The last lines, from the agent or from those that are kept for it.
    async fn tail(&self, session: &Session, tail: ConsoleTail) -> Result<ToPanel, RequestError> {
        if session.answers() {
            return session.ask(ToAgent::ConsoleTail(tail), FIRST_LINES_WITHIN).await;
        }
        Ok(self.kept_tail(&tail))
    }

    /// The last lines of a server whose agent keeps none.
    pub(super) fn kept_tail(&self, tail: &ConsoleTail) -> ToPanel {
        let lines = self.0.kept_lines.tail(&tail.server_id, tail.tail as usize);
        ToPanel::ConsoleLines(ConsoleLines {
            server_id: tail.server_id.clone(),
            lines,
            reset: false,
            partial: None,
        })
    }

    fn refresh_all_interest(&self) {
        let nodes: Vec<String> = self.lock().nodes.keys().cloned().collect();
        for node in nodes {
            self.refresh_interest(&node);
        }
    }

    /// Of the nodes of these servers.
    fn refresh_interest_in(&self, server_ids: &[String]) {
        let nodes: BTreeSet<String> = {
            let state = self.lock();
            server_ids.iter().filter_map(|id| Some(state.servers.get(id)?.node_id.clone())).collect()
        };
        for node in nodes {
            self.refresh_interest(&node);
        }
    }

    /// Tells an agent whose stats are wanted, where that has changed: at once where that is long ago, and soon otherwise.
    pub(super) fn refresh_interest(&self, node_id: &str) {
        let Ok(session) = self.session(node_id) else { return };
        let now = Instant::now();
        let mut gathered = lock(&session.gathered);
        if gathered.waits {
            return;
        }
        let told = gathered.told.map(|told| told + CHANGES_EVERY);
        let looked = gathered.looked.map(|looked| looked + LOOKS_EVERY);
        let Some(due) = told.max(looked).filter(|due| *due > now) else {
            gathered.looked = Some(now);
            drop(gathered);
            return self.tell_interest(&session);
        };
        gathered.waits = true;
        drop(gathered);
        let agents = self.clone();
        drop(self.0.tasks.spawn("interest", async move {
            tokio::select! {
                () = session.ended().cancelled() => return,
                () = tokio::time::sleep_until(due.into()) => {}
            }
            let mut gathered = lock(&session.gathered);
            gathered.waits = false;
            gathered.looked = Some(Instant::now());
            drop(gathered);
            agents.tell_interest(&session);
        }));
    }

    fn tell_interest(&self, session: &Session) {
        let node_id = session.node_id();
        let all = self.0.watching.servers.load(Ordering::Acquire) > 0;
        let mut watched: BTreeSet<String> = lock(&self.0.watching.stats).keys().cloned().collect();
        watched.extend(lock(&self.0.watching.listed).keys().cloned());
        let mut server_ids: Vec<String> = {
            let state = self.lock();
            let here = |id: &String| state.servers.get(id).is_some_and(|server| server.node_id == node_id);
            if all {
                state.servers.keys().filter(|id| here(id)).cloned().collect()
            } else {
                watched.into_iter().filter(here).collect()
            }
        };
        server_ids.sort_unstable();
        let node = self.0.watching.nodes.load(Ordering::Acquire) > 0;
        let mut told = lock(&session.stats_wanted);
        let wanted = Some((server_ids.clone(), node));
        if *told == wanted || (told.is_none() && server_ids.is_empty() && !node) {
            return;
        }
        match session.tell(ToAgent::StatsSubscribe(StatsSubscribe { server_ids, node })) {
            Ok(()) => {
                *told = wanted;
                lock(&session.gathered).told = Some(Instant::now());
            }
            Err(error) => tracing::debug!(node = node_id, %error, "could not say whose stats are watched"),
        }
    }

    /// Nobody looks at a console any more. Should somebody soon do so again, its agent need not hear of it.
    fn leave_console(&self, server_id: &str, node_id: &str, feed: &Arc<ConsoleFeed>) {
        if !feed.linger() {
            return;
        }
        let (agents, token) = (self.clone(), self.0.tasks.token());
        let (server_id, node_id, feed) = (server_id.to_owned(), node_id.to_owned(), Arc::clone(feed));
        drop(self.0.tasks.spawn("console-lingers", async move {
            loop {
                tokio::select! {
                    () = token.cancelled() => return,
                    () = tokio::time::sleep(LINGERS) => {}
                }
                // Under the lock, as in `follow_console`.
                let mut consoles = lock(&agents.0.watching.consoles);
                match feed.lingered(LINGERS) {
                    Lingered::Wait => continue,
                    Lingered::Read => return,
                    Lingered::Over => {}
                }
                if consoles.get(&server_id).is_some_and(|known| Arc::ptr_eq(known, &feed)) {
                    consoles.remove(&server_id);
                    // The server may have moved meanwhile.
                    let node_id = agents.node_of(&server_id).unwrap_or(node_id);
                    if let Ok(session) = agents.session(&node_id) {
                        // Where its queue is full, the lines that still come are dropped here.
                        drop(session.tell(ToAgent::ConsoleUnsubscribe(ServerRef { server_id })));
                    }
                }
                return;
            }
        }));
    }
}

/// All that follows what the feed has.
fn subscribe(session: &Session, server: &str, feed: &ConsoleFeed) {
    let (server_id, after, last) = (server.to_owned(), feed.after(), feed.fingerprints());
    let wish = ConsoleSubscribe { server_id, after, last, partial: true };
    if let Err(error) = session.tell(ToAgent::ConsoleSubscribe(wish)) {
        tracing::warn!(server, %error, "could not follow a console");
    }
    feed.set_ready();
}

impl Watching {
    fn counter(&self, interest: AgentTopic) -> &AtomicUsize {
        match interest {
            AgentTopic::Servers => &self.servers,
            AgentTopic::Nodes => &self.nodes,
        }
    }

    /// Whether somebody looks at a list with this server in it.
    pub(super) fn is_listed(&self, server_id: &str) -> bool {
        self.servers.load(Ordering::Acquire) > 0 || lock(&self.listed).contains_key(server_id)
    }

    pub(super) fn lines(&self, lines: ConsoleLines) {
        let feed = lock(&self.consoles).get(&lines.server_id).cloned();
        if let Some(feed) = feed {
            feed.push(lines.lines, lines.reset, lines.partial);
        }
        if self.rings.are_full() {
            let all: Vec<_> = lock(&self.consoles).values().cloned().collect();
            all.iter().for_each(|feed| feed.trim());
        }
    }

    pub(super) fn sample(&self, server_id: &str, stats: Stats) {
        let feed = lock(&self.stats).get(server_id).cloned();
        if let Some(feed) = feed {
            feed.push(stats);
        }
    }

    /// Nobody can send lines of these servers at present.
    pub(super) fn set_ready(&self, server_ids: &[String]) {
        let consoles = lock(&self.consoles);
        for feed in server_ids.iter().filter_map(|id| consoles.get(id)) {
            feed.set_ready();
        }
    }

    /// A server is gone, and whoever looks at it is told.
    pub(super) fn gone(&self, server_id: &str) {
        if let Some(feed) = lock(&self.consoles).get(server_id) {
            feed.set_gone();
        }
        if let Some(feed) = lock(&self.stats).get(server_id) {
            feed.set_gone();
        }
    }

    #[cfg(test)]
    pub(super) fn listed(&self) -> Vec<String> {
        lock(&self.listed).keys().cloned().collect()
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        lock(&self.consoles).is_empty() && lock(&self.stats).is_empty()
    }
}

impl ConsoleWatch {
    /// What comes next: the last lines, then each as it comes in.
    pub fn next(&self) -> Next {
        self.feed.next(self.reader)
    }
}

impl StatsWatch {
    /// What comes in.
    pub fn feed(&self) -> &StatsFeed {
        &self.feed
    }
}

impl Drop for ConsoleWatch {
    fn drop(&mut self) {
        // Under the lock, so that nobody comes in between.
        let consoles = lock(&self.agents.0.watching.consoles);
        let last = self.feed.remove_reader(self.reader);
        drop(consoles);
        if last {
            self.agents.leave_console(&self.server_id, &self.node_id, &self.feed);
        }
    }
}

impl Drop for StatsWatch {
    fn drop(&mut self) {
        let mut stats = lock(&self.agents.0.watching.stats);
        let last = self.feed.remove_reader(&self.reader);
        if last && stats.get(&self.server_id).is_some_and(|feed| Arc::ptr_eq(feed, &self.feed)) {
            stats.remove(&self.server_id);
        }
        drop(stats);
        if last {
            self.agents.refresh_interest(&self.node_id);
        }
    }
}

impl Drop for TopicGuard {
    fn drop(&mut self) {
        if let Some(only) = &self.only {
            let mut listed = lock(&self.agents.0.watching.listed);
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
                self.agents.refresh_interest_in(only);
            }
            return;
        }
        if self.agents.0.watching.counter(self.interest).fetch_sub(1, Ordering::AcqRel) == 1 {
            self.agents.refresh_all_interest();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
