//! Resource usage of a container: read from the kernel if the engine is on this machine (a few small reads), else
//! requested from the engine (which costs it milliseconds).

use std::sync::OnceLock;
use std::time::Instant;

use bollard::models::ContainerStatsResponse;

use crate::stats::Counters;

/// Nanoseconds on the monotonic clock.
fn now_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn number(path: &str) -> Option<u64> {
    read(path)?.trim().parse().ok()
}

/// The value of a line `NAME VALUE`.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Reads the control groups and the network namespace of the container's main process. `None` if any of that cannot be
/// read, or if this process is not (or no longer) part of the container.
pub(super) fn from_kernel(container: &str, pid: u32) -> Option<Counters> {
    let groups = read(&format!("/proc/{pid}/cgroup"))?;
    let path = |controller: &str| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            let ours = controllers.split(',').any(|name| name == controller);
            (ours && path.contains(container)).then_some(path)
        })
    };
    let at_ns = now_ns();
    let (cpu_ns, memory, inactive_file) = if let (Some(cpu), Some(memory)) = (path("cpuacct"), path("memory"))
    {
        let cpu_ns = ["cpu,cpuacct", "cpuacct"]
            .iter()
            .find_map(|mount| number(&format!("/sys/fs/cgroup/{mount}{cpu}/cpuacct.usage")))?;
        let dir = format!("/sys/fs/cgroup/memory{memory}");
        let stat = read(&format!("{dir}/memory.stat"))?;
        (
            cpu_ns,
            number(&format!("{dir}/memory.usage_in_bytes"))?,
            field(&stat, "total_inactive_file").unwrap_or(0),
        )
    } else {
        let dir = format!("/sys/fs/cgroup{}", path("")?);
        let cpu = field(&read(&format!("{dir}/cpu.stat"))?, "usage_usec")?;
        let stat = read(&format!("{dir}/memory.stat"))?;
        (cpu * 1_000, number(&format!("{dir}/memory.current"))?, field(&stat, "inactive_file").unwrap_or(0))
    };
    let (received, sent) = network(&read(&format!("/proc/{pid}/net/dev"))?);
    Some(Counters { cpu_ns, at_ns, memory, inactive_file, received, sent })
}

/// Received and sent bytes over all interfaces but the loopback.
fn network(dev: &str) -> (u64, u64) {
    let lines = dev.lines().skip(2).filter_map(|line| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect();
        (name.trim() != "lo").then_some((*numbers.first()?, *numbers.get(8)?))
    });
    lines.fold((0, 0), |sum, (received, sent)| (sum.0 + received, sum.1 + sent))
}

/// Usage from the engine's report; `None` if the container is not running.
pub(super) fn from_engine(report: ContainerStatsResponse) -> Option<Counters> {
    let cpu_ns = report.cpu_stats?.cpu_usage?.total_usage?;
    let memory = report.memory_stats?;
    let stats = memory.stats.unwrap_or_default();
    let inactive = stats.get("total_inactive_file").or_else(|| stats.get("inactive_file"));
    let networks = report.networks.unwrap_or_default();
    Some(Counters {
        cpu_ns,
        at_ns: now_ns(),
        memory: memory.usage?,
        inactive_file: inactive.copied().unwrap_or(0),
        received: networks.values().filter_map(|network| network.rx_bytes).sum(),
        sent: networks.values().filter_map(|network| network.tx_bytes).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_bytes_without_the_loopback() {
        let dev = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n\
                   eth0: 100 2 0 0 0 0 0 0 40 1 0 0 0 0 0 0\n  eth1:7 2 0 0 0 0 0 0 3 1 0 0 0 0 0 0\n";
        assert_eq!(network(dev), (107, 43));
        assert_eq!(network(""), (0, 0));
    }

    #[test]
    fn a_process_of_another_container_counts_for_nothing() {
        assert_eq!(from_kernel("0123456789abcdef", std::process::id()), None);
    }

    #[test]
    fn fields() {
        assert_eq!(field("inactive_file 5\ntotal_inactive_file 7\n", "total_inactive_file"), Some(7));
        assert_eq!(field("usage_usec 12\nuser_usec 3\n", "usage_usec"), Some(12));
        assert_eq!(field("usage 1", "usage_usec"), None);
    }
}
