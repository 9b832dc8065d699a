//! Allows one installation or removal at a time.

use std::fs::{File, OpenOptions};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::error::ServiceError;
use super::tools::wait;

const FILE: &str = "/run/ctrl-alt-play-service.lock";

/// How long to wait for the lock: a process that was killed keeps it for a moment.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

/// Takes the lock, which is held until the file is dropped or the process ends. `None` if there is no place for it.
pub(super) fn take() -> Result<Option<File>, ServiceError> {
    let Ok(file) = OpenOptions::new().create(true).append(true).open(FILE) else { return Ok(None) };
    let deadline = Instant::now() + PATIENCE;
    while let Err(Errno::WOULDBLOCK) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if Instant::now() > deadline {
            let why = "another installation or removal is at work: wait for it, then run this again";
            return Err(ServiceError::Refused(why.to_owned()));
        }
        wait(LOOK);
    }
    Ok(Some(file))
}
