//! The messages of an agent: how large each may be, and the limits of all fields. Texts that are too long are cut and
//! marked; lists are truncated. Each field is named, so that a new one does not compile without a limit.

use std::collections::BTreeMap;

use ids::ServerId;
use serde_json::{Map, Value};

use super::bounded::{EVERYTHING, FILE, Inbound, LISTING, Limits, SETTINGS, USUAL};
use super::file_paths;
use super::payload::Payload;
use super::text::TextRule;
use super::{
    Ack, ConsoleItem, ConsoleLine, ConsoleLines, ConsolePartial, Engine, ErrorReport, FileContent, Firewall,
    Heartbeat, HostReport, ImageReport, NodeStats, Problem, Progress, ServerDescription, ServerOutput,
    ServerStats, ServerStatus, Stats, StatsHistory, Status, Sync, SystemInfo, ToPanel, TransferSize,
    UpgradeOutcome,
};

/// The types of an agent's messages, with their limits.
pub(super) const KINDS: [(&str, Limits); 29] = [
    ("heartbeat", USUAL),
    ("system_info", USUAL),
    ("server_status", USUAL),
    ("server_output", USUAL),
    ("file_content", FILE),
    ("error", USUAL),
    ("ack", USUAL),
    ("progress", USUAL),
    ("sync", EVERYTHING),
    ("console_lines", USUAL),
    ("server_stats", USUAL),
    ("stats_history", USUAL),
    ("node_stats", USUAL),
    ("host_report", USUAL),
    ("server_description", SETTINGS),
    ("transfer_size", USUAL),
    ("file_entries", LISTING),
    ("file_info", USUAL),
    ("file_progress", USUAL),
    ("file_done", LISTING),
    ("file_trash_list", LISTING),
    ("file_version_list", USUAL),
    ("file_matches", LISTING),
    ("disk_usage_report", USUAL),
    ("upload_info", USUAL),
    ("backup_report", USUAL),
    ("players_report", LISTING),
    ("reach_report", LISTING),
    ("schedules_report", LISTING),
];

/// Maximum number of an image's CPU architectures.
const ARCHITECTURES: usize = 32;
/// Maximum bytes of a text file.
const CONTENT: usize = 4 << 20;
/// Maximum number of lines in one message, and of bytes if they are one text.
const LINES: usize = 10_000;
const OUTPUT: usize = 64 * 1024;
const CAPABILITIES: usize = 64;
const NETWORKS: usize = 32;
const PROBLEMS: usize = 16;
const PORTS: usize = 512;
const VARIABLES: usize = 64;
/// Maximum number of samples: one a second for ten minutes, and some spare.
const SAMPLES: usize = 660;
/// Maximum bytes of data in formats of other implementations.
const EXTRA: usize = 1024;
/// Upper limit for line numbers and numbers of skipped lines; leaves room to count on.
const MOST_LINES: u64 = 1 << 53;

impl Inbound for ToPanel {
    fn limits(kind: &str) -> Option<Limits> {
        KINDS.iter().find(|(name, _)| *name == kind).map(|(_, limits)| *limits)
    }

    fn bound(&mut self) -> Result<(), String> {
        match self {
            Self::Heartbeat(Heartbeat { node_id, timestamp: _, status }) => {
                TextRule::NAME.apply(node_id.text_mut());
                TextRule::WORD.apply(status);
            }
            Self::SystemInfo(info) => info.bound(),
            Self::ServerStatus(status) => status.bound(),
            Self::ServerOutput(output) => output.bound(),
            Self::FileContent(file) => return file.bound(),
            Self::Error(report) => report.bound(),
            Self::Ack(Ack { status }) => {
                if let Some(status) = status {
                    status.bound();
                }
            }
            Self::Progress(progress) => progress.bound(),
            Self::Sync(Sync { servers }) => servers.iter_mut().for_each(ServerStatus::bound),
            Self::ConsoleLines(ConsoleLines { server_id, lines, reset: _, partial }) => {
                id(server_id);
                if let Some(ConsolePartial { time: _, stream: _, text, truncated }) = partial {
                    *truncated |= TextRule::CONSOLE.apply(text);
                }
                // If there are too many, keep the newest.
                lines.drain(..lines.len().saturating_sub(LINES));
                lines.iter_mut().for_each(ConsoleItem::bound);
            }
            Self::ServerStats(ServerStats { server_id, stats }) => {
                id(server_id);
                stats.bound();
            }
            Self::StatsHistory(StatsHistory { server_id, samples }) => {
                id(server_id);
                samples.drain(..samples.len().saturating_sub(SAMPLES));
                samples.iter_mut().for_each(Stats::bound);
            }
            Self::NodeStats(NodeStats { cpu, memory: _, disk: _, timestamp: _ }) => finite(cpu),
            Self::HostReport(report) => {
                let HostReport {
                    image_present: _,
                    image_environment,
                    ports_taken,
                    memory: _,
                    disk: _,
                    image,
                } = report;
                if let Some(ImageReport { architectures, newer: _, problem }) = image {
                    architectures.truncate(ARCHITECTURES);
                    for word in architectures {
                        TextRule::WORD.apply(word);
                    }
                    TextRule::line(500).apply_some(problem);
                }
                let all = std::mem::take(image_environment);
                *image_environment = all.into_iter().take(VARIABLES).map(variable).collect();
                ports_taken.truncate(PORTS);
            }
            Self::ServerDescription(told) => {
                let ServerDescription { spec, suspended: _ } = told.as_mut();
                return spec.bound();
            }
            Self::TransferSize(TransferSize { bytes: _, entries: _, owner }) => {
                TextRule::WORD.apply_some(owner);
            }
            // A cut or cleaned path would be that of another file, so these are rejected.
            Self::FileEntries(entries) => return entries.bound(),
            Self::FileInfo(info) => return info.bound(),
            Self::FileProgress(progress) => return progress.bound(),
            Self::FileDone(done) => return done.bound(),
            Self::FileTrashList(list) => return list.bound(),
            Self::FileVersionList(list) => return list.bound(),
            Self::FileMatches(matches) => return matches.bound(),
            Self::DiskUsageReport(report) => return report.bound(),
            Self::UploadInfo(info) => return info.bound(),
            Self::BackupReport(report) => report.bound(),
            Self::PlayersReport(report) => report.bound(),
            Self::ReachReport(report) => report.bound(),
            Self::SchedulesReport(report) => report.bound(),
        }
        Ok(())
    }
}

/// Clears an id that is too long: if cut, it could be another one's.
fn id(server_id: &mut ServerId) {
    if server_id.len() > 64 {
        *server_id = ServerId::default();
    }
}

fn finite(number: &mut f64) {
    if !number.is_finite() {
        *number = 0.0;
    }
}

impl Status {
    pub(super) fn bound(&mut self) {
        if let Self::Other(word) = self {
            TextRule::line(32).apply(word);
        }
    }
}

impl SystemInfo {
    fn bound(&mut self) {
        let Self {
            node_id,
            os,
            arch,
            memory: _,
            cpu,
            docker_version,
            capabilities,
            networks,
            hostname,
            kernel,
            cores: _,
            cgroup,
            agent_version,
            data_dir,
            engine,
            firewall,
            problems,
            upgrade,
        } = self;
        for name in [node_id.text_mut(), cpu] {
            TextRule::NAME.apply(name);
        }
        for word in [os, arch] {
            TextRule::WORD.apply(word);
        }
        for word in [docker_version, cgroup, agent_version] {
            TextRule::WORD.apply_some(word);
        }
        TextRule::line(253).apply_some(hostname);
        TextRule::NAME.apply_some(kernel);
        TextRule::PATH.apply_some(data_dir);
        capabilities.truncate(CAPABILITIES);
        capabilities.shrink_to_fit();
        for word in capabilities {
            TextRule::line(32).apply(word);
        }
        let all = std::mem::take(networks);
        *networks = all.into_iter().take(NETWORKS).map(network).collect::<BTreeMap<_, _>>();
        if let Some(Engine { available: _, version, api_version, error }) = engine {
            TextRule::WORD.apply_some(version);
            TextRule::WORD.apply_some(api_version);
            TextRule::SENTENCE.apply_some(error);
        }
        if let Some(Firewall { active: _, error }) = firewall {
            TextRule::SENTENCE.apply_some(error);
        }
        problems.truncate(PROBLEMS);
        problems.shrink_to_fit();
        for Problem { code, message, hint } in problems {
            code.bound();
            TextRule::SENTENCE.apply(message);
            TextRule::SENTENCE.apply(hint);
        }
        if let Some(UpgradeOutcome { from, to, result, reason, at }) = upgrade {
            for word in [from, to, result, at] {
                TextRule::WORD.apply(word);
            }
            TextRule::SENTENCE.apply_some(reason);
        }
    }
}

fn variable((mut name, mut value): (String, String)) -> (String, String) {
    TextRule::NAME.apply(&mut name);
    TextRule::SENTENCE.apply(&mut value);
    (name, value)
}

fn network((mut name, mut address): (String, String)) -> (String, String) {
    TextRule::line(32).apply(&mut name);
    TextRule::WORD.apply(&mut address);
    (name, address)
}

impl ServerStatus {
    fn bound(&mut self) {
        let Self {
            server_id,
            status,
            stats,
            error,
            exit_code: _,
            oom_killed: _,
            started_at: _,
            since: _,
            restart_at: _,
            stop_deadline: _,
            container_id,
            progress,
            needs_restart: _,
            data_dir,
        } = self;
        id(server_id);
        status.bound();
        if let Some(stats) = stats {
            stats.bound();
        }
        TextRule::SENTENCE.apply_some(error);
        TextRule::NAME.apply_some(container_id);
        if let Some(progress) = progress {
            progress.bound();
        }
        TextRule::PATH.apply_some(data_dir);
    }
}

impl Progress {
    fn bound(&mut self) {
        let Self { percent, text } = self;
        if let Some(percent) = percent {
            finite(percent);
            *percent = percent.clamp(0.0, 100.0);
        }
        TextRule::line(256).apply(text);
    }
}

impl Stats {
    fn bound(&mut self) {
        let Self { cpu, memory: _, disk: _, network: _, players, timestamp: _ } = self;
        finite(cpu);
        if let Some(players) = players {
            small(players, &mut 256);
        }
    }
}

impl ServerOutput {
    fn bound(&mut self) {
        let Self { server_id, output, stream: _, timestamp: _ } = self;
        id(server_id);
        if output.len() > OUTPUT {
            let mut end = OUTPUT;
            while !output.is_char_boundary(end) {
                end -= 1;
            }
            output.truncate(end);
            output.shrink_to_fit();
        }
        let mut clean = String::with_capacity(output.len());
        for (number, line) in output.split('\n').take(LINES).enumerate() {
            let mut line = line.to_owned();
            TextRule::CONSOLE.apply(&mut line);
            if number > 0 {
                clean.push('\n');
            }
            clean.push_str(&line);
        }
        *output = clean;
    }
}

impl ConsoleItem {
    fn bound(&mut self) {
        match self {
            Self::Line(ConsoleLine { seq, time: _, stream: _, text, truncated }) => {
                *seq = (*seq).min(MOST_LINES);
                *truncated |= TextRule::CONSOLE.apply(text);
            }
            Self::Skipped { skipped } => *skipped = (*skipped).min(MOST_LINES),
        }
    }
}

impl FileContent {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, path, content, success: _, message } = self;
        if let Some(server_id) = server_id {
            id(server_id);
        }
        file_paths::path("path", path)?;
        TextRule::SENTENCE.apply_some(message);
        match content {
            Some(content) if content.len() > CONTENT => Err("the file has more than 4 MiB".to_owned()),
            _ => Ok(()),
        }
    }
}

impl ErrorReport {
    pub(super) fn bound(&mut self) {
        let Self { code, message, details, server_id } = self;
        code.bound();
        TextRule::SENTENCE.apply(message);
        if let Some(details) = details {
            small(details, &mut { EXTRA });
        }
        if let Some(server_id) = server_id {
            id(server_id);
        }
    }
}

/// Shrinks an arbitrary value: parts beyond `room` are dropped.
fn small(value: &mut Value, room: &mut usize) {
    *room = room.saturating_sub(16);
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        _ if *room == 0 => *value = Value::Null,
        Value::String(text) => {
            TextRule::line(128.min(*room)).apply(text);
            *room = room.saturating_sub(text.len());
        }
        Value::Array(items) => {
            let mut kept = Vec::new();
            for mut item in std::mem::take(items) {
                if *room == 0 {
                    break;
                }
                small(&mut item, room);
                kept.push(item);
            }
            *items = kept;
        }
        Value::Object(entries) => {
            let mut kept = Map::new();
            for (mut name, mut item) in std::mem::take(entries) {
                if *room == 0 {
                    break;
                }
                TextRule::line(64).apply(&mut name);
                *room = room.saturating_sub(name.len());
                small(&mut item, room);
                kept.insert(name, item);
            }
            *entries = kept;
        }
    }
}
