//! Files of a server.

use std::time::Duration;

use protocol::{
    DiskUsage, DiskUsageReport, ErrorCode, FileCancel, FileKind, FileList, FileOp, FileRead, FileReceive,
    FileRef, FileSearch, FileSend, FileSftp, FileSource, FileWrite, LargeFile, ServerRef, ToPanel,
    UploadCreate, UploadRef, file_paths,
};

use super::parts::Parts;
use crate::panel::reply_cache::Reply;
use crate::stats::Large;

pub(super) fn file_read(agent: &Parts, file: FileRead, reply: Reply) {
    let Some((_, reply)) = agent.server(&file.server_id, reply) else { return };
    agent.files.read(file, reply);
}

pub(super) fn file_write(agent: &Parts, file: FileWrite, reply: Reply) {
    let Some((_, reply)) = agent.server(&file.server_id, reply) else { return };
    agent.files.write(file, reply);
}

pub(super) fn file_list(agent: &Parts, asked: FileList, reply: Reply) {
    let Some((_, reply)) = agent.server(&asked.server_id, reply) else { return };
    agent.files.list(asked, reply);
}

pub(super) fn file_stat(agent: &Parts, asked: FileRef, reply: Reply) {
    let Some((_, reply)) = agent.server(&asked.server_id, reply) else { return };
    agent.files.stat(asked, reply);
}

pub(super) fn file_op(agent: &Parts, asked: FileOp, reply: Reply) {
    let Some((_, reply)) = agent.server(&asked.server_id, reply) else { return };
    agent.files.op(asked, reply);
}

pub(super) fn file_cancel(agent: &Parts, asked: FileCancel, reply: Reply) {
    let Some((_, reply)) = agent.server(&asked.server_id, reply) else { return };
    agent.files.cancel(asked, reply);
}

pub(super) fn file_versions(agent: &Parts, asked: FileRef, reply: Reply) {
    let Some((_, reply)) = agent.server(&asked.server_id, reply) else { return };
    agent.files.versions(asked, reply);
}

pub(super) fn file_send(agent: &Parts, asked: FileSend, reply: Reply) {
    // It may lie here although the server lives elsewhere now.
    if matches!(asked.source, FileSource::Backup { .. }) {
        return agent.backups.send(asked, reply);
    }
    let Some((_, reply)) = agent.server(&asked.server_id, reply) else { return };
    agent.files.send(asked, reply);
}

pub(super) fn file_receive(agent: &Parts, asked: FileReceive, reply: Reply) {
    let Some((_, reply)) = agent.server(&asked.server_id, reply) else { return };
    agent.files.receive(asked, reply);
}

pub(super) fn file_sftp(agent: &Parts, asked: FileSftp, reply: Reply) {
    let Some((_, reply)) = agent.server(&asked.server_id, reply) else { return };
    agent.files.sftp(asked, reply);
}

pub(super) fn upload_create(agent: &Parts, asked: UploadCreate, reply: Reply) {
    let Some((_, reply)) = agent.server(&asked.server_id, reply) else { return };
    agent.files.upload_create(asked, reply);
}

pub(super) fn upload_stat(agent: &Parts, asked: UploadRef, reply: Reply) {
    let Some((_, reply)) = agent.server(&asked.server_id, reply) else { return };
    agent.files.upload_stat(asked, reply);
}

pub(super) fn upload_remove(agent: &Parts, asked: UploadRef, reply: Reply) {
    let Some((_, reply)) = agent.server(&asked.server_id, reply) else { return };
    agent.files.upload_remove(asked, reply);
}

pub(super) fn file_trash(agent: &Parts, server: ServerRef, reply: Reply) {
    let Some((_, reply)) = agent.server(&server.server_id, reply) else { return };
    agent.files.trash(server.server_id, reply);
}

pub(super) fn file_search(agent: &Parts, asked: FileSearch, reply: Reply) {
    let Some((_, reply)) = agent.server(&asked.server_id, reply) else { return };
    agent.files.search(asked, reply);
}

pub(super) fn disk_usage(agent: &Parts, asked: DiskUsage, reply: Reply) {
    let DiskUsage { server_id, refresh } = asked;
    let Some((handle, reply)) = agent.server(&server_id, reply) else { return };
    let (known, _) = agent.usages.get(&server_id);
    if refresh || known.is_none() {
        let begun = agent.usages.measure(&server_id, Duration::ZERO, move |bytes| handle.disk_used(bytes));
        if !begun && known.is_none() {
            return reply.refuse(ErrorCode::Busy, "The node is measuring other servers. Try again.");
        }
    }
    let (known, measuring) = agent.usages.get(&server_id);
    let report = known.map_or_else(DiskUsageReport::default, |known| DiskUsageReport {
        bytes: agent.usages.bytes(&server_id).unwrap_or(known.bytes),
        entries: known.entries,
        measured_at: Some(known.at),
        measuring,
        largest: known.largest.iter().map(large).collect(),
    });
    reply.answer(ToPanel::DiskUsageReport(DiskUsageReport { measuring, ..report }));
}

fn large(of: &Large) -> LargeFile {
    let kind = if of.is_folder { FileKind::Directory } else { FileKind::File };
    LargeFile { path: format!("/{}", file_paths::text_of(&of.path)), kind, bytes: of.bytes }
}
