//! What is kept of a server's schedules, in `DATA_DIR/agent/schedules/ID.json`. A file is replaced atomically, so that
//! a crash leaves the old or the new one. All calls block; they are short.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use protocol::{Millis, PlayersQuery, SCHEDULE_RUNS, Schedule, ScheduleRun, ServerId};
use serde::{Deserialize, Serialize};

use super::times::next_times;
use crate::persist;

/// A clock that is set back further was wrong before: what is due is computed anew. Within it, nothing runs again.
pub(super) const BACK: Millis = 2 * 3_600_000;

/// Maximum bytes of a file; the frame of a panel's message has less.
const MOST_BYTES: u64 = 16 << 20;

/// What is kept of a server's schedules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    pub(super) server_id: ServerId,
    pub(super) schedules: Vec<Schedule>,
    /// How the game is asked who plays.
    #[serde(default)]
    pub(super) players: Option<PlayersQuery>,
    /// When schedules run next, by their ids.
    #[serde(default)]
    pub(super) due: BTreeMap<String, Millis>,
    /// The last runs, the newest first.
    #[serde(default)]
    pub(super) runs: VecDeque<ScheduleRun>,
}

impl Kept {
    pub(super) fn schedule(&self, id: &str) -> Option<&Schedule> {
        self.schedules.iter().find(|schedule| schedule.id == id)
    }

    pub(super) fn run(&mut self, id: &str) -> Option<&mut ScheduleRun> {
        self.runs.iter_mut().find(|run| run.id == id)
    }

    /// Adds a run; the oldest one that has ended goes if there are too many.
    pub(super) fn add_run(&mut self, run: ScheduleRun) {
        self.runs.push_front(run);
        while self.runs.len() > SCHEDULE_RUNS {
            let Some(oldest) = self.runs.iter().rposition(|run| run.ended_at.is_some()) else { return };
            self.runs.remove(oldest);
        }
    }

    /// Runs that were going on when the agent ended: they are not continued, and the history says so.
    pub(super) fn cut_off(&mut self, now: Millis) -> bool {
        let mut any = false;
        for run in self.runs.iter_mut().filter(|run| run.ended_at.is_none()) {
            any = true;
            run.ended_at = Some(now);
            "cut_off".clone_into(&mut run.outcome);
            run.sentence = Some(match run.steps.len() {
                0 => "The agent was stopped before the first step.".to_owned(),
                step => format!("The agent was stopped during or after step {step}; it is not repeated."),
            });
            if let Some(step) = run.steps.last_mut().filter(|step| step.outcome == "running") {
                "cut_off".clone_into(&mut step.outcome);
            }
        }
        any
    }
}

pub(super) fn load_all(dir: &Path) -> io::Result<Vec<Kept>> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".tmp") {
            let _ = fs::remove_file(&path);
        } else if let Some(id) = name.strip_suffix(".json") {
            match load(&path, id) {
                Ok(kept) => all.push(kept),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a file of schedules cannot be read; it is set aside");
                    let _ = fs::rename(&path, path.with_extension("json.bad"));
                }
            }
        }
    }
    Ok(all)
}

fn load(path: &Path, id: &str) -> io::Result<Kept> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let kept: Kept = serde_json::from_slice(&bytes)?;
    if kept.server_id != *id || !kept.server_id.is_valid() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is of another server"));
    }
    Ok(kept)
}

/// Writes the file; it is on the disk when this returns. Without schedules and runs there is none.
pub(super) fn save(dir: &Path, kept: &Kept) -> io::Result<()> {
    let path = path_of(dir, &kept.server_id)?;
    if kept.schedules.is_empty() && kept.runs.is_empty() {
        return remove(dir, &kept.server_id);
    }
    persist::write_whole(&path, &serde_json::to_vec(kept)?).map_err(|error| error.source)
}

pub(super) fn remove(dir: &Path, id: &ServerId) -> io::Result<()> {
    match fs::remove_file(path_of(dir, id)?) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn path_of(dir: &Path, id: &ServerId) -> io::Result<PathBuf> {
    if !id.is_valid() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(dir.join(format!("{id}.json")))
}

/// Sets when a schedule runs next.
pub(super) fn advance(kept: &mut Kept, id: &str, now_is: Millis) {
    // Within the tolerance the clock may have been set back a little since: the same time does not come again.
    let from = kept.due.get(id).copied().filter(|due| (0..BACK).contains(&(due - now_is))).unwrap_or(now_is);
    let schedule = kept.schedule(id).filter(|one| one.enabled);
    let next = schedule.and_then(|one| next_times(&one.trigger, from, 1).ok()?.first().copied());
    match next {
        Some(next) => kept.due.insert(id.to_owned(), next),
        None => kept.due.remove(id),
    };
}

#[cfg(test)]
mod tests {
    use protocol::ScheduleStepRun;

    use super::*;

    fn run(id: usize, ended_at: Option<Millis>) -> ScheduleRun {
        ScheduleRun {
            id: id.to_string(),
            schedule_id: "s".into(),
            name: "Night".into(),
            cause: "time".into(),
            started_at: 1,
            ended_at,
            outcome: "running".into(),
            sentence: None,
            steps: vec![ScheduleStepRun { outcome: "running".into(), output: String::new() }],
        }
    }

    #[test]
    fn files_are_written_read_set_aside_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let mut kept = Kept { server_id: "a".into(), ..Kept::default() };
        kept.add_run(run(1, Some(2)));
        save(dir, &kept).unwrap();
        fs::write(dir.join("b.json"), "{").unwrap();
        fs::copy(dir.join("a.json"), dir.join("c.json")).unwrap();
        assert_eq!(load_all(dir).unwrap(), [kept.clone()]);
        assert!(dir.join("b.json.bad").exists() && dir.join("c.json.bad").exists());
        kept.runs.clear();
        save(dir, &kept).unwrap();
        assert!(!dir.join("a.json").exists());
        assert!(save(dir, &Kept { server_id: "../a".into(), ..kept }).is_err());
    }

    #[test]
    fn the_history_is_bounded_and_says_what_was_cut_off() {
        let mut kept = Kept::default();
        kept.add_run(run(0, None));
        for id in 1..200 {
            kept.add_run(run(id, Some(2)));
        }
        assert_eq!(kept.runs.len(), SCHEDULE_RUNS);
        assert!(kept.cut_off(9));
        let oldest = kept.run("0").unwrap();
        assert_eq!((oldest.outcome.as_str(), oldest.ended_at), ("cut_off", Some(9)));
        assert_eq!(oldest.steps[0].outcome, "cut_off");
        assert!(!kept.cut_off(9));
    }
}
