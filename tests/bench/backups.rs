//! Backups of a world beside restic's of the same world, in the same run: time, processor, room and memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::Result;
use crate::panel::binary;
use crate::report::Report;

/// What a game writes at once.
const SECTOR: usize = 4096;
const REGION: usize = 8 << 20;
const PASSWORD: &str = "correct horse battery";

/// What one run took.
struct Cost {
    seconds: f64,
    processor: f64,
    megabytes: f64,
    /// What the worker said last.
    said: Value,
}

/// Bytes that do not get smaller.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn sector(&mut self) -> [u8; SECTOR] {
        let mut sector = [0; SECTOR];
        // A chunk seldom fills its last sector.
        let filled = if self.next().is_multiple_of(4) { SECTOR / 2 } else { SECTOR };
        for piece in sector[..filled].chunks_mut(8) {
            piece.copy_from_slice(&self.next().to_le_bytes()[..piece.len()]);
        }
        sector
    }
}

fn make_world(folder: &Path, regions: usize, noise: &mut Noise) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for region in 0..regions {
        let mut file = File::create(folder.join(format!("r.{region}.0.mca")))?;
        let mut bytes = Vec::with_capacity(REGION);
        while bytes.len() < REGION {
            bytes.extend_from_slice(&noise.sector());
        }
        file.write_all(&bytes)?;
    }
    Ok(())
}

/// Changes 2 % of the sectors, all of them in a fifth of the files, as players do.
fn play(folder: &Path, regions: usize, noise: &mut Noise) -> Result<()> {
    let sectors = REGION / SECTOR;
    for region in (0..regions).step_by(5) {
        let mut file = File::options().write(true).open(folder.join(format!("r.{region}.0.mca")))?;
        for _ in 0..sectors / 10 {
            let at = noise.next() as usize % sectors;
            file.seek(SeekFrom::Start((at * SECTOR) as u64))?;
            file.write_all(&noise.sector())?;
        }
    }
    Ok(())
}

fn peak(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1e3
}

/// Seconds of processor that all ended children had so far, in hundredths.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // Without the name and the state: cutime and cstime.
    fields.get(12).unwrap_or(&0.0) / 100.0 + fields.get(13).unwrap_or(&0.0) / 100.0
}

/// Runs a program to its end, and looks at its memory meanwhile.
fn run(command: &mut Command, input: Option<&Value>) -> Result<Cost> {
    let before = processor();
    let began = Instant::now();
    let mut child: Child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut held = child.stdin.take().ok_or("no input")?;
    if let Some(input) = input {
        writeln!(held, "{input}")?;
    }
    let output = child.stdout.take().ok_or("no output")?;
    #[allow(clippy::disallowed_methods, reason = "ends with the program that it reads from")]
    let last = std::thread::spawn(move || {
        let mut last = String::new();
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            last = line;
        }
        last
    });
    let mut megabytes = 0_f64;
    #[allow(clippy::disallowed_methods, reason = "a look every few milliseconds")]
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        megabytes = megabytes.max(peak(child.id()));
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    let seconds = began.elapsed().as_secs_f64();
    drop(held);
    let last = last.join().map_err(|_| "its output could not be read")?;
    if !status.success() {
        return Err(format!("{command:?} failed: {last}").into());
    }
    let said: Value = serde_json::from_str(&last).unwrap_or_default();
    if let Some(own) = said["peak_memory"].as_f64() {
        megabytes = own / 1e6;
    }
    Ok(Cost { seconds, processor: processor() - before, megabytes, said })
}

struct Ours {
    folder: PathBuf,
    small: bool,
}

impl Ours {
    fn run(&self, work: &Value) -> Result<Cost> {
        let request = json!({
            "node": self.folder,
            "id": if self.small { "small" } else { "usual" },
            "key": { "mac": { "k": "QkJCQkJCQkJCQkJCQkJCQg==", "r": "QkJCQkJCQkJCQkJCQkJCQg==" },
                     "encrypt": "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=" },
            "password": PASSWORD,
            "limits": { "smallMemory": self.small },
            "work": work,
        });
        let threads = if self.small { "1" } else { "2" };
        let mut command = Command::new(binary());
        command.arg("backup-worker").env("MALLOC_ARENA_MAX", threads).env("RAYON_NUM_THREADS", threads);
        run(&mut command, Some(&request))
    }

    fn create(&self, id: &str, world: &Path) -> Result<Cost> {
        self.run(&json!({ "kind": "create", "backup_id": id, "server_id": "world", "source": world }))
    }

    fn restore(&self, id: &str, to: &Path) -> Result<Cost> {
        self.run(&json!({ "kind": "restore", "backup_id": id, "destination": to }))
    }
}

fn restic(folder: &Path, args: &[&str]) -> Result<Cost> {
    let mut command = Command::new("restic");
    command
        .arg("-r")
        .arg(folder.join("restic"))
        .arg("--cache-dir")
        .arg(folder.join("cache"))
        .args(args)
        .env("RESTIC_PASSWORD", PASSWORD);
    run(&mut command, None)
}

fn size(folder: &Path) -> Result<f64> {
    let mut bytes = 0;
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                left.push(entry.path());
            } else {
                bytes += entry.metadata()?.len();
            }
        }
    }
    Ok(bytes as f64 / 1e6)
}

/// Two backups and a restore by either.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let regions = if crate::thorough() { 256 } else { 64 };
    let dir = tempfile::Builder::new().prefix("cap-bench-").tempdir()?;
    let (folder, world) = (dir.path(), dir.path().join("world"));
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    make_world(&world, regions, &mut noise)?;
    let of = format!("backup of {} MiB", regions * (REGION >> 20));
    let ours = Ours { folder: folder.join("node"), small: false };
    let small = Ours { folder: folder.join("node"), small: true };
    let path = world.to_str().ok_or("a strange path")?;
    restic(folder, &["init"])?;
    for (n, what) in ["first", "second"].into_iter().enumerate() {
        if n == 1 {
            play(&world, regions, &mut noise)?;
        }
        let beside = restic(folder, &["backup", path])?;
        let cost = ours.create(what, &world)?;
        let name = |figure: &str| format!("{what} {of}: {figure}");
        let target = if n == 0 { beside.seconds } else { beside.seconds.max(1.0) };
        report.row(name("time"), "s", cost.seconds, target, Some((beside.seconds, "restic")));
        report.plain(name("processor"), "s", cost.processor, Some((beside.processor, "restic")));
        report.row(name("peak memory"), "MB", cost.megabytes, 200.0, Some((beside.megabytes, "restic")));
        let little = small.create(what, &world)?;
        report.row(
            name("peak memory, small"),
            "MB",
            little.megabytes,
            100.0,
            Some((cost.megabytes, "usual")),
        );
        report.plain(name("time, small"), "s", little.seconds, Some((cost.seconds, "usual")));
        if cost.said["kind"] != "done" {
            return Err(format!("the backup was not made: {}", cost.said).into());
        }
    }
    let (own, other) = (size(&folder.join("node/usual"))?, size(&folder.join("restic"))?);
    report.row(format!("{of}, twice: stored"), "MB", own, other * 1.05, Some((other, "restic")));
    let out = folder.join("out");
    let beside = restic(folder, &["restore", "latest", "--target", out.to_str().ok_or("a strange path")?])?;
    std::fs::remove_dir_all(&out)?;
    let cost = ours.restore("second", &out)?;
    let name = |figure: &str| format!("restore of {} MiB: {figure}", regions * (REGION >> 20));
    report.row(name("time"), "s", cost.seconds, beside.seconds.max(1.0), Some((beside.seconds, "restic")));
    report.row(name("peak memory"), "MB", cost.megabytes, 200.0, Some((beside.megabytes, "restic")));
    let mut one = Vec::new();
    File::open(out.join("r.0.0.mca"))?.read_to_end(&mut one)?;
    if one != std::fs::read(world.join("r.0.0.mca"))? {
        return Err("what was restored is not what was there".into());
    }
    Ok(())
}
