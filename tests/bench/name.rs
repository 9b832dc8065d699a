//! Cost of the mDNS name: the same panel with and without it, in a separate network.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::Result;
use crate::idle::{cpu_seconds, field};
use crate::report::Report;

/// A network namespace. Removed when dropped.
struct Network(String);

impl Network {
    fn new() -> Result<Self> {
        let name = format!("cap-bench-{}", std::process::id());
        let inside = |words: &str| format!("-n {name} {words}");
        let this = Self(name.clone());
        for words in [
            format!("netns add {name}"),
            inside("link set lo up"),
            inside("link add lan0 type veth peer name lan1"),
            inside("addr add 10.215.0.1/24 dev lan0"),
            inside("link set lan0 up"),
            inside("link set lan1 up"),
        ] {
            if !Command::new("ip").args(words.split(' ')).status()?.success() {
                return Err(format!("ip {words}").into());
            }
        }
        Ok(this)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// Resident memory in MB, wake-ups per minute and CPU usage in percent of an idle panel.
async fn quiet(network: &Network, mdns: &str) -> Result<(f64, f64, f64)> {
    let folder = tempfile::tempdir()?;
    let mut child = tokio::process::Command::new("ip")
        .args(["netns", "exec", &network.0, &crate::panel::binary(), "serve"])
        .env("DATA_DIR", folder.path())
        .env("BIND", "0.0.0.0")
        .env("MDNS", mdns)
        .env("HEALTH_PORT", "off")
        .env("LOG_LEVEL", "warn")
        .env("MALLOC_ARENA_MAX", "1")
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
    let mut said = String::new();
    while !said.contains("Make the first account") {
        said += &lines.next_line().await?.ok_or("the panel ended")?;
    }
    if said.contains("in your network as") != (mdns == "on") {
        return Err(format!("MDNS={mdns}, and the panel says: {said}").into());
    }
    // `ip` executes the panel without a fork, so this is the panel's process id.
    let pid = child.id().ok_or("it ended")?;
    // Skips the initial probes and announcements.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let (before, cpu) = (wakeups(pid)?, cpu_seconds(pid)?);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let after = wakeups(pid)?;
    // The count of a thread that has ended is lost.
    let woken: f64 = after.iter().map(|(task, count)| count - before.get(task).unwrap_or(&0.0)).sum();
    let woken = woken * 3.0;
    let cpu = (cpu_seconds(pid)? - cpu) / 20.0 * 100.0;
    let resident = field(&std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?, "Rss") / 1e3;
    Command::new("kill").arg(pid.to_string()).status()?;
    tokio::time::timeout(Duration::from_secs(20), child.wait()).await??;
    Ok((resident, woken, cpu))
}

/// Wake-ups by thread.
fn wakeups(pid: u32) -> Result<BTreeMap<String, f64>> {
    let mut all = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = task?.path();
        let status = std::fs::read_to_string(path.join("status")).unwrap_or_default();
        let switches = field(&status, "voluntary_ctxt_switches");
        if switches.is_finite() {
            all.insert(path.display().to_string(), switches);
        }
    }
    Ok(all)
}

/// Measures both, if a network namespace can be created.
pub(crate) async fn cost(report: &mut Report) -> Result<()> {
    let network = match Network::new() {
        Ok(network) => network,
        Err(cause) => {
            println!("the cost of the name was not measured, which takes root and iproute2: {cause}");
            return Ok(());
        }
    };
    let (plain, plain_woken, _) = quiet(&network, "off").await?;
    let (resident, woken, cpu) = quiet(&network, "on").await?;
    report.row("resident, found by name", "MB", resident, 20.0, Some((plain, "MB with MDNS=off")));
    report.row("wake-ups, found by name", "1/min", woken, 120.0, Some((plain_woken, "1/min with MDNS=off")));
    report.row("idle processor, found by name", "% core", cpu, 0.5, None);
    Ok(())
}
