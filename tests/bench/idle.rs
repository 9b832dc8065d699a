//! Resource usage of an idle panel.

use std::time::Duration;

use crate::Result;
use crate::panel::Panel;
use crate::report::Report;

/// A number from a file such as `/proc/PID/io`, by its name.
pub(crate) fn field(text: &str, name: &str) -> f64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.trim_start_matches(':').split_whitespace().next()?.parse().ok())
        .unwrap_or(f64::NAN)
}

/// User and system time of a process, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = stat.rsplit_once(')').ok_or("no stat")?.1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}

/// Time from exec to the first answer of `/health`: median of nine starts with a used data folder.
pub(crate) async fn start_up(panel: &mut Panel, report: &mut Report) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..9 {
        times.push(panel.restart().await?);
    }
    times.sort();
    report.row("start to first /health answer", "ms", times[4].as_secs_f64() * 1e3, 100.0, None);
    Ok(())
}

/// How long writes are counted. Contains work that runs once a minute, several times in a thorough run.
fn counted() -> Duration {
    Duration::from_secs(if crate::thorough() { 150 } else { 60 })
}

fn written(panel: &Panel) -> Result<f64> {
    Ok(field(&std::fs::read_to_string(format!("/proc/{}/io", panel.pid()))?, "write_bytes"))
}

/// Resident memory and CPU usage: ten quiet seconds, then twenty measured ones; half of both in a short run.
pub(crate) async fn resident(panel: &Panel, running: usize, report: &mut Report) -> Result<()> {
    let (quiet, counted) = if crate::thorough() { (10, 20) } else { (5, 10) };
    tokio::time::sleep(Duration::from_secs(quiet)).await;
    let before = cpu_seconds(panel.pid())?;
    tokio::time::sleep(Duration::from_secs(counted)).await;
    let cpu = (cpu_seconds(panel.pid())? - before) / counted as f64 * 100.0;
    let map = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", panel.pid()))?;
    let resident = field(&map, "Rss") / 1e3;
    let anonymous = field(&map, "Anonymous") / 1e3;
    report.row(
        format!("resident, {running} running servers"),
        "MB",
        resident,
        20.0,
        Some((anonymous, "MB of it anonymous")),
    );
    report.row(format!("idle processor, {running} running servers"), "% core", cpu, 0.5, None);
    Ok(())
}

/// Bytes written to disk by an idle panel, extrapolated to an hour.
pub(crate) async fn writes(panel: &Panel, running: usize, report: &mut Report) -> Result<()> {
    let before = written(panel)?;
    tokio::time::sleep(counted()).await;
    let bytes = written(panel)? - before;
    let an_hour = bytes * 3600.0 / counted().as_secs_f64() / 1e6;
    report.row(
        format!("written to disk, {running} running servers"),
        "MB/h",
        an_hour,
        1.0,
        Some((bytes / 1e3, "kB counted")),
    );
    Ok(())
}

/// The same with ten running containers and no viewer.
pub(crate) async fn ten_running(panel: &mut Panel, report: &mut Report) -> Result<()> {
    for n in 0..10 {
        let id = panel.server(&format!("idle {n}"), "while true; do echo tick; sleep 5; done").await?;
        panel.run(&id).await?;
    }
    panel.restart().await?;
    resident(panel, 10, report).await?;
    writes(panel, 10, report).await
}
