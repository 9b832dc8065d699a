//! Limits on a request's headers, for both protocols, and on the read buffer of HTTP/1.1.

use std::time::Duration;

/// Time from the start of the connection, or from the last answer, to the end of a request's headers.
pub(super) const HEADERS: Duration = Duration::from_secs(10);
/// Largest size of a request's headers in bytes.
pub(super) const HEADER_BYTES: usize = 16 * 1024;
/// Largest read buffer of HTTP/1.1 in bytes. It grows to this only while a large body is read.
pub(super) const BODY_BUFFER: usize = 128 * 1024;
