//! Text files of a server.

use protocol::{FileRead, FileWrite};

use super::parts::Parts;
use crate::panel::reply_cache::Reply;

pub(super) fn file_read(agent: &Parts, file: FileRead, reply: Reply) {
    let Some((_, reply)) = agent.server(&file.server_id, reply) else { return };
    agent.files.read(file, reply);
}

pub(super) fn file_write(agent: &Parts, file: FileWrite, reply: Reply) {
    let Some((_, reply)) = agent.server(&file.server_id, reply) else { return };
    agent.files.write(file, reply);
}
