//! The answer to what cannot be done.

use crate::fs::FileError;
use crate::panel::reply_cache::Reply;

/// Says why not.
pub(super) fn refuse(reply: Reply, error: &FileError) {
    reply.refuse(error.code(), error.sentence());
}
