//! What a request's headers may take, in either protocol.

use std::time::Duration;

/// From the connection, or from the last answer, to the end of a request's headers.
pub(super) const HEADERS: Duration = Duration::from_secs(10);
/// The most that a request's headers may hold; also the largest read buffer of HTTP/1.1.
pub(super) const HEADER_BYTES: usize = 16 * 1024;
