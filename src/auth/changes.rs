//! Notifications about users whose permissions or sessions have changed.

use tokio::sync::broadcast;

/// How many notifications a slow listener may miss before it checks unconditionally.
const BACKLOG: usize = 64;

/// Sends user ids.
pub(super) struct Changes(broadcast::Sender<String>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl Changes {
    pub(super) fn notify(&self, user_id: &str) {
        // Fails if there is no listener.
        let _ = self.0.send(user_id.to_owned());
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<String> {
        self.0.subscribe()
    }
}
