//! Data sent while the panel is subscribed: console lines, server stats, node stats.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use protocol::{ConsoleLines, Envelope, ServerId, ServerStats, Stats, ToPanel};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::console::{Batch, ConsoleMark};
use crate::host::Host;
use crate::link::Outbox;
use crate::runtime::Runtime;
use crate::server::{Handle, Running};
use crate::stats::{self, History, KeptSamples, Meter, Usages};
use crate::supervisor::Supervisor;

/// Interval of stats with a subscriber.
const WATCHED: Duration = Duration::from_secs(1);
/// Interval of node stats.
const NODE: Duration = Duration::from_secs(5);
/// Maximum age of the folder size of a server with subscribers …
const DISK_WATCHED: Duration = Duration::from_secs(60);
/// … and without: walking through a world takes I/O time from the games.
const DISK_IDLE: Duration = Duration::from_secs(600);

/// Forwards subscribed consoles.
#[derive(Debug)]
pub(crate) struct Consoles {
    out: Outbox<ToPanel>,
    tasks: TaskTracker,
    cancel: CancellationToken,
    forwarders: Mutex<HashMap<ServerId, CancellationToken>>,
}

impl Consoles {
    pub(crate) fn new(out: Outbox<ToPanel>, tasks: TaskTracker, cancel: CancellationToken) -> Self {
        Self { out, tasks, cancel, forwarders: Mutex::default() }
    }

    /// Subscribes to a console, from `place` or from the last 200 lines on, with the unfinished line if `partial`.
    /// Replaces an earlier subscription.
    pub(crate) fn subscribe(
        &self,
        id: &ServerId,
        handle: &Handle,
        place: Option<ConsoleMark>,
        partial: bool,
    ) {
        let cancel = self.cancel.child_token();
        if let Some(old) = self.lock().insert(id.clone(), cancel.clone()) {
            old.cancel();
        }
        let (out, id) = (self.out.clone(), id.clone());
        let mut follower = handle.console.follow(place).with_partial(partial);
        // Deleting a server closes its status, which ends the subscription.
        let mut status = handle.status.clone();
        drop(self.tasks.spawn(async move {
            let forward = async {
                loop {
                    let Batch { lines, reset, partial } = follower.next().await;
                    let lines = ConsoleLines { server_id: id.clone(), lines, reset, partial };
                    if out.send(Envelope::new(ToPanel::ConsoleLines(lines))).await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                () = forward => {}
                () = async { while status.changed().await.is_ok() {} } => {}
            }
        }));
    }

    /// Ends a subscription.
    pub(crate) fn unsubscribe(&self, id: &ServerId) {
        if let Some(old) = self.lock().remove(id) {
            old.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerId, CancellationToken>> {
        self.forwarders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The servers with subscribers to their stats, and whether the node has any.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    set: Mutex<(HashSet<ServerId>, bool)>,
    changed: Notify,
}

impl Wanted {
    pub(crate) fn replace(&self, servers: Vec<ServerId>, node: bool) {
        *self.lock() = (servers.into_iter().collect(), node);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, (HashSet<ServerId>, bool)> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stats of one server.
#[derive(Debug, Default)]
struct Samples {
    history: History,
    meter: Meter,
    /// The run they belong to.
    of: Option<Running>,
    last: Option<Instant>,
}

/// Samples the servers: every second with subscribers, less often without.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    servers: Arc<Mutex<HashMap<ServerId, Samples>>>,
    usages: Usages,
}

impl Sampler {
    pub(crate) fn new(usages: Usages) -> Self {
        Self { servers: Arc::default(), usages }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerId, Samples>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored samples, oldest first.
    pub(crate) fn history(&self, id: &ServerId) -> Vec<Stats> {
        self.lock().get(id).map(|samples| samples.history.samples()).unwrap_or_default()
    }

    /// Runs until `cancel`.
    pub(crate) async fn run(self, servers: Supervisor, wanted: Arc<Wanted>, host: Arc<Host>, needs: Needs) {
        let mut node_at = None::<Instant>;
        let mut kept = self.load(needs.state_dir.clone()).await;
        loop {
            let (watched, node) = wanted.lock().clone();
            let now = Instant::now();
            let all = servers.all();
            self.lock().retain(|id, _| all.iter().any(|(known, _)| known == id));
            self.usages.retain(|id| all.iter().any(|(known, _)| known == id));
            for (id, handle) in &all {
                self.usages.set_limit(id, handle.disk_limit());
                let running = handle.running.borrow().clone();
                let Some(running) = running else { continue };
                let seen = watched.contains(id);
                let pause = if seen { WATCHED } else { needs.idle };
                let last = self.lock().get(id).and_then(|samples| samples.last);
                // Ticks may be a little early or late; allow half an interval.
                if last.is_some_and(|last| now + WATCHED / 2 < last + pause) {
                    continue;
                }
                self.measure_disk(id, seen, handle);
                if let Some(sample) = self.sample(id, running, &needs).await
                    && seen
                {
                    let message = ServerStats { server_id: id.clone(), stats: sample };
                    // Dropped if the link is full.
                    let _ = needs.out.try_send(Envelope::new(ToPanel::ServerStats(message)));
                }
            }
            if node && node_at.is_none_or(|at| now + WATCHED / 2 >= at + NODE) {
                node_at = Some(now);
                let _ = needs.out.try_send(Envelope::new(ToPanel::NodeStats(host.node_stats())));
            }
            if kept.as_ref().is_some_and(KeptSamples::is_due) {
                kept = self.keep(kept, true).await;
            }
            let pause = if node || !watched.is_empty() { WATCHED } else { needs.idle };
            tokio::select! {
                () = needs.cancel.cancelled() => break,
                () = tokio::time::sleep_until(now + pause) => {}
                () = wanted.changed.notified() => {}
            }
        }
        self.keep(kept, false).await;
    }

    /// Loads the samples of the agent's last run.
    async fn load(&self, dir: PathBuf) -> Option<KeptSamples> {
        let (kept, samples) = tokio::task::spawn_blocking(move || KeptSamples::load(&dir)).await.ok()?;
        let mut servers = self.lock();
        for (id, samples) in samples {
            servers.entry(id).or_default().history = History::before(samples);
        }
        drop(servers);
        Some(kept)
    }

    /// Writes the samples if there is a new one.
    async fn keep(&self, kept: Option<KeptSamples>, thin: bool) -> Option<KeptSamples> {
        let mut kept = kept?;
        let samples: stats::Samples = {
            let servers = self.lock();
            let samples = servers.iter().map(|(id, samples)| (id.clone(), samples.history.samples()));
            samples.filter(|(_, samples)| !samples.is_empty()).collect()
        };
        tokio::task::spawn_blocking(move || {
            kept.save(&samples, thin);
            kept
        })
        .await
        .ok()
    }

    async fn sample(&self, id: &ServerId, running: Running, needs: &Needs) -> Option<Stats> {
        if !*needs.engine_there.borrow() {
            return None;
        }
        let counters = match needs.engine.counters(&running.container_id, running.pid).await {
            Ok(counters) => counters,
            Err(error) => {
                tracing::debug!(server = %id, %error, "no sample");
                return None;
            }
        };
        let disk = self.usages.bytes(id).unwrap_or(0);
        let mut servers = self.lock();
        let samples = servers.entry(id.clone()).or_default();
        let first = samples.of.as_ref() != Some(&running);
        if first {
            samples.meter = Meter::new();
            samples.of = Some(running);
        }
        samples.last = Some(Instant::now());
        let sample = samples.meter.sample(counters, disk, Timestamp::now());
        // The first sample after a start has no CPU value; leave it out to avoid a dip in the chart.
        if !first || samples.history.last().is_none() {
            samples.history.push(sample.clone());
        }
        Some(sample)
    }

    /// Starts measuring the folder if the last result is too old.
    fn measure_disk(&self, id: &ServerId, watched: bool, handle: &Handle) {
        let watched = watched || self.usages.is_near_limit(id);
        let age = if watched { DISK_WATCHED } else { DISK_IDLE };
        let handle = handle.clone();
        self.usages.measure(id, age, move |bytes| handle.disk_used(bytes));
    }
}

/// Everything the sampler needs.
#[derive(Debug)]
pub(crate) struct Needs {
    pub(crate) engine: Arc<dyn Runtime>,
    pub(crate) engine_there: watch::Receiver<bool>,
    pub(crate) out: Outbox<ToPanel>,
    pub(crate) cancel: CancellationToken,
    /// Folder in which samples survive a restart.
    pub(crate) state_dir: PathBuf,
    pub(crate) idle: Duration,
}
