//! The benchmark: what one machine gets from this binary, each figure beside a baseline taken in the same run,
//! because machines are noisy. Prints a table and one JSON line.
//!
//! `tests/run bench`, or `cargo bench --bench bench`. Needs a Docker engine; makes its own 2 MB image.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is its result")]

mod console;
mod http;
mod idle;
mod panel;
mod report;
mod writes;

use panel::Panel;
use report::Report;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

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

async fn measure() -> Result<Report> {
    let mut report = Report::default();
    panel::make_image()?;
    report.row("binary size", "MB", panel::binary_size()? as f64 / 1e6, 25.0, None);

    let mut panel = Panel::start().await?;
    idle::start_up(&mut panel, &mut report).await?;
    idle::resident(&panel, 0, &mut report).await?;
    writes::per_second(&panel, &mut report).await?;
    http::list(&panel, 5, &mut report).await?;
    http::list(&panel, 50, &mut report).await?;
    panel.remove_servers().await?;
    console::lines(&panel, &mut report).await?;
    panel.remove_servers().await?;
    idle::ten_running(&mut panel, &mut report).await?;
    panel.remove_servers().await?;
    panel.stop().await?;
    Ok(report)
}
