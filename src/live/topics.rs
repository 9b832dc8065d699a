//! What one socket follows, and what comes next on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Live;
use super::limits::{LISTS, NAMES};
use super::message::{self, Change, ClientMessage, Topic};
use crate::agents::{AgentTopic, Changed, ChangesSince, ConsoleWatch, Next, StatsWatch, TopicGuard};
use crate::auth::{Caller, Permission, Visible};
use crate::error::{ApiError, Code};
use crate::net::rate_limit::TokenBucket;
use crate::servers::StatsView;

/// Topics that one socket may follow.
const MOST: usize = 512;
/// Longer names are no topic's.
const LONGEST_NAME: usize = 80;
/// Frames that may wait before no more wishes are read.
const ENOUGH: usize = 1024;

/// The topics of one socket.
pub(super) struct Topics {
    live: Live,
    caller: Caller,
    visible: Visible,
    /// Told by consoles and stats that there is something new.
    wake: Arc<Notify>,
    /// Frames that are made already: refusals, and one round of a list's changes.
    ready: VecDeque<Utf8Bytes>,
    servers: Option<List>,
    nodes: Option<List>,
    status: Option<Option<Utf8Bytes>>,
    upgrade: Option<Upgrade>,
    consoles: BTreeMap<String, ConsoleWatch>,
    stats: BTreeMap<String, Stats>,
    /// Topics that were asked for and refused. They count as well: nobody gets to try names without end.
    refused: BTreeSet<String>,
    /// The console that was served last: the others come first now.
    last_served: String,
    /// What it may still say, and cost.
    names: TokenBucket,
    lists: TokenBucket,
}

struct List {
    /// `None` until everything was sent once.
    seen: Option<u64>,
    /// None where there is nothing that an agent could be asked for.
    _interest: Option<TopicGuard>,
}

/// What was seen last, and said of it.
#[derive(Default)]
struct Upgrade {
    number: Option<(u64, u64)>,
    said: Option<Utf8Bytes>,
}

struct Stats {
    watch: StatsWatch,
    seen: u64,
    /// Whether something was sent at all.
    answered: bool,
}

impl Topics {
    pub(super) fn new(live: Live, caller: Caller) -> Result<Self, ApiError> {
        let visible = live.auth.visible(&caller)?;
        Ok(Self {
            live,
            caller,
            visible,
            wake: Arc::default(),
            ready: VecDeque::new(),
            servers: None,
            nodes: None,
            status: None,
            upgrade: None,
            consoles: BTreeMap::new(),
            stats: BTreeMap::new(),
            refused: BTreeSet::new(),
            last_served: String::new(),
            names: TokenBucket::new(NAMES.0, NAMES.1, Instant::now()),
            lists: TokenBucket::new(LISTS.0, LISTS.1, Instant::now()),
        })
    }

    pub(super) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Whether the bell for lists means anything here.
    pub(super) fn has_lists(&self) -> bool {
        self.servers.is_some() || self.nodes.is_some() || self.status.is_some() || self.upgrade.is_some()
    }

    /// Whether another wish may be read.
    pub(super) fn has_room(&self) -> bool {
        self.ready.len() < ENOUGH
    }

    /// When lists may be looked at again, where they were looked at too often.
    pub(super) fn next_round(&self) -> Option<Instant> {
        self.lists.due().filter(|_| self.has_lists())
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
                // Said twice at once, it is said once.
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

    /// Who sees no server costs the agents nothing.
    fn interest_in_servers(&self) -> Option<TopicGuard> {
        let agents = &self.live.agents;
        match &self.visible {
            Visible::All => Some(agents.watch_list(AgentTopic::Servers)),
            Visible::Only(servers) if servers.is_empty() => None,
            Visible::Only(servers) => Some(agents.watch_some(servers.keys().cloned())),
        }
    }

    fn unsubscribe(&mut self, name: &str) {
        self.refused.remove(name);
        match Topic::parse(name) {
            Some(Topic::Servers) => self.servers = None,
            Some(Topic::Nodes) => self.nodes = None,
            Some(Topic::Status) => self.status = None,
            Some(Topic::Upgrade) => self.upgrade = None,
            Some(Topic::Console(id)) => drop(self.consoles.remove(&id)),
            Some(Topic::Stats(id)) => drop(self.stats.remove(&id)),
            None => {}
        }
    }

    /// Asking again begins again.
    fn subscribe(&mut self, name: &str) -> Result<(), ApiError> {
        self.unsubscribe(name);
        if self.open() >= MOST {
            let sentence = format!("One connection may follow at most {MOST} topics.");
            return Err(ApiError::new(Code::TooManyRequests, sentence));
        }
        let topic = Topic::parse(name).ok_or_else(|| ApiError::not_found("topic"))?;
        let agents = self.live.agents.clone();
        match topic {
            Topic::Servers => {
                self.servers = Some(List { seen: None, _interest: self.interest_in_servers() });
            }
            Topic::Nodes => {
                let interest = Some(agents.watch_list(AgentTopic::Nodes));
                self.nodes = Some(List { seen: None, _interest: interest });
            }
            Topic::Status => self.status = Some(None),
            Topic::Upgrade => {
                self.caller.admin()?;
                self.upgrade = Some(Upgrade::default());
            }
            Topic::Console(id) => {
                let node = self.allowed(&id, Permission::Console)?;
                let watch = agents.watch_console(&id, &node, self.wake());
                self.consoles.insert(id, watch);
            }
            Topic::Stats(id) => {
                let node = self.allowed(&id, Permission::View)?;
                let watch = agents.watch_stats(&id, &node, self.wake());
                self.stats.insert(id, Stats { watch, seen: 0, answered: false });
            }
        }
        Ok(())
    }

    fn open(&self) -> usize {
        let lists =
            [self.servers.is_some(), self.nodes.is_some(), self.status.is_some(), self.upgrade.is_some()];
        let lists = lists.into_iter().filter(|there| *there).count();
        self.consoles.len() + self.stats.len() + self.refused.len() + lists
    }

    /// The node of a server with which the caller may do this.
    fn allowed(&self, id: &str, need: Permission) -> Result<String, ApiError> {
        self.live.auth.server_access(&self.caller, id, need)?;
        self.live.agents.node_of(id).ok_or_else(|| ApiError::not_found("server"))
    }

    /// What the caller may do may have changed: what is no longer allowed ends with an error, and lists are put right.
    pub(super) fn recheck(&mut self, caller: Caller) -> Result<(), ApiError> {
        let visible = self.live.auth.visible(&caller)?;
        self.caller = caller;
        let before = std::mem::replace(&mut self.visible, visible);
        if let Some(mut list) = self.servers.take() {
            list._interest = self.interest_in_servers();
            self.servers = Some(list);
        }
        for (id, need, name) in self.followed() {
            if let Err(error) = self.allowed(&id, need) {
                self.unsubscribe(&name);
                self.ready.push_back(message::error(Some(&name), &error));
            }
        }
        if let (true, Err(error)) = (self.upgrade.is_some(), self.caller.admin()) {
            self.upgrade = None;
            self.ready.push_back(message::error(Some("upgrade"), &error));
        }
        match (&before, &self.visible) {
            (Visible::All, Visible::All) => {}
            (Visible::Only(old), Visible::Only(new)) => {
                let lost: Vec<String> = old.keys().filter(|id| !new.contains_key(*id)).cloned().collect();
                let changed: Vec<String> = new
                    .iter()
                    .filter(|(id, now)| old.get(*id) != Some(now))
                    .map(|(id, _)| id.clone())
                    .collect();
                if self.servers.as_ref().is_some_and(|list| list.seen.is_some()) {
                    self.ready
                        .extend(lost.iter().map(|id| message::data("servers", Change::<()>::Removed(id))));
                    self.list_changes(changed.into_iter());
                }
            }
            _ => {
                for list in [&mut self.servers, &mut self.nodes].into_iter().flatten() {
                    list.seen = None;
                }
            }
        }
        Ok(())
    }

    fn followed(&self) -> Vec<(String, Permission, String)> {
        let consoles =
            self.consoles.keys().map(|id| (id.clone(), Permission::Console, format!("console:{id}")));
        let stats = self.stats.keys().map(|id| (id.clone(), Permission::View, format!("stats:{id}")));
        consoles.chain(stats).collect()
    }

    /// The next frame, if there is one.
    pub(super) async fn next(&mut self) -> Option<Utf8Bytes> {
        if self.ready.is_empty() {
            if let Err(error) = self.look_at_lists().await {
                tracing::warn!(%error, "a live list could not be read");
            }
            self.look_at_status();
            self.look_at_upgrade();
        }
        self.ready.pop_front().or_else(|| self.next_stats()).or_else(|| self.next_lines())
    }

    async fn look_at_lists(&mut self) -> Result<(), ApiError> {
        if self.lists.due().is_some() {
            return Ok(());
        }
        let changes = self.live.agents.clone();
        let changes = changes.changes();
        let (before, began) = (self.ready.len(), Instant::now());
        if let Some(list) = &mut self.servers {
            let news = match &mut list.seen {
                Some(seen) => changes.servers_since(seen),
                None => ChangesSince::All,
            };
            match news {
                ChangesSince::All => {
                    list.seen = Some(changes.servers_now());
                    let all = self.live.servers.list_visible(&self.visible).await?;
                    self.ready.push_back(message::data("servers", Change::All(&all)));
                }
                ChangesSince::These(these) => {
                    self.list_changes(these.into_iter().map(|change| match change {
                        Changed::Now(id) | Changed::Gone(id) => id,
                    }));
                }
            }
        }
        if let Some(list) = &mut self.nodes {
            let admin = self.caller.is_admin();
            let news = match &mut list.seen {
                Some(seen) => changes.nodes_since(seen),
                None => ChangesSince::All,
            };
            match news {
                ChangesSince::All => {
                    list.seen = Some(changes.nodes_now());
                    let all = self.live.nodes.list_for(admin).await?;
                    self.ready.push_back(message::data("nodes", Change::All(&all)));
                }
                ChangesSince::These(these) => {
                    for Changed::Now(id) | Changed::Gone(id) in these {
                        let frame = match self.live.nodes.get_for(admin, &id)? {
                            Some(node) => message::data("nodes", Change::Changed(&node)),
                            None => message::data("nodes", Change::<()>::Removed(&id)),
                        };
                        self.ready.push_back(frame);
                    }
                }
            }
        }
        if self.ready.len() > before {
            self.lists.take_many(began.elapsed().as_secs_f64(), Instant::now());
        }
        Ok(())
    }

    /// Frames for servers that changed, came or went. Nothing of those that the caller could never see.
    fn list_changes(&mut self, ids: impl Iterator<Item = String>) {
        for id in ids {
            match self.live.servers.get_visible(&id, &self.visible) {
                Ok(Some(server)) => self.ready.push_back(message::data("servers", Change::Changed(&server))),
                Ok(None) => {
                    // The grant on a server that is gone; of others the caller never knew.
                    if self.visible.of(&id).is_some() {
                        self.ready.push_back(message::data("servers", Change::<()>::Removed(&id)));
                    }
                }
                Err(error) => tracing::warn!(%error, "a live server could not be read"),
            }
        }
    }

    fn look_at_status(&mut self) {
        let Some(last) = &mut self.status else { return };
        let now = message::data("status", self.live.status.view(self.caller.is_admin()));
        if last.as_ref() != Some(&now) {
            *last = Some(now.clone());
            self.ready.push_back(now);
        }
    }

    fn look_at_upgrade(&mut self) {
        let Some(last) = &mut self.upgrade else { return };
        let number = self.live.upgrades.number();
        if last.number.replace(number) == Some(number) {
            return;
        }
        match self.live.upgrades.view() {
            Ok(view) => {
                let now = message::data("upgrade", view);
                if last.said.as_ref() != Some(&now) {
                    last.said = Some(now.clone());
                    self.ready.push_back(now);
                }
            }
            Err(error) => tracing::warn!(%error, "the upgrades could not be read"),
        }
    }

    fn next_stats(&mut self) -> Option<Utf8Bytes> {
        let mut gone = None;
        for (id, topic) in &mut self.stats {
            let feed = topic.watch.feed();
            if feed.is_gone() {
                gone = Some(id.clone());
                break;
            }
            let name = || format!("stats:{id}");
            if let Some(sample) = feed.next(&mut topic.seen) {
                topic.answered = true;
                let encode = || message::data(&name(), StatsView::from(&sample.stats));
                return Some(sample.encoded.get_or_init(encode).clone());
            }
            if !std::mem::replace(&mut topic.answered, true) {
                return Some(message::data(&name(), ()));
            }
        }
        gone.map(|id| self.end_of(&format!("stats:{id}")))
    }

    /// Consoles take turns, so that a flood on one does not hold up the others.
    fn next_lines(&mut self) -> Option<Utf8Bytes> {
        let after = (Bound::Excluded(self.last_served.clone()), Bound::Unbounded);
        let until = (Bound::Unbounded, Bound::Included(self.last_served.clone()));
        for range in [after, until] {
            for (id, console) in self.consoles.range_mut::<String, _>(range) {
                match console.next() {
                    Next::Nothing => {}
                    Next::Lines(lines) => {
                        self.last_served.clone_from(id);
                        return Some(message::lines(id, &lines));
                    }
                    Next::Gone => {
                        let name = format!("console:{id}");
                        return Some(self.end_of(&name));
                    }
                }
            }
        }
        None
    }

    /// A server is gone, and with it this topic.
    fn end_of(&mut self, name: &str) -> Utf8Bytes {
        self.unsubscribe(name);
        message::error(Some(name), &ApiError::not_found("server"))
    }
}
