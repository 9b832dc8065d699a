//! The last output of a game that ended unobserved.

use std::sync::Arc;

use protocol::ServerId;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::output::Output;
use super::terminal::{Reader, Terminal};
use super::typing;
use crate::runtime::ContainerState;

/// The unread output of a game that has ended.
pub(super) struct Rest {
    pub(super) context: Arc<Context>,
    pub(super) server_id: ServerId,
    pub(super) output: Output,
    /// It should be running: its last lines may tell why it is not.
    pub(super) wanted: bool,
}

impl Rest {
    /// Reads it into the console.
    pub(super) async fn read(self, seen: &ContainerState) {
        let run = CancellationToken::new();
        let (_, port, _) = typing::keyboard(&self.output.console, &run);
        let terminal = Terminal {
            context: self.context,
            server_id: self.server_id,
            container: seen.id.clone(),
            tty: seen.tty,
            output: self.output,
            ready: None,
            port,
            run,
        };
        let known = {
            let mut trail = terminal.output.trail();
            trail.follow(&seen.id);
            !trail.is_empty()
        };
        if known || self.wanted {
            let mut reader = Reader::new(terminal, None, true);
            reader.missed().await;
            reader.terminal.output.console.finish();
        }
    }
}
