//! Limits on a request's headers, for both protocols.

use std::time::Duration;

/// Time from the start of the connection, or from the last answer, to the end of a request's headers.
pub(super) const HEADERS: Duration = Duration::from_secs(10);
/// Largest size of a request's headers in bytes; also the largest read buffer of HTTP/1.1.
pub(super) const HEADER_BYTES: usize = 16 * 1024;
