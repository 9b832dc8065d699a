//! Deadlines of calls: an engine that hangs holds up nobody.

use std::future::Future;
use std::time::Duration;

use bollard::errors::Error;

use super::errors;
use crate::runtime::{EngineError, Fault};

/// For calls that look something up.
pub(super) const LOOK: Duration = Duration::from_secs(10);
/// For calls that change something: also a slow disk gets by with this.
pub(super) const ACT: Duration = Duration::from_secs(30);

/// Ends a call at its deadline.
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
