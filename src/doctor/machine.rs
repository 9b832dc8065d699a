//! The machine: resource limits, memory, kernel and power supply.

use std::path::Path;

use agent::docker::EngineFacts;
use agent::host::{Host, Sources, cgroup, size, space};
use protocol::{Engine, Problem, ProblemCode};

use super::views::{Finding, Level};

const GIB: u64 = 1 << 30;
/// Bytes of memory below which a machine should have swap.
const SMALL: u64 = 4 * GIB;
/// Bytes of memory that system, engine and panel need.
const OWN: u64 = GIB / 2;

/// The problems that the local agent reports about its machine, with a level and with findings for what is fine.
pub(super) fn as_a_node(sources: &Sources, data_dir: &Path, engine: &Engine) -> Vec<Finding> {
    let host = Host::with_sources("local".into(), data_dir.into(), sources.clone());
    let mut found: Vec<Finding> = host.problems(engine).iter().filter_map(finding).collect();
    let silent = |found: &[Finding], group: &str| !found.iter().any(|finding| finding.group == group);
    if silent(&found, "disk") {
        let stats = host.node_stats().disk;
        let (free, total) = (size(stats.total.saturating_sub(stats.used)), size(stats.total));
        let detail = format!("{free} of {total} are free for {}.", data_dir.display());
        found.push(Finding::ok("disk", "disk_space", "Disk space", detail));
    }
    if silent(&found, "machine") {
        let detail = match sources.proc("sys/kernel/osrelease").trim() {
            "" => "Nothing is wrong that the machine tells of.".to_owned(),
            release => format!("Linux {release}."),
        };
        found.push(Finding::ok("machine", "kernel", "Kernel and power", detail));
    }
    found
}

/// A problem as a finding; `None` if the doctor has a more detailed check of its own.
fn finding(problem: &Problem) -> Option<Finding> {
    let (group, level, title) = match problem.code {
        ProblemCode::EngineUnavailable | ProblemCode::EngineOld | ProblemCode::ClockWrong => return None,
        ProblemCode::MemoryLimitOff | ProblemCode::CpuLimitOff | ProblemCode::PidsLimitOff => return None,
        ProblemCode::DiskReadOnly => ("disk", Level::Problem, "The disk is read-only"),
        ProblemCode::DiskFull => ("disk", Level::Problem, "The disk is full"),
        ProblemCode::DiskLow => ("disk", Level::Warning, "The disk is almost full"),
        ProblemCode::MemoryLow => ("memory", Level::Warning, "Memory is almost used up"),
        ProblemCode::KernelOld => ("machine", Level::Problem, "The kernel is too old"),
        ProblemCode::PowerLow => ("machine", Level::Warning, "Too little voltage"),
        _ => ("machine", Level::Warning, "The machine has a problem"),
    };
    let found = Finding::ok(group, problem.code.as_str(), title, problem.message.clone());
    Some(Finding { level, advice: Some(problem.hint.clone()), ..found })
}

/// Whether resource limits of servers are enforced, according to the engine or else the kernel.
pub(super) fn limits(sources: &Sources, engine: Option<&EngineFacts>) -> Vec<Finding> {
    let missing = cgroup::missing(sources);
    let held = engine.and_then(|engine| engine.limits);
    let off = |name: &str, said: Option<bool>| missing.contains(&name) || said == Some(false);
    let mut found = Vec::new();
    if off("memory", held.map(|held| held.memory)) {
        let detail = "This kernel does not hold memory limits: one server can take all memory, and the machine with it.";
        let advice = if is_raspberry_pi(sources) {
            "Raspberry Pi OS starts without them: add ` cgroup_enable=memory cgroup_memory=1` to the one line of \
             /boot/firmware/cmdline.txt (older: /boot/cmdline.txt), then `sudo reboot`."
        } else {
            "Add `cgroup_enable=memory` to the kernel's command line (GRUB: GRUB_CMDLINE_LINUX in /etc/default/grub, \
             then `sudo update-grub`), then `sudo reboot`."
        };
        found.push(Finding::problem(
            "limits",
            "memory_limit_off",
            "Memory limits do not hold",
            detail,
            advice,
        ));
    } else if held.map(|held| held.swap).or_else(|| cgroup::swap_limit(sources)) == Some(false) {
        let detail = "A server that reaches its memory limit goes on into swap without a limit.";
        let advice = "Add `swapaccount=1` to the kernel's command line, then `sudo reboot`; without swap it does not matter.";
        found.push(Finding::note("limits", "swap_limit_off", "Swap limits do not hold", detail, advice));
    }
    if off("cpu", held.map(|held| held.cpu)) {
        let detail = "This kernel does not hold processor limits: one server can slow all others down.";
        let advice =
            "A kernel with CONFIG_CFS_BANDWIDTH and the cpu cgroup is needed: upgrade the system's kernel.";
        found.push(Finding::warning(
            "limits",
            "cpu_limit_off",
            "Processor limits do not hold",
            detail,
            advice,
        ));
    }
    if off("pids", held.map(|held| held.pids)) {
        let detail =
            "This kernel does not limit the number of processes: a broken server can use all of them.";
        let advice = "A kernel with CONFIG_CGROUP_PIDS is needed: upgrade the system's kernel.";
        found.push(Finding::warning(
            "limits",
            "pids_limit_off",
            "Process limits do not hold",
            detail,
            advice,
        ));
    }
    if cgroup::io_weight(sources) == Some(false) {
        let detail = format!(
            "Disk weights of servers do nothing here ({}): a server that writes much slows the others.",
            cgroup::version(sources).map_or("no cgroups", |version| if version == "v1" {
                "cgroup v1"
            } else {
                "no io controller"
            })
        );
        let advice = "Nothing has to be done. A system with cgroup v2 and its io controller holds them.";
        found.push(Finding::note("limits", "io_weight_off", "Disk weights do not hold", detail, advice));
    }
    if !found.iter().any(|finding| finding.level < Level::Note) {
        let detail = match cgroup::version(sources) {
            Some(version) => format!("Memory, processor and process limits hold (cgroup {version})."),
            None => {
                "No cgroup file system is to be seen from here, and the engine complains of none.".to_owned()
            }
        };
        found.push(Finding::ok("limits", "limits", "Limits", detail));
    }
    found
}

fn is_raspberry_pi(sources: &Sources) -> bool {
    let board = sources.proc("device-tree/model") + &sources.proc("cpuinfo");
    board.contains("Raspberry Pi")
}

/// Compares the machine's memory with what is allocated to servers.
pub(super) fn memory(sources: &Sources, promised: Option<i64>) -> Vec<Finding> {
    let memory = space::memory(sources);
    let swap = space::swap(sources);
    let mut found = Vec::new();
    if memory.total == 0 {
        return found;
    }
    let promised = promised.and_then(|promised| u64::try_from(promised).ok()).unwrap_or(0);
    if promised > memory.total {
        let detail = format!(
            "The servers here were promised {}, and the machine has {}: not all can run at once.",
            size(promised),
            size(memory.total)
        );
        let advice = "Give servers less memory, or move one to another node (its Settings).";
        found.push(Finding::warning(
            "memory",
            "memory_promised",
            "More memory is promised than there is",
            detail,
            advice,
        ));
    } else if promised + OWN > memory.total {
        let detail = format!(
            "The servers here were promised {} of {}, which leaves little for the system itself.",
            size(promised),
            size(memory.total)
        );
        let advice = "Leave half a GiB for the system when all servers run at once.";
        found.push(Finding::note("memory", "memory_tight", "Almost all memory is promised", detail, advice));
    }
    if swap == Some(0) && memory.total < SMALL {
        let detail = format!(
            "This machine has {} of memory and no swap: the kernel ends a server the moment memory runs out.",
            size(memory.total)
        );
        let advice = "Compressed swap in memory helps and wears out no card: `sudo apt install zram-tools`.";
        found.push(Finding::note("memory", "swap_none", "No swap on a small machine", detail, advice));
    }
    if found.is_empty() {
        let free = size(memory.total.saturating_sub(memory.used));
        let swap = swap.filter(|swap| *swap > 0).map_or("no swap".to_owned(), |swap| size(swap) + " of swap");
        let detail = format!("{free} of {} are free; {swap}.", size(memory.total));
        found.push(Finding::ok("memory", "memory", "Memory", detail));
    }
    found
}

/// Limitations of a 32-bit program or machine. `arch` is the architecture of this program.
pub(super) fn bits(sources: &Sources, arch: &str) -> Option<Finding> {
    if arch != "arm" {
        return None;
    }
    // `aarch64` if only the programs are 32-bit.
    let wide = matches!(sources.proc("sys/kernel/arch").trim(), "aarch64" | "arm64")
        || sources.proc("version").contains("aarch64");
    let detail = "No process can have more than 3 GiB of memory, and few images are made for arm/v7: most games of the \
                  templates are not.";
    let advice = if wide {
        "This machine can do 64-bit: install the 64-bit system (Raspberry Pi OS 64-bit), then the panel again; \
         its data folder goes along."
    } else {
        "Look for images for arm/v7, or make a 64-bit machine a node."
    };
    Some(Finding::note("machine", "arm_32_bit", "A 32-bit system", detail, advice))
}

/// Old kernels block while they have too little entropy; newer ones always report 256.
pub(super) fn entropy(sources: &Sources) -> Option<Finding> {
    let bits: u32 = sources.proc("sys/kernel/random/entropy_avail").trim().parse().ok()?;
    (bits < 64).then(|| {
        let detail =
            format!("The kernel has gathered {bits} bits of randomness: secrets and TLS may wait for it.");
        let advice = "`sudo apt install rng-tools-debian` takes it from the hardware.";
        Finding::warning("machine", "entropy_low", "Little randomness", detail, advice)
    })
}

#[cfg(test)]
mod tests {
    use agent::docker::Limits;

    use super::super::tests::{Tree, codes};
    use super::*;

    fn engine(memory: bool, swap: bool) -> EngineFacts {
        let limits = Limits { memory, swap, pids: true, cpu: true };
        EngineFacts { limits: Some(limits), ..super::super::engine::tests::docker() }
    }

    #[test]
    fn limits_that_hold_and_those_that_do_not() {
        let good = Tree::new(&[("sys/fs/cgroup/cgroup.controllers", "cpu io memory pids")]);
        assert_eq!(codes(&limits(&good.sources(), None)), ["limits"]);
        let said = codes(&limits(&good.sources(), Some(&engine(false, false))));
        assert_eq!(said, ["memory_limit_off"], "the engine knows better");
        let said = codes(&limits(&good.sources(), Some(&engine(true, false))));
        assert_eq!(said, ["swap_limit_off", "limits"]);

        let pi = Tree::new(&[
            ("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids"),
            ("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
        ]);
        let found = limits(&pi.sources(), None);
        assert_eq!(codes(&found), ["memory_limit_off"]);
        assert_eq!(found[0].level, Level::Problem);
        let advice = found[0].advice.as_deref().unwrap();
        assert!(advice.contains("cgroup_enable=memory") && advice.contains("cmdline.txt"), "{advice}");

        let v1 = Tree::new(&[
            ("sys/fs/cgroup/memory/tasks", ""),
            ("proc/cgroups", "#name h n enabled\ncpu 1 1 1\nmemory 2 1 1\npids 3 1 0\n"),
        ]);
        assert_eq!(
            codes(&limits(&v1.sources(), None)),
            ["swap_limit_off", "pids_limit_off", "io_weight_off"]
        );
    }

    #[test]
    fn memory_against_promises_and_swap() {
        let tree = |total: u64, swap: u64| {
            let info = format!("MemTotal: {total} kB\nMemAvailable: {total} kB\nSwapTotal: {swap} kB\n");
            Tree::new(&[("proc/meminfo", &info)])
        };
        let (small, large) = (tree(1 << 20, 0), tree(16 << 20, 0));
        assert_eq!(codes(&memory(&small.sources(), None)), ["swap_none"]);
        assert_eq!(codes(&memory(&tree(1 << 20, 1 << 19).sources(), None)), ["memory"]);
        assert_eq!(codes(&memory(&large.sources(), Some(8 << 30))), ["memory"]);
        assert_eq!(codes(&memory(&large.sources(), Some(17 << 30))), ["memory_promised"]);
        assert_eq!(codes(&memory(&large.sources(), Some((16 << 30) - 1))), ["memory_tight"]);
        assert!(memory(&Tree::new(&[]).sources(), None).is_empty(), "unknown is nothing to tell");
    }

    #[test]
    fn a_32_bit_system_is_told_what_it_can_not() {
        let tree = Tree::new(&[("proc/sys/kernel/arch", "aarch64\n")]);
        assert_eq!(bits(&tree.sources(), "aarch64"), None);
        assert!(bits(&tree.sources(), "arm").unwrap().advice.unwrap().contains("64-bit system"));
        assert!(bits(&Tree::new(&[]).sources(), "arm").unwrap().advice.unwrap().contains("arm/v7"));
    }

    #[test]
    fn randomness_runs_out_on_old_kernels_only() {
        let of =
            |text: &str| entropy(&Tree::new(&[("proc/sys/kernel/random/entropy_avail", text)]).sources());
        assert_eq!(of("256\n"), None);
        assert_eq!(of(""), None);
        assert_eq!(of("12\n").unwrap().code, "entropy_low");
    }

    #[test]
    fn what_a_node_says_has_a_level_here() {
        let tree = Tree::new(&[
            ("proc/sys/kernel/osrelease", "5.4.0"),
            ("sys/devices/platform/soc/soc:firmware/get_throttled", "50005"),
        ]);
        let found = as_a_node(&tree.sources(), tree.path(), &Engine::default());
        let machine: Vec<_> = found.iter().filter(|finding| finding.group == "machine").collect();
        assert_eq!(machine.len(), 2, "{found:?}");
        assert!(found.iter().all(|finding| finding.code != "engine_unavailable"));
        let good = Tree::new(&[("proc/sys/kernel/osrelease", "6.1.0")]);
        let found = as_a_node(&good.sources(), good.path(), &Engine::default());
        assert!(codes(&found).contains(&"kernel".to_owned()), "{found:?}");
    }
}
