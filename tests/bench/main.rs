//! The benchmark: performance of this binary on one machine, with a baseline for each value from the same run, because
//! machines differ. Prints a table and one JSON line.
//!
//! `tests/run bench`, or `cargo bench --bench bench`; `-- machine`, `-- console`, `-- unfinished`, `-- liars`,
//! `-- backups`, `-- click`, `-- config`, `-- files`, `-- page`, `-- sftp` or `-- fleet` takes one part. Needs a Docker engine; makes
//! its own 2 MB image.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is its result")]

mod backups;
mod bulk;
mod click;
mod config_files;
mod console;
mod files;
mod fleet;
mod http;
mod idle;
mod malicious_agents;
mod name;
mod page;
mod panel;
mod report;
mod sftp;
mod unfinished;
mod writes;

use panel::Panel;
use report::Report;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Error> = std::result::Result<T, E>;

fn main() -> std::process::ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(measure())) {
        Ok(report) => {
            report.print();
            if report.sane() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("the benchmark could not be taken: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// With `tests/run --long`: includes measurements that take minutes.
fn thorough() -> bool {
    std::env::var_os("LONG").is_some()
}

/// A background task beside the measurements.
#[allow(clippy::disallowed_methods, reason = "ends with the benchmark")]
fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(work));
}

async fn measure() -> Result<Report> {
    let mut report = Report::default();
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if wanted("machine") {
        machine(&mut report).await?;
    }
    if wanted("unfinished") {
        unfinished::measure(&mut report).await?;
    }
    if only.as_deref() == Some("console") {
        panel::make_image()?;
        let panel = Panel::start().await?;
        console::measure(&panel, &mut report).await?;
        panel.remove_servers().await?;
        panel.stop().await?;
    }
    if wanted("backups") {
        backups::measure(&mut report)?;
    }
    if wanted("click") {
        panel::make_image()?;
        click::to_engine(&mut report).await?;
    }
    if wanted("config") {
        panel::make_image()?;
        config_files::measure(&mut report).await?;
    }
    if wanted("liars") {
        malicious_agents::measure(&mut report).await?;
    }
    if wanted("files") {
        files::measure(&mut report).await?;
    }
    if wanted("page") {
        page::measure(&mut report).await?;
    }
    if wanted("sftp") {
        panel::make_image()?;
        sftp::measure(&mut report).await?;
    }
    if wanted("fleet") {
        fleet::measure(&mut report).await?;
    }
    Ok(report)
}

/// Measurements of a single machine.
async fn machine(report: &mut Report) -> Result<()> {
    panel::make_image()?;
    report.row("binary size", "MB", panel::binary_size()? as f64 / 1e6, 32.0, None);

    let mut panel = Panel::start().await?;
    idle::start_up(&mut panel, report).await?;
    idle::resident(&panel, 0, report).await?;
    writes::per_second(&panel, report).await?;
    http::list(&panel, 5, 0.6, report).await?;
    http::list(&panel, 50, 0.3, report).await?;
    panel.remove_servers().await?;
    console::measure(&panel, report).await?;
    panel.remove_servers().await?;
    idle::ten_running(&mut panel, report).await?;
    panel.remove_servers().await?;
    panel.stop().await?;
    if thorough() {
        name::cost(report).await?;
    }
    Ok(())
}
