//! Separate connections for bulk bytes, to the panel that the link leads to.

use futures_util::future::BoxFuture;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dial::{DialError, Dialer};
use crate::streams::{Pipe, StreamOpener, Ticket, forward, pipe};

/// Opens streams to a remote panel.
#[derive(Clone, Debug)]
pub struct RemoteStreamOpener {
    dialer: Dialer,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl RemoteStreamOpener {
    /// Its connections run on `tasks` until `cancel`.
    #[must_use]
    pub fn new(dialer: Dialer, tasks: TaskTracker, cancel: CancellationToken) -> Self {
        Self { dialer, tasks, cancel }
    }
}

impl StreamOpener for RemoteStreamOpener {
    fn open(&self, ticket: Ticket) -> BoxFuture<'static, Result<Pipe, String>> {
        let Self { dialer, tasks, cancel } = self.clone();
        Box::pin(async move {
            let connection = match dialer.transfer(&ticket).await {
                Ok(connection) => connection,
                Err(DialError::Refused(status)) => return Err(format!("the panel refused it with {status}")),
                Err(DialError::Away(reason)) => return Err(reason),
            };
            let (near, far) = pipe();
            drop(tasks.spawn(forward(connection, Role::Client, far, cancel)));
            Ok(near)
        })
    }
}
