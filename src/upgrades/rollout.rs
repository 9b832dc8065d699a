//! Upgrades the agents of other machines to the panel's version, one after another, each when nothing on its node would
//! be interrupted. Stops if one does not come back with the new version.

use std::time::{Duration, Instant};

use agent::streams::{FRAME_BYTES, Frame, Pipe};
use bytes::Bytes;
use protocol::{Control, NodeId, Summary, SystemInfo, ToAgent, UpgradeOutcome, UpgradeReceive, capability};
use semver::Version;
use storage::nodes::Node;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::round::{Round, Step, mark};
use super::views::{NodeUpgradeStep, NodeUpgradeView};
use super::{TELL_EVERY, UpgradeView, Upgrades, sentence};
use crate::agents::{NodeSnapshot, RequestError, local};
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::status::VERSION;
use crate::system::clock;

/// Time for an agent to open a connection.
const SOON: Duration = Duration::from_secs(30);
/// Longest time without progress while sending to a node.
const STALLED: Duration = Duration::from_secs(60);
/// Time for an agent to write the program to disk and test it.
const TRIES_WITHIN: Duration = Duration::from_secs(120);
/// Polling interval.
const LOOK: Duration = Duration::from_millis(250);

/// What to do about an agent that only accepts signed programs.
const UNSIGNED: &str = "This panel was built from a checkout and knows of no releases, so nothing says that its program is \
                        one: run the installer on that machine.";

/// Whether a version is older than the panel's.
fn is_older(version: &str) -> bool {
    match (Version::parse(version), Version::parse(VERSION)) {
        (Ok(theirs), Ok(ours)) => theirs.cmp_precedence(&ours).is_lt(),
        _ => false,
    }
}

/// Why the panel can't upgrade the agent, and what the user can do; `None` if it can.
fn hindrance(seen: &NodeSnapshot) -> Option<String> {
    let can = |info: &SystemInfo| info.capabilities.iter().any(|word| word == capability::UPGRADE);
    match &seen.system {
        None => Some("Its agent has not come yet.".to_owned()),
        Some(info) if info.agent_version.is_none() => {
            Some("Its agent is a legacy agent: add the machine anew to have ours.".to_owned())
        }
        Some(_) if !seen.online => Some("It is offline.".to_owned()),
        Some(info) if !can(info) => Some(
            "Its agent does not run as the service that the installer sets up, shares its program with a panel, or was \
             built from a checkout and knows no key of releases. Run the line from Nodes, Add there again, or there: \
             sudo ctrl-alt-play upgrade --agent"
                .to_owned(),
        ),
        Some(_) => None,
    }
}

impl Upgrades {
    pub(super) fn node_views(&self, listed: &[Node], round: &Round) -> Vec<NodeUpgradeView> {
        let others = listed.iter().filter(|node| node.id != local::NODE_ID);
        others
            .map(|node| {
                let seen = self.0.parts.agents.node(&node.id);
                let version = seen.system.as_ref().and_then(|info| info.agent_version.clone());
                let older = version.as_deref().is_some_and(is_older);
                let hindrance = hindrance(&seen);
                let step = round.steps.get(&node.id);
                NodeUpgradeView {
                    id: node.id.to_string(),
                    name: node.name.clone(),
                    can: older && hindrance.is_none(),
                    why: hindrance.filter(|_| older || version.is_none()),
                    older,
                    version,
                    step: step.map(|step| step.word),
                    percent: step.and_then(|step| step.percent),
                    detail: step.and_then(|step| step.detail.clone()),
                }
            })
            .collect()
    }

    /// Starts to upgrade these nodes, or all that can be upgraded.
    pub fn begin_nodes(&self, admin: &Admin, wanted: Option<&[String]>) -> Result<UpgradeView, ApiError> {
        let conflict = |sentence: &str| ApiError::new(Code::Conflict, sentence);
        let known = self.view()?.nodes;
        let mut chosen = Vec::new();
        for id in wanted.into_iter().flatten() {
            let node = known.iter().find(|node| node.id == *id).ok_or_else(|| ApiError::not_found("node"))?;
            if !node.can {
                let why = node.why.as_deref().unwrap_or("It has the panel's version.");
                return Err(conflict(&format!("{} can't be upgraded: {why}", node.name)));
            }
        }
        chosen.extend(known.iter().filter(|node| node.can).map(|node| NodeId::from(node.id.as_str())));
        if let Some(wanted) = wanted {
            chosen.retain(|id| wanted.iter().any(|wanted| *id == wanted.as_str()));
        }
        if chosen.is_empty() {
            return Err(conflict(
                "No machine is there that has an older version and can be upgraded from here.",
            ));
        }
        // Nodes with the fewest running games first, so that a faulty version does the least harm.
        chosen.sort_by_key(|id| self.0.parts.agents.running_on(id));
        let stop = self.0.parts.tasks.token();
        self.change(|state| {
            if state.running.is_some() {
                return Err(conflict("The panel itself is being upgraded: wait until it is back."));
            }
            if state.round.running {
                return Err(conflict("Other machines are being upgraded already."));
            }
            let steps = chosen.iter().map(|id| (id.clone(), Step::new(NodeUpgradeStep::Waiting))).collect();
            state.round = Round { steps, running: true, failure: None, stop: stop.clone() };
            Ok(())
        })?;
        tracing::info!(nodes = chosen.len(), by = %admin, "other machines are upgraded");
        let upgrades = self.clone();
        drop(self.0.parts.tasks.spawn("upgrades of nodes", async move {
            let mark = mark(&upgrades.0.parts.data_dir);
            let folder = agent::upgrades::Folder::of(&upgrades.0.parts.data_dir);
            let (noted, text) = (mark.clone(), clock::rfc3339(clock::now()));
            let write = move || folder.make(0).is_ok() && std::fs::write(&noted, text).is_ok();
            let _ = tokio::task::spawn_blocking(write).await;
            let failure = upgrades.round(&chosen, &stop).await;
            if upgrades.0.parts.tasks.ending() {
                return;
            }
            let _ = tokio::fs::remove_file(&mark).await;
            upgrades.change(|state| {
                state.round.running = false;
                state.round.failure = failure;
                // The round is over; no node is waiting any more.
                state.round.steps.retain(|_, step| step.word != NodeUpgradeStep::Waiting);
            });
        }));
        self.view()
    }

    /// Stops after the current node. If no round is running, clears the results.
    pub fn stop_nodes(&self, admin: &Admin) -> Result<(), ApiError> {
        tracing::info!(by = %admin, "no further machines are upgraded");
        self.change(|state| {
            if state.round.running {
                state.round.stop.cancel();
            } else {
                state.round = Round::default();
            }
        });
        Ok(())
    }

    async fn round(&self, nodes: &[NodeId], stop: &CancellationToken) -> Option<String> {
        for id in nodes {
            if stop.is_cancelled() {
                return None;
            }
            let work = self.one(id, stop);
            match work.await {
                Ok(true) => self.node_step(id, Step::new(NodeUpgradeStep::Done)),
                // Cancelled before anything was done.
                Ok(false) => return None,
                Err(why) => {
                    tracing::warn!(node = %id, why, "a node's agent was not upgraded");
                    let detail = Some(why.clone());
                    self.node_step(id, Step { word: NodeUpgradeStep::Failed, percent: None, detail });
                    let left = nodes.iter().skip_while(|other| *other != id).count() - 1;
                    let others = if left > 0 { " Those after it were left as they are." } else { "" };
                    return Some(format!("{id}: {why}{others}"));
                }
            }
        }
        None
    }

    fn node_step(&self, id: &NodeId, step: Step) {
        self.change(|state| state.round.steps.insert(id.to_owned(), step));
    }

    async fn one(&self, id: &NodeId, stop: &CancellationToken) -> Result<bool, String> {
        let agents = &self.0.parts.agents;
        if !self.idle(id, stop).await? {
            return Ok(false);
        }
        let seen = agents.node(id);
        let before = seen.system.ok_or("It has not said yet what it is.")?;
        let connection = agents.connection(id).ok_or("It went offline.")?;
        self.node_step(id, Step { percent: Some(0), ..Step::new(NodeUpgradeStep::Sending) });
        self.send(id, &before.arch).await?;
        self.node_step(id, Step::new(NodeUpgradeStep::Returning));
        self.back(id, connection, before.upgrade).await?;
        tracing::info!(node = %id, version = VERSION, "a node's agent was upgraded");
        Ok(true)
    }

    /// Waits until nothing on the node would be interrupted. Returns false if cancelled.
    async fn idle(&self, id: &NodeId, stop: &CancellationToken) -> Result<bool, String> {
        let began = Instant::now();
        let mut told = None;
        loop {
            let moving =
                self.0.parts.moves.under_way_at(id).map(|server| format!("the server {server} moves"));
            let Some(busy) = self.0.parts.agents.busy(id).or(moving) else { return Ok(true) };
            if began.elapsed() >= self.0.times.idle {
                return Err(format!("It was busy for too long: {busy}."));
            }
            if told.as_ref() != Some(&busy) {
                let detail = Some(format!("Waits: {busy}."));
                self.node_step(id, Step { detail, ..Step::new(NodeUpgradeStep::Waiting) });
                told = Some(busy);
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(false),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn send(&self, id: &NodeId, arch: &str) -> Result<(), String> {
        let mut program = self.0.programs.open(arch).await.map_err(|error| sentence(&error))?;
        let (program, sha256) =
            tokio::task::spawn_blocking(move || program.hash().map(|hash| (program, hash)))
                .await
                .map_err(|error| error.to_string())?
                .map_err(|error| format!("The program could not be read: {error}."))?;
        let signed = self.0.programs.signed().await.map_err(|error| sentence(&error))?;
        let unsigned = signed.is_none();
        let signed = signed.unwrap_or_default();
        let expected = self.0.parts.transfers.expect(id).map_err(|error| error.message().to_owned())?;
        let receive = UpgradeReceive {
            version: VERSION.to_owned(),
            size: program.length,
            sha256: sha256.clone(),
            transfer_id: expected.ticket().transfer_id.clone(),
            token: expected.ticket().token.clone(),
            sums: signed.sums,
            signature: signed.signature,
        };
        let asked = self.0.parts.agents.ask(id, ToAgent::UpgradeReceive(receive), SOON).await;
        asked.map_err(|error| match error {
            RequestError::Refused(report) if unsigned => format!("{} {UNSIGNED}", report.message),
            RequestError::Refused(report) => report.message.clone(),
            RequestError::Offline => "It went offline.".to_owned(),
            other => format!("It did not take the program: {other}."),
        })?;
        let mut pipe = expected.pipe().await.ok_or("It did not open a connection for the program.")?;
        let mut file = tokio::fs::File::from_std(program.file);
        let (mut sent, mut told) = (0, Instant::now());
        loop {
            let mut piece = bytes::BytesMut::with_capacity(FRAME_BYTES);
            let read = file.read_buf(&mut piece).await;
            let read = read.map_err(|error| format!("The program could not be read: {error}."))?;
            if read == 0 {
                break;
            }
            sent += read as u64;
            hand_on(&mut pipe, Frame::Bytes(Bytes::from(piece))).await?;
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let percent = u8::try_from(sent * 100 / program.length.max(1)).ok();
                self.node_step(id, Step { percent, ..Step::new(NodeUpgradeStep::Sending) });
            }
        }
        self.node_step(id, Step::new(NodeUpgradeStep::Trying));
        let summary = Summary { bytes: sent, entries: 1, sha256 };
        hand_on(&mut pipe, Frame::Control(Control::Done(summary.clone()))).await?;
        match timeout(TRIES_WITHIN, pipe.inward.recv()).await {
            Ok(Some(Frame::Control(Control::Done(taken)))) if taken == summary => Ok(()),
            Ok(word) => Err(said(word)),
            Err(_) => Err("It did not say whether it takes the program.".to_owned()),
        }
    }

    /// Waits for an agent that was sent a program to come back.
    async fn back(&self, id: &NodeId, connection: u64, before: Option<UpgradeOutcome>) -> Result<(), String> {
        let (agents, times) = (&self.0.parts.agents, &self.0.times);
        let deadline = Instant::now() + times.back;
        let mut since: Option<(String, Instant)> = None;
        while Instant::now() < deadline {
            tokio::time::sleep(LOOK.min(times.settle)).await;
            if agents.connection(id).is_none_or(|now| now == connection) {
                since = None;
                continue;
            }
            let Some(info) = agents.ask_system(id).await else { continue };
            let version = info.agent_version.unwrap_or_default();
            let told = info.upgrade.filter(|told| before.as_ref() != Some(told) && told.to == VERSION);
            match told {
                Some(told) if told.result == "done" && version == VERSION => return Ok(()),
                Some(told) if told.result != "done" && version != VERSION => {
                    let why = told.reason.unwrap_or_else(|| "no reason was given".to_owned());
                    return Err(format!("It came back with {version}: {}", dot(&why)));
                }
                _ => {}
            }
            let began = match &since {
                Some((same, began)) if *same == version => *began,
                _ => since.insert((version.clone(), Instant::now())).1,
            };
            // An agent that has closed its connection but not exited yet is still the old one.
            let patience = if version == VERSION { times.settle } else { 3 * times.settle };
            if began.elapsed() >= patience {
                return if version == VERSION {
                    Ok(())
                } else {
                    Err(format!("It came back with {version}."))
                };
            }
        }
        let within = times.back.as_secs();
        Err(match since {
            Some((version, _)) => format!("It came back with {version}, and did not stay within {within} s."),
            None => format!(
                "It did not come back within {within} s. Look there: systemctl status ctrl-alt-play-agent"
            ),
        })
    }
}

fn dot(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

async fn hand_on(pipe: &mut Pipe, piece: Frame) -> Result<(), String> {
    tokio::select! {
        biased;
        word = pipe.inward.recv() => Err(said(word)),
        sent = timeout(STALLED, pipe.out.send(piece)) => match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err("The connection for the program broke off.".to_owned()),
            Err(_) => Err("It took nothing for too long.".to_owned()),
        },
    }
}

fn said(word: Option<Frame>) -> String {
    match word {
        Some(Frame::Control(Control::Failed(report))) => dot(&report.message),
        Some(_) => "It sent what was not asked for.".to_owned(),
        None => "The connection for the program broke off.".to_owned(),
    }
}
