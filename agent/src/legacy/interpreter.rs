//! One connection to a panel of which it is not known yet whether it knows more than the first part.
//!
//! It has shown that it does with the first message that carries an id or that is of the second part; from then on
//! nothing is added to what the agent says. Until then consoles flow unasked, stats ride on statuses, a refusal is told
//! as a status too, and the command form is served.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use protocol::commands::{Command, CommandName};
use protocol::{
    ConsoleLines, ConsoleSubscribe, DecodeError, Encoding, Envelope, ErrorReport, ServerId, ServerRef,
    ServerStatus, Stats, Status, Sync, ToAgent, ToPanel,
};
use serde_json::Value;
use tokio::time::Instant;

use super::commands::{self, Commands, Translated, Verb};
use super::output::{ConsoleState, output};
use crate::link::Outbox;

/// A panel that knows the second part shows it within this time; ours does at once.
const GRACE: Duration = Duration::from_secs(1);
/// Between two statuses that carry stats.
const STATS_EVERY: Duration = Duration::from_secs(10);
/// Begins the ids of what we ask of the agent for such a panel; no panel's id begins like this.
const OURS: &str = "legacy:";

/// A server as such a panel was told of it.
#[derive(Debug)]
struct Known {
    status: ServerStatus,
    /// Its console flows, up to this line.
    after: Option<u64>,
    follows: bool,
    /// Its unfinished line.
    standing: ConsoleState,
    /// The last sample that was told.
    sampled: Option<Timestamp>,
}

/// What a sample was asked for.
#[derive(Debug)]
enum PendingRequest {
    Stats(ServerId),
    Status { server_id: ServerId, id: String },
}

/// Between our agent and a panel. Outlives connections: a console goes on where it stopped.
#[derive(Debug)]
pub(crate) struct Interpreter {
    /// The panel has shown that it knows the second part.
    knows: bool,
    /// It has used the command form.
    commands_spoken: bool,
    /// It was told who speaks.
    introduced: bool,
    /// It was told of every server.
    synced: bool,
    servers: BTreeMap<ServerId, Known>,
    commands: Commands,
    asked: BTreeMap<String, PendingRequest>,
    frames: VecDeque<String>,
    since: Timestamp,
    due: Instant,
    next: u64,
}

impl Default for Interpreter {
    fn default() -> Self {
        Self {
            knows: false,
            commands_spoken: false,
            introduced: false,
            synced: false,
            servers: BTreeMap::new(),
            commands: Commands::default(),
            asked: BTreeMap::new(),
            frames: VecDeque::new(),
            since: Timestamp::now(),
            due: Instant::now(),
            next: 0,
        }
    }
}

impl Interpreter {
    /// A new connection. A panel that chose MessagePack is one of ours.
    pub(crate) fn connected(&mut self, encoding: Encoding) {
        let (servers, next) = (std::mem::take(&mut self.servers), self.next);
        let knows = encoding == Encoding::MessagePack;
        *self = Self { knows, servers, next, due: Instant::now() + GRACE, ..Self::default() };
    }

    /// It is over: what was asked for on behalf of the panel is asked for no longer.
    pub(crate) fn ended(&mut self, to_agent: &Outbox<ToAgent>) {
        self.unfollow(to_agent);
    }

    /// When [`Interpreter::tick`] is due; never where the panel needs none of this.
    pub(crate) async fn due(&self) {
        if self.knows {
            return std::future::pending().await;
        }
        let standing = self.servers.values().filter_map(|known| known.standing.due()).min();
        tokio::time::sleep_until(standing.map_or(self.due, |due| due.min(self.due))).await;
    }

    /// A frame that is ready to be sent, beside what the agent says.
    pub(crate) fn frame(&mut self) -> Option<String> {
        self.frames.pop_front()
    }

    fn send(&mut self, json: &Value) {
        self.frames.push_back(json.to_string());
    }

    fn say(&mut self, message: ToPanel) {
        match serde_json::to_string(&Envelope::new(message)) {
            Ok(text) => self.frames.push_back(text),
            Err(error) => tracing::error!(%error, "a message could not be written as JSON"),
        }
    }

    fn ask(&mut self, to_agent: &Outbox<ToAgent>, message: ToAgent) -> String {
        self.next += 1;
        let id = format!("{OURS}{}", self.next);
        if let Err(error) = to_agent.try_send(Envelope::with_id(message, id.clone())) {
            tracing::debug!(%error, "could not ask the agent");
        }
        id
    }

    /// The panel says something; it may show what it knows.
    pub(crate) fn heard(&mut self, envelope: &Envelope<ToAgent>, to_agent: &Outbox<ToAgent>) {
        if self.knows || (envelope.message_id.is_none() && !is_second_part(&envelope.message)) {
            return;
        }
        self.knows = true;
        // Whatever it wants of these it asks for itself, from now on.
        self.unfollow(to_agent);
        self.servers.clear();
        self.asked.clear();
        self.frames.clear();
        // What was kept from it so far, it is told now: where it did not ask itself.
        if !matches!(envelope.message, ToAgent::SystemInfoRequest) {
            self.ask_plain(to_agent, ToAgent::SystemInfoRequest);
        }
    }

    fn ask_plain(&self, to_agent: &Outbox<ToAgent>, message: ToAgent) {
        if let Err(error) = to_agent.try_send(Envelope::new(message)) {
            tracing::debug!(%error, "could not ask the agent");
        }
    }

    /// A frame that is no message of the tables: true where it is a command, which is served.
    pub(crate) fn command(&mut self, frame: &[u8], error: &DecodeError, to_agent: &Outbox<ToAgent>) -> bool {
        let named = matches!(error, DecodeError::UnknownType { kind, .. } if kind == "command");
        if !named {
            return false;
        }
        let Some(CommandName::Command(command)) = CommandName::read(frame) else { return false };
        self.commands_spoken = true;
        self.serve(command, to_agent);
        true
    }

    fn serve(&mut self, command: Command, to_agent: &Outbox<ToAgent>) {
        match commands::take(&command) {
            Translated::Refused(response) => self.send(&response.json()),
            Translated::Ask(message, verb, response) => {
                self.send(&response.json());
                let server_id = ServerId::from(response.data["serverId"].as_str().unwrap_or_default());
                self.begin(command.id, message, verb, server_id, to_agent);
            }
            Translated::Look(server_id, response) => {
                self.send(&response.json());
                if !self.servers.contains_key(&server_id) {
                    let response = commands::status(&command.id, None, None);
                    return self.send(&response.json());
                }
                let history = ToAgent::StatsHistory(ServerRef { server_id: server_id.clone() });
                let own = self.ask(to_agent, history);
                self.asked.insert(own, PendingRequest::Status { server_id, id: command.id });
            }
        }
    }

    fn begin(
        &mut self,
        id: String,
        message: ToAgent,
        verb: Verb,
        server_id: ServerId,
        to_agent: &Outbox<ToAgent>,
    ) {
        let own = self.ask(to_agent, message);
        self.commands.begin(own, id, verb, server_id);
    }

    /// Unfinished lines that have stood for a while; else consoles that do not flow yet, and stats.
    pub(crate) fn tick(&mut self, to_agent: &Outbox<ToAgent>) {
        let now = Instant::now();
        let standing = |(id, known): (&ServerId, &mut Known)| known.standing.take(id, now);
        let outputs: Vec<_> = self.servers.iter_mut().filter_map(standing).collect();
        if !outputs.is_empty() {
            return outputs.into_iter().for_each(|output| self.say(ToPanel::ServerOutput(output)));
        }
        self.due = Instant::now() + STATS_EVERY;
        self.follow(to_agent);
        let runs = |status: &Status| {
            matches!(status, Status::Running | Status::Paused | Status::Starting | Status::Stopping)
        };
        let running: Vec<ServerId> = self
            .servers
            .iter()
            .filter(|(_, known)| runs(&known.status.status))
            .map(|(id, _)| id.clone())
            .collect();
        self.asked.retain(|_, asked| matches!(asked, PendingRequest::Status { .. }));
        for server_id in running {
            let history = ToAgent::StatsHistory(ServerRef { server_id: server_id.clone() });
            let own = self.ask(to_agent, history);
            self.asked.insert(own, PendingRequest::Stats(server_id));
        }
    }

    fn follow(&mut self, to_agent: &Outbox<ToAgent>) {
        let mut wishes = Vec::new();
        for (server_id, known) in self.servers.iter_mut().filter(|(_, known)| !known.follows) {
            known.follows = true;
            wishes.push(ConsoleSubscribe {
                server_id: server_id.clone(),
                after: known.after,
                last: Vec::new(),
                partial: true,
            });
        }
        for wish in wishes {
            self.ask(to_agent, ToAgent::ConsoleSubscribe(wish));
        }
    }

    fn unfollow(&mut self, to_agent: &Outbox<ToAgent>) {
        for (server_id, known) in self.servers.iter_mut().filter(|(_, known)| known.follows) {
            known.follows = false;
            let of = ServerRef { server_id: server_id.clone() };
            self.next += 1;
            let id = format!("{OURS}{}", self.next);
            // Where the agent is gone, so is the console.
            let _ = to_agent.try_send(Envelope::with_id(ToAgent::ConsoleUnsubscribe(of), id));
        }
    }

    /// What the agent says, on its way to the panel: the same, or nothing where it is said otherwise.
    pub(crate) fn said(
        &mut self,
        envelope: Envelope<ToPanel>,
        to_agent: &Outbox<ToAgent>,
    ) -> Option<Envelope<ToPanel>> {
        if let Some(own) = envelope.message_id.as_deref().filter(|id| id.starts_with(OURS)) {
            let own = own.to_owned();
            self.own_answer(&own, envelope.message);
            return None;
        }
        if self.knows {
            return Some(envelope);
        }
        match envelope.message {
            ToPanel::ServerStatus(ref status) => {
                self.status(status);
                // The first word of it comes within the grace, which is then waited for.
                if self.due > Instant::now() + GRACE {
                    self.follow(to_agent);
                }
            }
            ToPanel::Sync(sync) => {
                self.sync(sync);
                return None;
            }
            ToPanel::ConsoleLines(lines) => {
                self.lines(lines);
                return None;
            }
            ToPanel::Error(ref report) => self.refused(&report.clone()),
            ToPanel::SystemInfo(_) if !self.introduced => {
                // What is left over from before the connection is not sent.
                self.introduced = true;
                self.synced = false;
                self.frames.clear();
            }
            ToPanel::SystemInfo(_)
            | ToPanel::Heartbeat(_)
            | ToPanel::ServerOutput(_)
            | ToPanel::FileContent(_) => {}
            // It has no word for this.
            _ => return None,
        }
        Some(envelope)
    }

    /// It has no word for all servers at once: it is told of each, and later of each that is not as it was told.
    fn sync(&mut self, sync: Sync) {
        let all = self.introduced && !std::mem::replace(&mut self.synced, self.introduced);
        for status in sync.servers {
            let known = self.servers.get(&status.server_id);
            let news = all || known.is_none_or(|known| known.status != status);
            self.status(&status);
            if news && self.introduced {
                self.say(ToPanel::ServerStatus(Box::new(status)));
            }
        }
    }

    fn own_answer(&mut self, own: &str, message: ToPanel) {
        match message {
            ToPanel::StatsHistory(history) => {
                let sample = history.samples.into_iter().next_back();
                match self.asked.remove(own) {
                    Some(PendingRequest::Stats(server_id)) => self.stats(&server_id, sample),
                    Some(PendingRequest::Status { server_id, id }) => {
                        let known = self.servers.get(&server_id).map(|known| &known.status);
                        let response = commands::status(&id, known, sample.as_ref());
                        self.send(&response.json());
                    }
                    None => {}
                }
            }
            ToPanel::Ack(ack) => {
                let told = self.commands.accepted(own, ack.status.as_ref());
                self.tell(&told);
            }
            ToPanel::Error(report) => {
                let told = self.commands.failed(own, report.code.as_str(), &report.message);
                self.tell(&told);
                if !told.is_empty() {
                    self.refused(&report);
                }
            }
            _ => {}
        }
    }

    fn tell(&mut self, told: &[Value]) {
        for json in told {
            self.send(json);
        }
    }

    /// The panel learns from statuses only: that something was refused is told as one.
    fn refused(&mut self, report: &ErrorReport) {
        let Some(server_id) = &report.server_id else { return };
        let mut status = match self.servers.get(server_id) {
            Some(known) => known.status.clone(),
            None => ServerStatus::new(server_id.clone(), Status::Unknown),
        };
        status.error = Some(report.message.clone());
        self.say(ToPanel::ServerStatus(Box::new(status)));
    }

    fn note(&mut self, status: &ServerStatus) -> Option<Status> {
        match self.servers.get_mut(&status.server_id) {
            Some(known) => {
                let before = known.status.status.clone();
                known.status = status.clone();
                Some(before)
            }
            None => {
                let standing = ConsoleState::default();
                let status = status.clone();
                let id = status.server_id.clone();
                let known = Known { status, after: None, follows: false, standing, sampled: None };
                self.servers.insert(id, known);
                None
            }
        }
    }

    fn status(&mut self, status: &ServerStatus) {
        let before = self.note(status);
        if status.status == Status::Deleted {
            self.servers.remove(&status.server_id);
        }
        if self.commands_spoken {
            let told = self.commands.status(status, before.as_ref());
            self.tell(&told);
        }
    }

    fn stats(&mut self, server_id: &ServerId, sample: Option<Stats>) {
        let (Some(known), Some(sample)) = (self.servers.get_mut(server_id), sample) else { return };
        if known.sampled == Some(sample.timestamp) {
            return;
        }
        known.sampled = Some(sample.timestamp);
        let status = ServerStatus { stats: Some(sample), ..known.status.clone() };
        self.say(ToPanel::ServerStatus(Box::new(status)));
    }

    fn lines(&mut self, mut lines: ConsoleLines) {
        let Some(known) = self.servers.get_mut(&lines.server_id) else { return };
        known.standing.is_now(lines.partial.take(), Instant::now());
        // What was printed before the first connection is no news.
        let since = known.after.is_none().then_some(self.since);
        let (all, last) = output(lines, since);
        known.after = last.or(known.after);
        for output in all {
            self.say(ToPanel::ServerOutput(output));
        }
    }
}

/// Messages that only a panel like ours sends.
fn is_second_part(message: &ToAgent) -> bool {
    !matches!(
        message,
        ToAgent::SystemInfoRequest
            | ToAgent::ServerCreate(_)
            | ToAgent::ServerUpdate(_)
            | ToAgent::ServerStart(_)
            | ToAgent::ServerStop(_)
            | ToAgent::ServerRestart(_)
            | ToAgent::ServerDelete(_)
            | ToAgent::ServerSuspend(_)
            | ToAgent::ServerUnsuspend(_)
            | ToAgent::ServerReinstall(_)
            | ToAgent::ServerPower(_)
            | ToAgent::ServerCommand(_)
            | ToAgent::FileRead(_)
            | ToAgent::FileWrite(_)
    )
}
