//! Status of the panel: health for everyone, and problems for administrators.

mod routes;
mod topic;
mod views;

use std::sync::Arc;

use storage::{Health, Millis, Store};

pub use routes::routes;
pub use topic::topics;
pub use views::{Problem, StatusView, VERSION};

use crate::agents::Agents;
use crate::system::shutdown::Tasks;

/// Status of the panel. Cheap to clone.
#[derive(Clone)]
pub struct Status(Arc<Inner>);

struct Inner {
    store: Store,
    started_at: Millis,
}

impl Status {
    /// Creates the handle. `started_at` is the time of the panel's start, in milliseconds since 1970.
    pub fn new(store: Store, started_at: Millis) -> Self {
        Self(Arc::new(Inner { store, started_at }))
    }

    /// The current status. Contains problems only if `admin`.
    pub fn view(&self, admin: bool) -> StatusView {
        let health = self.0.store.health().borrow().clone();
        let problems = if admin { problems(&health) } else { Vec::new() };
        StatusView::new(health != Health::Ok, problems, self.0.started_at)
    }

    /// Starts the task that notifies live connections when [`Status::view`] may have changed.
    pub fn announce(&self, agents: &Agents, tasks: &Tasks) {
        let (agents, token, mut health) = (agents.clone(), tasks.token(), self.0.store.health());
        drop(tasks.spawn("live-status", async move {
            loop {
                tokio::select! {
                    () = token.cancelled() => return,
                    changed = health.changed() => if changed.is_err() { return },
                }
                agents.changes().notify();
            }
        }));
    }
}

fn problems(health: &Health) -> Vec<Problem> {
    match health {
        Health::Ok => Vec::new(),
        Health::ReadOnly { reason, disk_full: true } => vec![Problem {
            code: "disk_full".to_owned(),
            message: format!("The disk that holds the panel's data is full: {reason}."),
            hint: "Free some space. Nothing can be changed until then; running servers go on.".to_owned(),
        }],
        Health::ReadOnly { reason, disk_full: false } => vec![Problem {
            code: "read_only".to_owned(),
            message: format!("The panel's database takes no changes: {reason}."),
            hint: "Look at the disk and at the permissions of the data folder; it is tried again by itself."
                .to_owned(),
        }],
    }
}
