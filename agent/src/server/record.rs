//! A server's file, and which version of it is on the disk.

use protocol::{ErrorCode, ServerCreate, Status};

use super::plan;
use crate::panel::reply_cache::Reply;
use crate::persist::{Pending, PendingStop, ServerFile, Wanted};

/// What to do once the file is on the disk.
#[derive(Debug)]
pub(super) enum Waiter {
    /// Answer a request to change the file; it fails if the write fails.
    Keep(Reply),
    /// Answer a request whose action is already in progress in this state; the file makes it survive a crash.
    Act(Reply, Status),
    /// Refuse a request whose changes are kept anyway: code and message.
    Refuse(Reply, ErrorCode, &'static str),
    /// Begin the stop.
    Stop,
    /// Start the install container.
    Install,
}

/// A server's file. Changes are made in memory at once and written soon; changes made during a write are combined into
/// the next one.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) file: ServerFile,
    /// The fingerprint of `file.spec`.
    pub(super) settings: String,
    /// The content on the disk; `None` for a new server.
    saved: Option<ServerFile>,
    /// Waiters for the write in progress; `None` if there is none.
    writing: Option<Vec<Waiter>>,
    /// Waiters for the next write; `None` if none is due.
    due: Option<Vec<Waiter>>,
}

impl Record {
    /// A record for this file; `on_disk`: it was read from the disk.
    pub(super) fn new(file: ServerFile, on_disk: bool) -> Self {
        let (settings, saved) = (plan::fingerprint(&file.spec), on_disk.then(|| file.clone()));
        Self { file, settings, saved, writing: None, due: None }
    }

    /// Whether it was never written.
    pub(super) fn is_new(&self) -> bool {
        self.saved.is_none()
    }

    pub(super) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Whether there are changes that are not on the disk yet.
    pub(super) fn is_unsaved(&self) -> bool {
        self.writing.is_some() || self.due.is_some()
    }

    /// Requests a write.
    pub(super) fn save(&mut self) {
        self.due.get_or_insert_default();
    }

    /// Requests a write; `waiter` is handled when it is on the disk.
    pub(super) fn save_for(&mut self, waiter: Waiter) {
        self.due.get_or_insert_default().push(waiter);
    }

    /// Answers a request in progress once a crash cannot undo it any more.
    pub(super) fn answer_when_saved(&mut self, reply: Reply, status: Status) {
        match self.due.as_mut().or(self.writing.as_mut()) {
            Some(waiters) => waiters.push(Waiter::Act(reply, status)),
            None => reply.ack(Some(status)),
        }
    }

    /// Cancels the due write: a server being removed must not reappear. Returns whether an install container waits for
    /// it.
    pub(super) fn drop_due(&mut self) -> bool {
        self.due.take().is_some_and(|waiters| waiters.iter().any(|one| matches!(one, Waiter::Install)))
    }

    /// Begins the due write, unless one is in progress. Returns the file to write, and whether the server is new.
    pub(super) fn begin_write(&mut self) -> Option<(ServerFile, bool)> {
        if self.writing.is_none() {
            self.writing = self.due.take();
            return self.writing.as_ref().map(|_| (self.file.clone(), self.saved.is_none()));
        }
        None
    }

    /// Ends the write and returns its waiters. `file` is the content now on the disk, `None` if the write failed.
    pub(super) fn end_write(&mut self, file: Option<ServerFile>) -> Vec<Waiter> {
        self.saved = file.or_else(|| self.saved.take());
        self.writing.take().unwrap_or_default()
    }

    /// Reverts the settings to those on the disk.
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

    /// The requested stop, while it is not finished.
    pub(super) fn pending_stop(&self) -> Option<&PendingStop> {
        match &self.file.pending {
            Some(Pending::Stop(stop)) => Some(stop),
            _ => None,
        }
    }
}
