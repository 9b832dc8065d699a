//! Files of a server.

use protocol::{
    DiskUsage, ErrorCode, FileCancel, FileList, FileOp, FileRead, FileReceive, FileRef, FileSearch, FileSend,
    FileWrite, ServerRef, UploadCreate, UploadRef,
};

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

pub(super) fn file_list(_agent: &Parts, _asked: FileList, reply: Reply) {
    not_yet(reply);
}

pub(super) fn file_stat(_agent: &Parts, _asked: FileRef, reply: Reply) {
    not_yet(reply);
}

pub(super) fn file_op(_agent: &Parts, _asked: FileOp, reply: Reply) {
    not_yet(reply);
}

pub(super) fn file_cancel(_agent: &Parts, _asked: FileCancel, reply: Reply) {
    not_yet(reply);
}

pub(super) fn file_trash(_agent: &Parts, _asked: ServerRef, reply: Reply) {
    not_yet(reply);
}

pub(super) fn file_versions(_agent: &Parts, _asked: FileRef, reply: Reply) {
    not_yet(reply);
}

pub(super) fn file_search(_agent: &Parts, _asked: FileSearch, reply: Reply) {
    not_yet(reply);
}

pub(super) fn disk_usage(_agent: &Parts, _asked: DiskUsage, reply: Reply) {
    not_yet(reply);
}

pub(super) fn file_send(_agent: &Parts, _asked: FileSend, reply: Reply) {
    not_yet(reply);
}

pub(super) fn file_receive(_agent: &Parts, _asked: FileReceive, reply: Reply) {
    not_yet(reply);
}

pub(super) fn upload_create(_agent: &Parts, _asked: UploadCreate, reply: Reply) {
    not_yet(reply);
}

pub(super) fn upload_stat(_agent: &Parts, _asked: UploadRef, reply: Reply) {
    not_yet(reply);
}

pub(super) fn upload_remove(_agent: &Parts, _asked: UploadRef, reply: Reply) {
    not_yet(reply);
}

fn not_yet(reply: Reply) {
    reply.refuse(ErrorCode::NotSupported, "This agent cannot do that yet.");
}
