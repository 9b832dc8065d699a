//! Deadlines for engine calls, so that an engine that hangs blocks nothing.

use std::future::Future;
use std::time::Duration;

use bollard::errors::Error;

use super::errors;
use crate::runtime::{EngineError, Fault};

/// Deadline of calls that read.
pub(super) const LOOK: Duration = Duration::from_secs(10);
/// Deadline of calls that change something; long enough for a slow disk.
pub(super) const ACT: Duration = Duration::from_secs(30);

/// Fails a call that misses its deadline.
pub(super) async fn within<T>(
    action: &str,
    deadline: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, EngineError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(done) => done.map_err(|error| errors::failed(action, &error)),
        Err(_) => Err(late(action, deadline)),
    }
}

pub(super) fn late(action: &str, deadline: Duration) -> EngineError {
    EngineError::new(Fault::Away, action, format!("no answer within {} s", deadline.as_secs()))
}
