//! One connection to a panel that may be a legacy one.
//!
//! The panel counts as a current one from its first message with an id or outside the basic set; from then on messages
//! pass unchanged. Until then consoles are forwarded without a subscription, stats are added to statuses, refusals are
//! also reported as statuses, and the command form is accepted.

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

/// A current panel identifies itself within this time; ours does at once.
const GRACE: Duration = Duration::from_secs(1);
/// Interval of statuses with stats.
const STATS_EVERY: Duration = Duration::from_secs(10);
/// Prefix of the ids of requests made on behalf of the panel; no panel uses it.
const OURS: &str = "legacy:";

/// What the panel was told of a server.
#[derive(Debug)]
struct Known {
    status: ServerStatus,
    /// Number of the last console line sent.
    after: Option<u64>,
    follows: bool,
    /// State of its unfinished line.
    standing: ConsoleState,
    /// Time of the last stats sent.
    sampled: Option<Timestamp>,
}

/// The purpose of a stats request.
#[derive(Debug)]
enum PendingRequest {
    Stats(ServerId),
    Status { server_id: ServerId, id: String },
}

/// Translates between our agent and a panel. Outlives connections: consoles continue where they stopped.
#[derive(Debug)]
pub(crate) struct Interpreter {
    /// The panel is not a legacy one.
    knows: bool,
    /// It has used the command form.
    commands_spoken: bool,
    /// It has received `system_info`.
    introduced: bool,
    /// It has received every server's status.
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
    /// Starts a connection. A panel that chose MessagePack is a current one.
    pub(crate) fn connected(&mut self, encoding: Encoding) {
        let (servers, next) = (std::mem::take(&mut self.servers), self.next);
        let knows = encoding == Encoding::MessagePack;
        *self = Self { knows, servers, next, due: Instant::now() + GRACE, ..Self::default() };
    }

    /// Ends the connection and the subscriptions made on behalf of the panel.
    pub(crate) fn ended(&mut self, to_agent: &Outbox<ToAgent>) {
        self.unfollow(to_agent);
    }

    /// Resolves when [`Interpreter::tick`] is due; never for a current panel.
    pub(crate) async fn due(&self) {
        if self.knows {
            return std::future::pending().await;
        }
        let standing = self.servers.values().filter_map(|known| known.standing.due()).min();
        tokio::time::sleep_until(standing.map_or(self.due, |due| due.min(self.due))).await;
    }

    /// The next frame to send in addition to the agent's messages.
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

    /// Handles a message of the panel, which may show that it is a current one.
    pub(crate) fn heard(&mut self, envelope: &Envelope<ToAgent>, to_agent: &Outbox<ToAgent>) {
        if self.knows || (envelope.message_id.is_none() && !is_second_part(&envelope.message)) {
            return;
        }
        self.knows = true;
        // It subscribes itself from now on.
        self.unfollow(to_agent);
        self.servers.clear();
        self.asked.clear();
        self.frames.clear();
        // Send it the full `system_info` now, unless this message requests it.
        if !matches!(envelope.message, ToAgent::SystemInfoRequest) {
            self.ask_plain(to_agent, ToAgent::SystemInfoRequest);
        }
    }

    fn ask_plain(&self, to_agent: &Outbox<ToAgent>, message: ToAgent) {
        if let Err(error) = to_agent.try_send(Envelope::new(message)) {
            tracing::debug!(%error, "could not ask the agent");
        }
    }

    /// Handles a frame that is not a known message; true if it is a command, which is then executed.
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

    /// Sends unfinished lines that have settled; if there are none, subscribes to new consoles and requests stats.
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
            // If the agent is gone, so is the subscription.
            let _ = to_agent.try_send(Envelope::with_id(ToAgent::ConsoleUnsubscribe(of), id));
        }
    }

    /// Filters a message of the agent to the panel: returns it, or `None` if it is replaced by other frames.
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
                // A longer wait means that the grace period is over, so subscribe at once.
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
                // Leftovers from before the connection are not sent.
                self.introduced = true;
                self.synced = false;
                self.frames.clear();
            }
            ToPanel::SystemInfo(_)
            | ToPanel::Heartbeat(_)
            | ToPanel::ServerOutput(_)
            | ToPanel::FileContent(_) => {}
            // Legacy panels do not know these messages.
            _ => return None,
        }
        Some(envelope)
    }

    /// Legacy panels know no `sync`: sends each server's status, later only changed ones.
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

    /// Reports a refusal as a status, since legacy panels only read statuses.
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
        // Output from before the first connection is skipped.
        let since = known.after.is_none().then_some(self.since);
        let (all, last) = output(lines, since);
        known.after = last.or(known.after);
        for output in all {
            self.say(ToPanel::ServerOutput(output));
        }
    }
}

/// Messages that only a current panel sends.
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
