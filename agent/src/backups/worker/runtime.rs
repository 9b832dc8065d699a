//! Asynchronous I/O for threads that block.

use std::io;
use std::sync::OnceLock;

use tokio::runtime::Runtime;

/// The runtime for network I/O. Worker threads block on it.
pub(super) fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    let made = RUNTIME
        .get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build());
    made.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))
}
