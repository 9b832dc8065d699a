//! Parses the command line, starts logging, and runs the command.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use ctrl_alt_play::backups::panel;
use ctrl_alt_play::cli::{self, Cli, Task};
use ctrl_alt_play::config::{Config, is_weak_agent_secret};
use ctrl_alt_play::system::{logging, service, shutdown};
use ctrl_alt_play::{run, run_node};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long running requests and tasks may take to finish at shutdown.
const GRACE: Duration = Duration::from_secs(10);

type Failure = (u8, String);

fn main() -> ExitCode {
    // No other user of this machine may read the files that this process creates.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    match work() {
        Ok(code) => ExitCode::from(code),
        Err((code, message)) if message.is_empty() => ExitCode::from(code),
        Err((code, message)) => {
            // Logging may not have started yet, and this message is for the user at the terminal.
            let _ = writeln!(std::io::stderr(), "ctrl-alt-play: {message}");
            ExitCode::from(code)
        }
    }
}

/// Runs the command. Returns the exit code.
fn work() -> Result<u8, Failure> {
    let cli = Cli::parse();
    let task = match cli.task()? {
        // Needs no runtime: it only handles files and runs system programs.
        Task::Service(args) => return Ok(cli::service(args)),
        // Needs no runtime: it starts its own threads, as few as possible.
        Task::BackupWorker => return Ok(agent::backups::worker::run()),
        task => task,
    };
    let threads = std::thread::available_parallelism().map_or(2, |cores| workers(cores.get()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(32)
        .thread_keep_alive(Duration::from_secs(5))
        .enable_all()
        .build()
        .map_err(|cause| (71, format!("the runtime can't be started: {cause}")))?;
    let result = runtime.block_on(async {
        match task {
            Task::Serve(config) => serve(*config).await.map(|()| 0),
            Task::Agent(config) => node(*config).await.map(|()| 0),
            Task::Password { config, name } => {
                cli::set_password(&config, name).await.map(|()| 0).map_err(|cause| (1, cause.to_string()))
            }
            Task::Database { config, work } => {
                let said = cli::database(&config, work).await?;
                // A closed standard output is not an error.
                let _ = writeln!(std::io::stdout(), "{said}");
                Ok(0)
            }
            Task::Restore { config, work } => {
                let said = cli::restore(&config, work).await?;
                let _ = writeln!(std::io::stdout(), "{said}");
                Ok(0)
            }
            Task::Doctor { config, json } => {
                let (said, code) = cli::doctor(&config, json).await;
                let _ = std::io::stdout().write_all(said.as_bytes());
                Ok(code)
            }
            Task::RemoveFirewallRules => {
                agent::remove_firewall_rules().await.map(|()| 0).map_err(|cause| (1, cause))
            }
            Task::Verify(asked) => cli::verify(&asked).map(|()| 0).map_err(|why| (1, why)),
            Task::Upgrade { config, work } => cli::upgrade(&config, work).await.map(|()| 0),
            Task::Service(args) => Ok(cli::service(args)),
            Task::BackupWorker => Ok(agent::backups::worker::run()),
            Task::Print(text) => {
                let written = std::io::stdout().write_all(text.as_bytes());
                written.map(|()| 0).map_err(|cause| (74, cause.to_string()))
            }
            Task::Healthcheck(config) => {
                cli::healthcheck(&config).await.map(|()| 0).map_err(|cause| (1, format!("not well: {cause}")))
            }
        }
    });
    // A blocking call that hangs must not keep the process alive at shutdown.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Number of worker threads. Requests are small and the heavy work runs elsewhere: two threads are enough for a board
/// with four cores, and each thread less saves a stack and an allocator arena.
fn workers(cores: usize) -> usize {
    (cores / 2).clamp(cores.clamp(1, 2), 4)
}

async fn serve(config: Config) -> Result<(), Failure> {
    logging::start(&config.log_level).map_err(|cause| (78, cause.to_string()))?;
    ctrl_alt_play::raise_file_limit();
    let data_dir = config.data_dir.clone();
    if settle_restore(&data_dir)? {
        // Its settings may be others.
        return Err(start_again());
    }
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let running = tokio::select! {
        running = run(config) => running.map_err(|cause| (cause.exit_code(), cause.to_string()))?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    service::ready(&format!("Serving on {}", running.app.network.ports.panel));
    // The panel runs even if standard output is closed.
    let _ = running.announce(&mut std::io::stdout()).await;
    let end = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        () = running.restart_asked() => Err(again()),
    };
    service::stopping();
    tracing::info!("stopping; game servers go on");
    let end = tokio::select! {
        _ = running.stop(GRACE) => end,
        _ = terminate.recv() => return Err((130, "ended at once by a second signal".to_owned())),
        _ = interrupt.recv() => return Err((130, "ended at once by a second signal".to_owned())),
    };
    // A panel that was restored meanwhile takes the place of this one, in the same process.
    if settle_restore(&data_dir)? { Err(start_again()) } else { end }
}

/// Puts a restored panel in its place, where one was laid aside.
fn settle_restore(data_dir: &Path) -> Result<bool, Failure> {
    panel::restore::settle(data_dir).map_err(|cause| (cause.exit_code(), cause.to_string()))
}

/// Becomes this program anew, with the same arguments. Gives why not.
fn start_again() -> Failure {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let cause = std::process::Command::new("/proc/self/exe").arg0(name).args(arguments).exec();
    (71, format!("the restored panel could not be started: {cause}. Start the program again"))
}

async fn node(config: Config) -> Result<(), Failure> {
    logging::start(&config.log_level).map_err(|cause| (78, cause.to_string()))?;
    if config.agent_secret.as_ref().is_some_and(is_weak_agent_secret) {
        tracing::warn!(
            "AGENT_SECRET is short or well known: whoever guesses it may act as any node of that panel"
        );
    }
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let mut node = run_node(&config).await.map_err(|cause| (cause.exit_code(), cause.to_string()))?;
    tokio::select! {
        proved = node.prove() => proved.map_err(|cause| (cause.exit_code(), cause.to_string()))?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    }
    service::ready(&format!("The node {}", config.node_id));
    let end = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        () = node.restart_asked() => Err(again()),
    };
    service::stopping();
    tracing::info!("stopping; game servers go on");
    node.stop(GRACE).await;
    end
}

fn again() -> Failure {
    (shutdown::RESTART, "ends to be started again".to_owned())
}

fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|cause| (71, format!("signals can't be listened for: {cause}")))
}

#[cfg(test)]
mod tests {
    use super::workers;

    #[test]
    fn few_threads_on_small_machines() {
        let on = [1, 2, 3, 4, 6, 8, 64].map(workers);
        assert_eq!(on, [1, 2, 2, 2, 3, 4, 4]);
    }
}
