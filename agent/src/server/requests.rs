//! Takes the requests to one server from its queue, in order, and decides on and answers each.

use std::sync::PoisonError;
use std::time::Duration;

use protocol::{ErrorCode, PowerAction};

use super::folder;
use super::jobs::Event;
use super::life_cycle::{Act, Phase, Refusal, Request};
use super::record::Waiter;
use super::state::{Server, ServerRequest, Work};
use super::template;
use crate::host;
use crate::panel::reply_cache::Reply;
use crate::persist::Wanted;

/// Maximum number of requests waiting for the first inspection.
const DEFERRED: usize = 64;
/// Maximum bytes of a command: a terminal's line limit, minus room for the line end.
const COMMAND: usize = 4_000;
/// The engine may release a port only a moment after a game's end.
const PORT_LINGERS: Duration = Duration::from_secs(5);

impl Server {
    /// Handles one request. Answers at once, unless the answer depends on a write or on a removal.
    pub(super) fn take(&mut self, request: ServerRequest) {
        let ServerRequest { work, reply } = request;
        match work {
            Work::Ask(request) => self.ask(request, reply),
            Work::With(work) => work(self, reply),
        }
    }

    /// Handles the deferred requests.
    pub(super) fn ask_deferred(&mut self) {
        for (request, reply) in std::mem::take(&mut self.requests.deferred) {
            self.ask(request, reply);
        }
    }

    fn ask(&mut self, request: Request, reply: Reply) {
        let inspecting = self.life_cycle.phase() == Phase::Inspecting && !self.life_cycle.away();
        if inspecting && self.requests.deferred.len() < DEFERRED {
            return self.requests.deferred.push((request, reply));
        }
        let mut life_cycle = self.life_cycle.clone();
        let starts = request == Request::Power(PowerAction::Start);
        // A start after a failed installation installs first, then starts.
        let installs = starts && self.must_install() && !life_cycle.suspended();
        let asked = if installs { Request::Reinstall { wipe: false } } else { request.clone() };
        let act = match life_cycle.ask(&asked) {
            Ok(act) => act,
            Err(refusal) => return self.refuse(refusal, &request, reply),
        };
        if (act == Act::Launch || installs)
            && let Err((code, message)) = self.may_start()
        {
            return reply.refuse(code, message);
        }
        if let Request::Command(line) = &request
            && let Err(message) = check_command(line)
        {
            return reply.refuse(ErrorCode::Invalid, message);
        }
        self.life_cycle = life_cycle;
        self.keep_wish(&request);
        match (act, request) {
            (Act::Command, Request::Command(line)) => return self.command(line, reply),
            (Act::Resume, _) => return self.resume(reply),
            (Act::Remove, _) => {
                self.requests.deletes.push(reply);
                self.act(act);
                return self.publish();
            }
            (Act::Nothing, Request::Delete) => return self.requests.deletes.push(reply),
            (Act::Launch, _) => self.schedule.crashes.forget(),
            _ => {}
        }
        match asked {
            Request::Reinstall { wipe } => self.begin_install(wipe, !installs),
            _ => self.act(act),
        }
        self.record.answer_when_saved(reply, self.life_cycle.status());
        self.publish();
    }

    /// Records the lasting effect of a request: whether the server should run, and whether it is suspended.
    pub(super) fn keep_wish(&mut self, request: &Request) {
        match request {
            Request::Power(PowerAction::Start | PowerAction::Restart) => self.record.want(Wanted::Running),
            Request::Power(PowerAction::Stop | PowerAction::Kill) | Request::Suspend => {
                self.record.want(Wanted::Stopped);
            }
            Request::Reinstall { .. } => {
                self.schedule.cancel_restart();
                self.record.want(Wanted::Stopped);
            }
            _ => {}
        }
        if matches!(request, Request::Suspend | Request::Unsuspend) {
            self.record.file.suspended = self.life_cycle.suspended();
            self.record.save();
        }
    }

    fn refuse(&mut self, refusal: Refusal, request: &Request, reply: Reply) {
        let (code, message) = refusal.words();
        // Stopping a crashed server cancels its scheduled restart.
        let stop = matches!(request, Request::Power(PowerAction::Stop | PowerAction::Kill));
        if stop && refusal == Refusal::NotRunning && self.schedule.cancel_restart() {
            self.record.want(Wanted::Stopped);
            self.output.console.system("The restart was called off.");
            self.publish();
            let message = "The server is not running; its restart was called off.";
            return self.record.save_for(Waiter::Refuse(reply, code, message));
        }
        reply.refuse(code, message);
    }

    /// Checks for what would certainly make a start fail: code and message.
    fn may_start(&self) -> Result<(), (ErrorCode, String)> {
        let restoring = self.context.shared.restoring.lock().unwrap_or_else(PoisonError::into_inner);
        if restoring.contains(&self.id) {
            return Err((ErrorCode::Conflict, "A backup of the server is being restored.".into()));
        }
        drop(restoring);
        if !folder::has_room(&self.context.data_dir) {
            let message = "The disk of the data folder is full: the game could not save anything.";
            return Err((ErrorCode::DiskFull, message.into()));
        }
        if let Some(sentence) = template::broken_variable(&self.record.file.spec) {
            return Err((ErrorCode::Invalid, sentence));
        }
        if self.schedule.ended.is_some_and(|ended| ended.elapsed() < PORT_LINGERS) {
            return Ok(());
        }
        let taken = host::ports_taken(&self.record.file.spec.ports);
        let Some(port) = taken.first() else { return Ok(()) };
        let (number, protocol) = (port.external, port.protocol.as_str());
        Err((
            ErrorCode::PortInUse,
            format!("Port {number}/{protocol} is in use by another program on this machine."),
        ))
    }

    /// Types a line; answered when it is written.
    fn command(&mut self, line: String, reply: Reply) {
        let Some(run) = &self.runs.current else {
            return reply.refuse(ErrorCode::NotRunning, "The server is not running.");
        };
        let typed = run.keyboard.type_line(line, None);
        self.jobs.push(async move {
            match typed.await {
                Ok(()) => reply.ack(None),
                Err(error) => reply.refuse(ErrorCode::Busy, error.sentence()),
            }
            Event::Nothing
        });
    }
}

fn check_command(line: &str) -> Result<(), String> {
    if line.is_empty() || line.len() > COMMAND {
        return Err(format!("A command is one line of 1 to {COMMAND} bytes."));
    }
    if line.chars().any(char::is_control) {
        return Err("A command holds no control characters.".into());
    }
    Ok(())
}
