//! Starts what is due.

use std::sync::Arc;
use std::time::Duration;

use protocol::Millis;
use tokio::time::Instant;

use super::entry::Entry;
use super::handle::{Schedules, now};
use super::run::{Cause, Start};
use super::store::{BACK, advance};

/// The clock is compared at least this often, so that one that was set is noticed.
const LOOK: Duration = Duration::from_secs(30);
/// Between two starts: what is due at the same time does not come at once.
const SPREAD: Duration = Duration::from_millis(50);
/// What is later than that was missed.
pub(super) const LATE: Millis = 5 * 60_000;

impl Schedules {
    /// Runs until the agent exits.
    pub(super) async fn run_clock(&self) {
        let (mut wall, mut steady) = (now(), Instant::now());
        loop {
            let now_is = now();
            let passed = i64::try_from(steady.elapsed().as_millis()).unwrap_or_default();
            if now_is < wall + passed - BACK {
                tracing::info!("the clock was set back: when schedules run is computed anew");
                self.compute_anew(now_is).await;
            }
            (wall, steady) = (now_is, Instant::now());
            let next = self.start_due(now_is).await;
            let wait = next.map_or(LOOK, |at| {
                Duration::from_millis(u64::try_from(at - now()).unwrap_or_default().clamp(10, 30_000))
            });
            tokio::select! {
                () = tokio::time::sleep(wait.min(LOOK)) => {}
                () = self.0.changed.notified() => {}
            }
        }
    }

    /// Starts what is due; tells when the next one is.
    async fn start_due(&self, now_is: Millis) -> Option<Millis> {
        let mut next: Option<Millis> = None;
        let mut due: Vec<(Millis, Arc<Entry>, String)> = Vec::new();
        for entry in self.all() {
            let waiting =
                entry.read(|kept| kept.due.iter().map(|(id, at)| (id.clone(), *at)).collect::<Vec<_>>());
            for (id, at) in waiting.await {
                if at > now_is {
                    next = Some(next.map_or(at, |next| next.min(at)));
                } else if !entry.is_beginning(&id) {
                    due.push((at, Arc::clone(&entry), id));
                }
            }
        }
        due.sort_by(|a, b| (a.0, &a.2).cmp(&(b.0, &b.2)));
        for (n, (at, entry, id)) in due.into_iter().enumerate() {
            if n > 0 {
                tokio::time::sleep(SPREAD).await;
            }
            let cause = if now_is - at > LATE { Cause::Missed } else { Cause::Time };
            self.launch(&entry, &id, Start::timed(cause));
        }
        next
    }

    async fn compute_anew(&self, now_is: Millis) {
        for entry in self.all() {
            let changed = entry.change(&self.0.dir, |kept| {
                let ids: Vec<String> = kept.due.keys().cloned().collect();
                for id in ids {
                    advance(kept, &id, now_is);
                }
            });
            if let Err(error) = changed.await {
                tracing::warn!(%error, "could not write when schedules run next");
            }
        }
    }
}
