//! Whose permissions or sessions have changed.

use tokio::sync::broadcast;

/// How many changes a slow listener may be behind before it simply checks again.
const BACKLOG: usize = 64;

/// Sends users' ids.
pub(super) struct Changes(broadcast::Sender<String>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl Changes {
    pub(super) fn notify(&self, user_id: &str) {
        // There may be no listener.
        let _ = self.0.send(user_id.to_owned());
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<String> {
        self.0.subscribe()
    }
}
