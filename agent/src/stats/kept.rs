//! Stores the samples of the last ten minutes across restarts of the agent.
//!
//! Two files are written alternately and in place: an interrupted write leaves the other one intact. They are not
//! synced: the process may be killed at any time, and a machine that loses power restarts its games as well. The write
//! interval depends on the size, to protect memory cards: 256 KiB an hour. The panel does not store samples, since it
//! only gets them while someone is subscribed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use protocol::{Network, ServerId, Stats};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::history::{KEPT, MOST};

/// File header, before the checksum.
const MAGIC: &[u8; 8] = b"CAPSTAT1";
/// Maximum bytes read from a file.
const LARGEST: u64 = 8 << 20;
/// Maximum number of servers in a file.
const SERVERS: usize = 2_000;
/// Maximum bytes written per hour …
const AN_HOUR: u64 = 256 * 1024;
/// … and minimum time between writes.
const PAUSE: Duration = Duration::from_secs(120);
/// Minimum distance of samples in periodically written files, in milliseconds.
const APART: i64 = 9_500;

/// The samples of all servers, by id, oldest first.
pub type Samples = Vec<(ServerId, Vec<Stats>)>;

/// The content of a file: its sequence number, and each server's samples as differences to the previous one.
type Content = (u64, Vec<(ServerId, Vec<[i64; 6]>)>);

/// The two files that store the samples.
#[derive(Debug)]
pub struct KeptSamples {
    dir: PathBuf,
    written: u64,
    due: Instant,
}

impl KeptSamples {
    /// Opens the files in this folder and returns their samples of the last ten minutes. A damaged file counts as
    /// empty.
    #[must_use]
    pub fn load(dir: &Path) -> (Self, Samples) {
        let newest = [0, 1].iter().filter_map(|n| read(&path(dir, *n))).max_by_key(|(written, _)| *written);
        let (written, servers) = newest.unwrap_or_default();
        let now = Timestamp::now().as_millisecond();
        let oldest = now - i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
        let samples = servers.into_iter().take(SERVERS).map(|(id, rows)| {
            let mut samples = decode(&rows);
            samples.retain(|sample| (oldest..=now).contains(&sample.timestamp.as_millisecond()));
            samples.drain(..samples.len().saturating_sub(MOST));
            (id, samples)
        });
        let samples = samples.filter(|(_, samples)| !samples.is_empty()).collect();
        (Self { dir: dir.to_owned(), written, due: Instant::now() + PAUSE }, samples)
    }

    /// Whether it is time to write.
    #[must_use]
    pub fn is_due(&self) -> bool {
        Instant::now() >= self.due
    }

    /// Writes the samples; `thin`: only some of them, because it is not the last write. Blocks.
    pub fn save(&mut self, samples: &Samples, thin: bool) {
        self.due = Instant::now() + PAUSE;
        if samples.is_empty() {
            return;
        }
        let rows = samples.iter().take(SERVERS).map(|(id, samples)| (id.clone(), encode(samples, thin)));
        self.written += 1;
        let content: Content = (self.written, rows.collect());
        let path = path(&self.dir, self.written % 2);
        match write(&path, &content) {
            Ok(bytes) => {
                let pause = Duration::from_secs(bytes * 3_600 / AN_HOUR);
                self.due = Instant::now() + pause.max(PAUSE);
            }
            Err(error) => tracing::debug!(path = %path.display(), %error, "the samples could not be kept"),
        }
    }
}

fn path(dir: &Path, n: u64) -> PathBuf {
    dir.join(format!("samples.{n}"))
}

fn write(path: &Path, content: &Content) -> io::Result<u64> {
    let body = serde_json::to_vec(content).map_err(io::Error::other)?;
    let bytes = [&MAGIC[..], &Sha256::digest(&body), &body].concat();
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.write_all(&bytes)?;
    let length = bytes.len() as u64;
    file.set_len(length)?;
    Ok(length)
}

fn read(path: &Path) -> Option<Content> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
    let rest = bytes.strip_prefix(MAGIC)?;
    let (checksum, body) = rest.split_at_checked(32)?;
    (*Sha256::digest(body) == *checksum).then(|| serde_json::from_slice(body).ok()).flatten()
}

fn encode(samples: &[Stats], thin: bool) -> Vec<[i64; 6]> {
    let mut before = [0; 6];
    let mut last = None;
    let mut rows = Vec::new();
    for sample in samples {
        let time = sample.timestamp.as_millisecond();
        if thin && last.is_some_and(|last| time - last < APART) {
            continue;
        }
        last = Some(time);
        let row = [
            time,
            (sample.cpu * 100.0) as i64,
            sample.memory.cast_signed(),
            sample.disk.cast_signed(),
            sample.network.received.cast_signed(),
            sample.network.sent.cast_signed(),
        ];
        rows.push(std::array::from_fn(|at| row[at].wrapping_sub(before[at])));
        before = row;
    }
    rows
}

fn decode(rows: &[[i64; 6]]) -> Vec<Stats> {
    let mut row = [0_i64; 6];
    let mut samples = Vec::new();
    for difference in rows {
        row = std::array::from_fn(|at| row[at].wrapping_add(difference[at]));
        let [time, cpu, memory, disk, received, sent] = row;
        let Ok(timestamp) = Timestamp::from_millisecond(time) else { continue };
        samples.push(Stats {
            cpu: cpu as f64 / 100.0,
            memory: memory.cast_unsigned(),
            disk: disk.cast_unsigned(),
            network: Network { received: received.cast_unsigned(), sent: sent.cast_unsigned() },
            players: None,
            timestamp,
        });
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(of: &str, seconds_ago: std::ops::Range<i64>) -> (ServerId, Vec<Stats>) {
        let now = Timestamp::now().as_second();
        let sample = |ago: i64| Stats {
            cpu: 12.34,
            memory: u64::MAX - ago.unsigned_abs(),
            disk: 5_000_000_000,
            network: Network { received: 1 << 40, sent: ago.unsigned_abs() },
            players: None,
            timestamp: Timestamp::from_second(now - ago).unwrap(),
        };
        (of.to_owned().into(), seconds_ago.rev().map(sample).collect())
    }

    #[test]
    fn what_was_kept_comes_back_as_far_as_it_is_not_old() {
        let dir = tempfile::tempdir().unwrap();
        let (mut kept, nothing) = KeptSamples::load(dir.path());
        assert!(nothing.is_empty() && !kept.is_due());
        let all = vec![samples("a", 0..500), samples("b", 550..700), samples("c", 700..900)];
        kept.save(&all, false);
        let (_, back) = KeptSamples::load(dir.path());
        assert_eq!(back.len(), 2);
        assert_eq!(back[0], all[0]);
        assert!((48..=51).contains(&back[1].1.len()), "{}", back[1].1.len());
        kept.save(&all, true);
        let (_, back) = KeptSamples::load(dir.path());
        assert_eq!(back[0].1.len(), 50);
    }

    #[test]
    fn damage_costs_one_file_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let (mut kept, _) = KeptSamples::load(dir.path());
        kept.save(&vec![samples("old", 0..100)], false);
        kept.save(&vec![samples("new", 0..10)], false);
        let newest = path(dir.path(), 0);
        let whole = std::fs::read(&newest).unwrap();
        for cut in [0, 4, 8, 20, 40, whole.len() - 1] {
            std::fs::write(&newest, &whole[..cut]).unwrap();
            assert_eq!(KeptSamples::load(dir.path()).1[0].0, "old", "cut at {cut}");
        }
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&newest, &bytes).unwrap();
            assert_eq!(KeptSamples::load(dir.path()).1[0].0, "old", "bad at {at}");
        }
        std::fs::write(path(dir.path(), 1), vec![0x91; 1 << 20]).unwrap();
        assert!(KeptSamples::load(dir.path()).1.is_empty());
        // A clock that was ahead: its samples are in the future.
        kept.save(&vec![samples("ahead", -7_200..-7_000)], false);
        assert!(KeptSamples::load(dir.path()).1.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn larger_files_are_written_more_seldom() {
        let dir = tempfile::tempdir().unwrap();
        let (mut kept, _) = KeptSamples::load(dir.path());
        for servers in [1, 10, 100, 1_000] {
            let all: Samples = (0..servers).map(|n| samples(&format!("server-{n}"), 0..600)).collect();
            let began = Instant::now();
            kept.save(&all, true);
            let bytes = std::fs::metadata(path(dir.path(), kept.written % 2)).unwrap().len();
            let an_hour = bytes as f64 * 3_600.0 / kept.due.duration_since(began).as_secs_f64();
            eprintln!("{servers} servers: {bytes} bytes, {an_hour:.0} bytes an hour");
            assert!(an_hour <= 270_000.0, "{servers} servers: {an_hour}");
        }
    }
}
