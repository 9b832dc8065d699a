//! Problems of the machine, with advice.

use std::path::Path;

use jiff::Timestamp;
use protocol::{Engine, Problem, ProblemCode, Space};

use super::cgroup;
use super::sources::Sources;
use super::space::{FileSystem, file_system, memory};
use crate::host::hostpath::KnownPaths;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// The first second of 2024, as Unix time.
const YEAR_2024: i64 = 1_704_067_200;

/// The folder of the servers' data.
pub(super) struct Folder<'a> {
    pub(super) here: &'a Path,
    pub(super) paths: &'a KnownPaths,
}

pub(super) fn problems(
    sources: &Sources,
    folder: &Folder<'_>,
    engine: &Engine,
    now: Timestamp,
) -> Vec<Problem> {
    let disk = file_system(folder.here).and_then(|fs| disk(&fs, &folder.paths.shown(folder.here)));
    [
        engine_away(engine),
        engine_old(engine),
        no_host_path(folder),
        disk,
        clock(now),
        memory_low(memory(sources)),
    ]
    .into_iter()
    .chain([kernel_old(sources), power_low(sources)])
    .flatten()
    .chain(limits(&cgroup::missing(sources)))
    .collect()
}

fn problem(code: ProblemCode, message: String, hint: impl Into<String>) -> Problem {
    Problem { code, message, hint: hint.into() }
}

fn engine_away(engine: &Engine) -> Option<Problem> {
    if engine.available {
        return None;
    }
    let cause = engine.error.as_deref().filter(|cause| !cause.is_empty());
    let message = match cause {
        Some(cause) => format!("Docker does not answer: {cause}"),
        None => "Docker does not answer.".into(),
    };
    let hint = "Start it with `systemctl start docker`, or install it (`apt install docker.io` on Debian). This page \
                notices by itself when it is back.";
    Some(problem(ProblemCode::EngineUnavailable, message, hint))
}

fn no_host_path(folder: &Folder<'_>) -> Option<Problem> {
    let error = folder.paths.check(folder.here).err()?;
    Some(problem(ProblemCode::NoHostPath, error.message, error.hint))
}

/// Docker 20.10 has API 1.41, and so has Podman, whatever its own version.
fn engine_old(engine: &Engine) -> Option<Problem> {
    let api = engine.api_version.as_deref().filter(|_| engine.available)?;
    let (major, minor) = api.split_once('.')?;
    let number: (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    (number < (1, 41)).then(|| {
        let version = engine.version.as_deref().unwrap_or("unknown");
        let message = format!("This container engine is old: version {version}, API {api}.");
        problem(
            ProblemCode::EngineOld,
            message,
            "Docker 20.10 or newer is needed: upgrade it (`apt install docker.io`).",
        )
    })
}

/// Files of servers are only opened with openat2, so that no link leads out of their folder.
fn kernel_old(sources: &Sources) -> Option<Problem> {
    let release = sources.proc("sys/kernel/osrelease");
    let mut numbers =
        release.trim().split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().ok());
    let number = (numbers.next()??, numbers.next()??);
    (number < (5, 6)).then(|| {
        let message = format!("This kernel is too old to open servers' files safely: {}.", release.trim());
        problem(
            ProblemCode::KernelOld,
            message,
            "Linux 5.6 or newer is needed: upgrade the system, then reboot.",
        )
    })
}

/// A Raspberry Pi's power warning: bit 0 for now, bit 16 for since boot.
fn power_low(sources: &Sources) -> Option<Problem> {
    let bits = sources.sys("devices/platform/soc/soc:firmware/get_throttled");
    let bits = u32::from_str_radix(bits.trim().trim_start_matches("0x"), 16).ok()?;
    let message = match (bits & 1 != 0, bits & (1 << 16) != 0) {
        (true, _) => "This board gets too little voltage now: it runs slower, and may lose data.",
        (false, true) => "This board has had too little voltage since it was switched on.",
        (false, false) => return None,
    };
    let hint = "Use the power supply that was made for this board and a short thick cable; give USB disks power of their \
                own.";
    Some(problem(ProblemCode::PowerLow, message.into(), hint))
}

fn disk(fs: &FileSystem, data_dir: &Path) -> Option<Problem> {
    let Space { used, total } = fs.space;
    let (free, at) = (total.saturating_sub(used), data_dir.display());
    let make_room = "Delete servers, worlds or images that nobody needs (`docker image prune`), or move the data \
                     folder to a larger disk.";
    if fs.read_only {
        return Some(problem(
            ProblemCode::DiskReadOnly,
            format!("The disk of {at} can only be read."),
            "A failing disk or memory card is often the reason: look at `dmesg`, save what you can, replace it.",
        ));
    }
    if total > 0 && free < 64 * MIB {
        return Some(problem(
            ProblemCode::DiskFull,
            format!("The disk of {at} is full: {} are free.", size(free)),
            make_room,
        ));
    }
    if let Some((free, all)) = fs.names
        && free < all / 100
    {
        return Some(problem(
            ProblemCode::DiskFull,
            format!("The disk of {at} has room for only {free} more files."),
            "Delete folders with very many small files.",
        ));
    }
    // A tenth of a large disk is still plenty.
    let low = free < 2 * GIB || (free < total / 10 && free < 50 * GIB);
    (total > 0 && low).then(|| {
        let message = format!("The disk of {at} is almost full: {} of {} are free.", size(free), size(total));
        problem(ProblemCode::DiskLow, message, make_room)
    })
}

fn memory_low(memory: Space) -> Option<Problem> {
    let Space { used, total } = memory;
    let free = total.saturating_sub(used);
    (total > 0 && free < (total / 12).min(512 * MIB)).then(|| {
        let message = format!("Memory is almost used up: {} of {} are free.", size(free), size(total));
        problem(
            ProblemCode::MemoryLow,
            message,
            "Stop a server, or give servers less memory, before the kernel ends one.",
        )
    })
}

fn clock(now: Timestamp) -> Option<Problem> {
    // A board without a battery-backed clock starts in 1970 or at its image's date until it reaches a time server.
    (now.as_second() < YEAR_2024).then(|| {
        problem(
            ProblemCode::ClockWrong,
            format!("This machine's clock says {now:.0}."),
            "Connect it to the internet, or set the time (`timedatectl set-ntp true`): certificates fail until then.",
        )
    })
}

fn limits(missing: &[&str]) -> Vec<Problem> {
    missing
        .iter()
        .map(|&controller| match controller {
            "memory" => problem(
                ProblemCode::MemoryLimitOff,
                "This kernel does not hold memory limits: one server can take all memory.".into(),
                "On a Raspberry Pi add `cgroup_enable=memory cgroup_memory=1` to the line in \
                 /boot/firmware/cmdline.txt, then reboot.",
            ),
            "cpu" => problem(
                ProblemCode::CpuLimitOff,
                "This kernel does not hold processor limits.".into(),
                "A kernel with CONFIG_CFS_BANDWIDTH and the cpu cgroup is needed.",
            ),
            other => problem(
                ProblemCode::PidsLimitOff,
                format!("This kernel does not limit the number of processes ({other})."),
                "A kernel with CONFIG_CGROUP_PIDS is needed.",
            ),
        })
        .collect()
}

/// Formats bytes: `512 MiB`, `1.9 GiB`, `12 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    if bytes >= 10 * GIB {
        format!("{} GiB", bytes / GIB)
    } else if bytes >= GIB {
        format!("{:.1} GiB", bytes as f64 / GIB as f64)
    } else {
        format!("{} MiB", bytes / MIB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with this one file.
    fn machine(path: &str, text: &str) -> (tempfile::TempDir, Sources) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        let sources = Sources::below(root.path());
        (root, sources)
    }

    #[test]
    fn an_engine_before_20_10_is_old_and_podman_is_not() {
        let engine = |version: &str, api: &str| Engine {
            available: true,
            version: Some(version.into()),
            api_version: Some(api.into()),
            error: None,
        };
        assert_eq!(engine_old(&engine("19.03.15", "1.40")).unwrap().code, ProblemCode::EngineOld);
        assert_eq!(engine_old(&engine("20.10.24", "1.41")), None);
        assert_eq!(engine_old(&engine("4.3.1", "1.41")), None);
        assert_eq!(engine_old(&Engine { available: false, ..engine("1", "1.2") }), None, "it is away");
    }

    #[test]
    fn a_kernel_without_openat2_is_old() {
        let code = |release: &str| {
            kernel_old(&machine("proc/sys/kernel/osrelease", release).1).map(|problem| problem.code)
        };
        assert_eq!(code("5.4.0-42-generic\n"), Some(ProblemCode::KernelOld));
        assert_eq!(code("4.19.118-v7l+"), Some(ProblemCode::KernelOld));
        assert_eq!(code("5.6.0"), None);
        assert_eq!(code("6.1.21-v8+"), None);
        assert_eq!(code("new"), None, "what cannot be told is not held against it");
    }

    #[test]
    fn a_board_with_too_little_voltage_says_so() {
        let said = |bits: &str| {
            let (_root, sources) = machine("sys/devices/platform/soc/soc:firmware/get_throttled", bits);
            power_low(&sources).map(|problem| problem.message)
        };
        assert_eq!(said("0"), None);
        assert_eq!(said("20002"), None, "slowed down for another reason");
        assert!(said("50005\n").unwrap().contains("now"));
        assert!(said("0x50000").unwrap().contains("has had"));
    }

    fn fs(free: u64, total: u64) -> FileSystem {
        FileSystem { space: Space { used: total - free, total }, ..FileSystem::default() }
    }

    fn disk_code(fs: &FileSystem) -> Option<ProblemCode> {
        disk(fs, Path::new("/data")).map(|problem| problem.code)
    }

    #[test]
    fn a_disk_is_fine_low_full_or_broken() {
        assert_eq!(disk_code(&fs(20 * GIB, 100 * GIB)), None);
        assert_eq!(disk_code(&fs(9 * GIB, 100 * GIB)), Some(ProblemCode::DiskLow));
        assert_eq!(disk_code(&fs(GIB, 4 * GIB)), Some(ProblemCode::DiskLow));
        assert_eq!(disk_code(&fs(100 * GIB, 4000 * GIB)), None, "a tenth of a large disk is a lot");
        assert_eq!(disk_code(&fs(10 * MIB, 100 * GIB)), Some(ProblemCode::DiskFull));
        let no_names = FileSystem { names: Some((5, 100_000)), ..fs(50 * GIB, 100 * GIB) };
        assert_eq!(disk_code(&no_names), Some(ProblemCode::DiskFull));
        let broken = FileSystem { read_only: true, ..fs(50 * GIB, 100 * GIB) };
        assert_eq!(disk_code(&broken), Some(ProblemCode::DiskReadOnly));
    }

    #[test]
    fn the_message_says_how_much_and_where() {
        let said = disk(&fs(3 * GIB / 2, 16 * GIB), Path::new("/data")).unwrap().message;
        assert_eq!(said, "The disk of /data is almost full: 1.5 GiB of 16 GiB are free.");
    }

    #[test]
    fn memory_is_low_by_share_on_small_machines_and_by_size_on_large_ones() {
        let low = |free, total| memory_low(Space { used: total - free, total }).is_some();
        assert!(low(40 * MIB, GIB));
        assert!(!low(200 * MIB, GIB));
        assert!(low(300 * MIB, 64 * GIB));
        assert!(!low(GIB, 64 * GIB));
        assert!(!low(0, 0), "unknown is not low");
    }

    #[test]
    fn a_clock_before_this_software_is_wrong() {
        assert_eq!(clock("1970-01-01T00:00:09Z".parse().unwrap()).unwrap().code, ProblemCode::ClockWrong);
        assert_eq!(clock("2026-11-23T00:00:00Z".parse().unwrap()), None);
    }

    #[test]
    fn an_engine_that_is_away_says_why() {
        let away = Engine { error: Some("connection refused".into()), ..Engine::default() };
        let problem = engine_away(&away).unwrap();
        assert_eq!(problem.code, ProblemCode::EngineUnavailable);
        assert!(problem.message.contains("connection refused"), "{}", problem.message);
        assert_eq!(engine_away(&Engine { available: true, ..away }), None);
    }
}
