//! Starts schedules on events: a server's states and its console lines.

use std::sync::Arc;

use protocol::{ConsoleItem, ScheduleTrigger, Status, Stream};

use super::entry::Entry;
use super::handle::Schedules;
use super::run::Start;
use super::store::Kept;
use crate::console::Ready;
use crate::server::Handle;

/// What is watched for on one server, with the ids of the schedules.
#[derive(Default)]
struct Watched {
    statuses: Vec<(Status, String)>,
    lines: Vec<(Ready, String)>,
}

impl Watched {
    fn of(kept: &Kept) -> Self {
        let mut watched = Self::default();
        for schedule in kept.schedules.iter().filter(|one| one.enabled) {
            match &schedule.trigger {
                ScheduleTrigger::Status { status } => {
                    watched.statuses.push((status.clone(), schedule.id.clone()));
                }
                ScheduleTrigger::Line { pattern } => {
                    // Checked when it was set.
                    if let Ok(ready) = Ready::parse(pattern) {
                        watched.lines.push((ready, schedule.id.clone()));
                    }
                }
                _ => {}
            }
        }
        watched
    }
}

impl Schedules {
    /// Watches for what these schedules wait for, in place of what was watched for before.
    pub(super) fn watch(&self, entry: &Arc<Entry>, kept: &Kept) {
        let token = entry.watch_anew(&self.0.cancel);
        let watched = Watched::of(kept);
        if watched.statuses.is_empty() && watched.lines.is_empty() {
            return;
        }
        let Some(mut handle) = self.0.tools.servers.get(&kept.server_id) else { return };
        // From now on, not from when the task gets its turn: what happens meanwhile counts.
        let from = handle.console.next_seq();
        let before = handle.status.borrow_and_update().status.clone();
        let (here, entry) = (self.clone(), Arc::clone(entry));
        self.spawn(async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = here.follow(&entry, handle, watched, (from, before)) => {}
            }
        });
    }

    /// Returns when the server is deleted.
    async fn follow(
        &self,
        entry: &Arc<Entry>,
        mut handle: Handle,
        watched: Watched,
        (from, mut before): (u64, Status),
    ) {
        let mut console = handle.console.follow(None);
        loop {
            tokio::select! {
                changed = handle.status.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let status = handle.status.borrow_and_update().status.clone();
                    // The engine being away is no event of the game.
                    if status == before || status == Status::Unknown {
                        continue;
                    }
                    before = status;
                    for (_, id) in watched.statuses.iter().filter(|(wanted, _)| *wanted == before) {
                        self.launch(entry, id, Start::event());
                    }
                }
                batch = console.next(), if !watched.lines.is_empty() => {
                    for item in batch.lines {
                        let ConsoleItem::Line(line) = item else { continue };
                        if line.seq < from || line.stream == Stream::System {
                            continue;
                        }
                        for (_, id) in watched.lines.iter().filter(|(ready, _)| ready.matches(&line.text)) {
                            self.launch(entry, id, Start::event());
                        }
                    }
                }
            }
        }
    }
}
