//! What is kept of a server: its file, and what of that is on the disk.

use protocol::{ErrorCode, ServerCreate, Status};

use super::plan;
use crate::panel::reply_cache::Reply;
use crate::persist::{Pending, PendingStop, ServerFile, Wanted};

/// Who is answered once the file is on the disk.
#[derive(Debug)]
pub(super) enum Waiter {
    /// It asked for what the file holds: without the file it has failed.
    Keep(Reply),
    /// What it asked for is under way in this state; the file makes it outlive a crash.
    Act(Reply, Status),
    /// It could not be done, and what it changed all the same is kept: code and message.
    Refuse(Reply, ErrorCode, &'static str),
    /// The stop that is under way may begin.
    Stop,
    /// The install container that was made may be started.
    Install,
}

/// A server's file. Changes are made here at once and written soon, one write for all that changed since the last one
/// began.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) file: ServerFile,
    /// The fingerprint of `file.spec`.
    pub(super) settings: String,
    /// What is on the disk; none for a new server.
    saved: Option<ServerFile>,
    /// Who waits for the write that is under way; none where none is.
    writing: Option<Vec<Waiter>>,
    /// Who waits for the write that is due after it; none where none is.
    due: Option<Vec<Waiter>>,
}

impl Record {
    /// The file of a server; `on_disk`: it was read from there.
    pub(super) fn new(file: ServerFile, on_disk: bool) -> Self {
        let (settings, saved) = (plan::fingerprint(&file.spec), on_disk.then(|| file.clone()));
        Self { file, settings, saved, writing: None, due: None }
    }

    /// It is of a new server, and was never written.
    pub(super) fn is_new(&self) -> bool {
        self.saved.is_none()
    }

    pub(super) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Something is not on the disk yet.
    pub(super) fn is_unsaved(&self) -> bool {
        self.writing.is_some() || self.due.is_some()
    }

    /// Has the file written.
    pub(super) fn save(&mut self) {
        self.due.get_or_insert_default();
    }

    /// Has the file written; `waiter` is answered when it is on the disk.
    pub(super) fn save_for(&mut self, waiter: Waiter) {
        self.due.get_or_insert_default().push(waiter);
    }

    /// Answers what is under way, once a crash cannot undo it any more.
    pub(super) fn answer_when_saved(&mut self, reply: Reply, status: Status) {
        match self.due.as_mut().or(self.writing.as_mut()) {
            Some(waiters) => waiters.push(Waiter::Act(reply, status)),
            None => reply.ack(Some(status)),
        }
    }

    /// Nothing is written any more: what is being removed must not come back. Whether an install container waits for it.
    pub(super) fn drop_due(&mut self) -> bool {
        self.due.take().is_some_and(|waiters| waiters.iter().any(|one| matches!(one, Waiter::Install)))
    }

    /// Begins the write that is due, where none is under way: gives what to write, and whether it is of a new server.
    pub(super) fn begin_write(&mut self) -> Option<(ServerFile, bool)> {
        if self.writing.is_none() {
            self.writing = self.due.take();
            return self.writing.as_ref().map(|_| (self.file.clone(), self.saved.is_none()));
        }
        None
    }

    /// The write is over; gives who waited for it. `file` is what is on the disk now, none where it failed.
    pub(super) fn end_write(&mut self, file: Option<ServerFile>) -> Vec<Waiter> {
        self.saved = file.or_else(|| self.saved.take());
        self.writing.take().unwrap_or_default()
    }

    /// The settings are again those on the disk.
    pub(super) fn undo_settings(&mut self) {
        if let Some(saved) = &self.saved {
            let spec = saved.spec.clone();
            self.set_spec(spec);
        }
    }

    pub(super) fn set_spec(&mut self, spec: ServerCreate) {
        self.file.spec = spec;
        self.settings = plan::fingerprint(&self.file.spec);
    }

    pub(super) fn want(&mut self, wanted: Wanted) {
        if self.file.wanted != wanted {
            self.file.wanted = wanted;
            self.save();
        }
    }

    /// The stop that was asked for and is not over.
    pub(super) fn pending_stop(&self) -> Option<&PendingStop> {
        match &self.file.pending {
            Some(Pending::Stop(stop)) => Some(stop),
            _ => None,
        }
    }
}
