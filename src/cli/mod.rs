//! The command line.

mod doctor;
mod manager;
mod service;
mod settings;
mod upgrade;
mod verify;

use std::io::{self, BufRead, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};

use storage::OpenError;
use storage::db_backups::{self, Copied, CopyError};

use crate::config::{Config, ConfigError};
use crate::start::control_socket::{self, ControlError, ControlRequest};
use crate::system::service::{files, probe, reached};

pub use doctor::doctor;
pub use upgrade::{UpgradeWork, upgrade};
pub use verify::verify;

use service::Service;
use settings::{Closed, Settings};

/// InstallMethod long a panel that starts or stops may hold its folder and answer nobody.
const COMES_OR_GOES: Duration = Duration::from_secs(10);
/// The exit code of a folder that another process has.
const IN_USE: u8 = 75;

/// A game-server panel that brings its own node.
#[derive(Parser)]
#[command(name = "ctrl-alt-play", version, about, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Settings: a flag goes before the environment, that before DATA_DIR/config.toml. user, db, upgrade, doctor and \
                  healthcheck take those of this machine's service, where neither flag nor environment says \
                  otherwise."
)]
pub struct Cli {
    /// What to do; `serve` when left out.
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the panel and the local node (the default).
    Serve(Settings),
    /// Runs this machine as a node of a panel elsewhere (PANEL_URL, NODE_ID, AGENT_SECRET).
    Agent(Settings),
    /// Changes accounts of the panel that runs on this machine.
    User(UserArgs),
    /// Copies, checks or puts back the panel's database.
    Db(DbArgs),
    /// Gets the newest published version of this program, checked, and restarts its service with it.
    Upgrade(UpgradeArgs),
    /// Looks for what is wrong with the panel and its machine, and says what to do.
    Doctor(DoctorArgs),
    /// Asks the panel that runs on this machine whether it is well; for container health checks.
    Healthcheck(Settings),
    /// Prints a file of the service: what installs it puts it in place.
    #[command(hide = true)]
    ServiceFile(ServiceFileArgs),
    /// Removes the firewall rules that keep games from this machine and its network; for who removes the program.
    #[command(hide = true)]
    RemoveFirewallRules,
    /// Says by its exit code whether a file is the program of a newer release: the guard asks before it swaps programs.
    #[command(hide = true)]
    VerifyProgram(VerifyArgs),
}

#[derive(Args)]
struct ServiceFileArgs {
    /// Which file.
    kind: files::Kind,
    /// Of an agent of a panel elsewhere.
    #[arg(long)]
    agent: bool,
    /// What the program lies below.
    #[arg(long, value_name = "FOLDER", default_value = files::PREFIX)]
    prefix: PathBuf,
}

/// What is to be verified.
#[derive(Args)]
pub struct VerifyArgs {
    /// The program.
    program: PathBuf,
    /// `SHA256SUMS` of its release.
    #[arg(long)]
    sums: PathBuf,
    /// The signature of that list.
    #[arg(long)]
    signature: PathBuf,
    /// Which version it has to be.
    #[arg(long)]
    version: String,
}

#[derive(Args)]
struct UpgradeArgs {
    /// Only says whether there is something newer: exit code 10 where there is, 0 where there is not.
    #[arg(long)]
    check: bool,
    /// Asks nothing.
    #[arg(long, short)]
    yes: bool,
    /// The agent's service on this machine, not the panel's.
    #[arg(long)]
    agent: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
struct DoctorArgs {
    /// For programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
struct DbArgs {
    #[command(subcommand)]
    command: DbCommand,
}

#[derive(Subcommand)]
enum DbCommand {
    /// Makes a consistent copy, also while the panel runs.
    Backup {
        /// Where to.
        file: PathBuf,
        #[command(flatten)]
        settings: Settings,
    },
    /// Puts a copy in the database's place, which is kept beside it. The panel has to be stopped.
    Restore {
        /// The copy.
        file: PathBuf,
        #[command(flatten)]
        settings: Settings,
    },
    /// Checks every byte of the database, or of a copy of it.
    Check {
        /// The copy; the panel's own database when left out.
        file: Option<PathBuf>,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Args)]
struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Subcommand)]
enum UserCommand {
    /// Sets a new password, asked for or read from standard input, and ends the account's sessions.
    Password {
        /// The account's name.
        name: String,
        #[command(flatten)]
        settings: Settings,
    },
}

/// What was asked for, with its settings.
pub enum Task {
    /// Run the panel.
    Serve(Box<Config>),
    /// Run a node of a panel elsewhere.
    Agent(Box<Config>),
    /// Set a password.
    Password {
        /// The settings.
        config: Box<Config>,
        /// Whose.
        name: String,
    },
    /// Copy, check or put back the database.
    Database {
        /// The settings.
        config: Box<Config>,
        /// What to do.
        work: DatabaseWork,
    },
    /// Get a newer version.
    Upgrade {
        /// The settings.
        config: Box<Config>,
        /// What to do.
        work: UpgradeWork,
    },
    /// A check-up.
    Doctor {
        /// The settings.
        config: Box<Config>,
        /// For programs.
        json: bool,
    },
    /// ControlRequest for health.
    Healthcheck(Box<Config>),
    /// Print this.
    Print(String),
    /// Remove the firewall rules for games.
    RemoveFirewallRules,
    /// Verify a program.
    Verify(VerifyArgs),
}

/// What is done to the database.
pub enum DatabaseWork {
    /// A copy to this file.
    Backup(PathBuf),
    /// This file in its place.
    Restore(PathBuf),
    /// A check of this file, or of the database itself.
    Check(Option<PathBuf>),
}

impl Cli {
    /// Reads the settings of the command.
    ///
    /// # Errors
    /// Exit code, and for a person why.
    pub fn task(self) -> Result<Task, (u8, String)> {
        let unusable = match self.command {
            Some(Command::Doctor(_)) => doctor::COULD_NOT_RUN,
            _ => 78,
        };
        self.read().map_err(|error| match error {
            ConfigError::Closed { .. } => (77, error.to_string()),
            _ => (unusable, error.to_string()),
        })
    }

    fn read(self) -> Result<Task, ConfigError> {
        match self.command {
            None => self.settings.load(false).map(Task::Serve),
            Some(Command::Serve(settings)) => settings.load(false).map(Task::Serve),
            Some(Command::Agent(settings)) => settings.load(true).map(Task::Agent),
            Some(Command::Healthcheck(settings)) => {
                settings.load_of(Service::of_panel(), Closed::IsFine).map(Task::Healthcheck)
            }
            Some(Command::ServiceFile(ServiceFileArgs { kind, agent, prefix })) => {
                Ok(Task::Print(files::text(kind, agent, &prefix)))
            }
            Some(Command::RemoveFirewallRules) => Ok(Task::RemoveFirewallRules),
            Some(Command::VerifyProgram(asked)) => Ok(Task::Verify(asked)),
            Some(Command::Doctor(DoctorArgs { json, settings })) => {
                let config = settings.load_of(Service::of_panel(), Closed::IsFine)?;
                Ok(Task::Doctor { config, json })
            }
            Some(Command::Db(DbArgs { command })) => {
                let (settings, work) = match command {
                    DbCommand::Backup { file, settings } => (settings, DatabaseWork::Backup(file)),
                    DbCommand::Restore { file, settings } => (settings, DatabaseWork::Restore(file)),
                    DbCommand::Check { file, settings } => (settings, DatabaseWork::Check(file)),
                };
                let closed = match work {
                    DatabaseWork::Check(Some(_)) => Closed::IsFine,
                    _ => Closed::IsNot,
                };
                let config = settings.load_of(Service::of_panel(), closed)?;
                Ok(Task::Database { config, work })
            }
            Some(Command::Upgrade(UpgradeArgs { check, yes, agent, settings })) => {
                let (agent, service) = manager::find(agent);
                let (config, service) = settings.load_for_upgrade(agent, service)?;
                Ok(Task::Upgrade { config, work: UpgradeWork { check, yes, agent, service } })
            }
            Some(Command::User(UserArgs { command: UserCommand::Password { name, settings } })) => {
                let config = settings.load_of(Service::of_panel(), Closed::IsNot)?;
                Ok(Task::Password { config, name })
            }
        }
    }
}

/// `user password NAME`.
pub async fn set_password(
    config: &Config,
    name: String,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let username = name.clone();
    let password = tokio::task::spawn_blocking(move || read_password(&username)).await??;
    control_socket::ask(&config.data_dir, &ControlRequest::SetPassword { username: name, password }).await?;
    Ok(())
}

/// `db backup`, `db restore`, `db check`: says what was done, or the exit code and why not.
pub async fn database(config: &Config, work: DatabaseWork) -> Result<String, (u8, String)> {
    let folder = config.data_dir.clone();
    let absolute = |file: PathBuf| std::path::absolute(file).map_err(|cause| (74, cause.to_string()));
    match work {
        DatabaseWork::Backup(file) => {
            let to = absolute(file)?;
            let (data_dir, target) = (folder.clone(), to.clone());
            tokio::task::spawn_blocking(move || db_backups::check_target(&data_dir, &target))
                .await
                .map_err(|cause| (70, cause.to_string()))?
                .map_err(|error| not_copied(&error))?;
            let copied = backup(&folder, &to).await?;
            Ok(format!("Copied to {} ({} bytes, checked).", to.display(), copied.bytes))
        }
        DatabaseWork::Restore(file) => {
            let from = absolute(file)?;
            let named = from.display().to_string();
            let kept = blocking(move || db_backups::restore(&folder, &from)).await?;
            let kept = kept.map(|path| format!(" What was there is kept as {}.", path.display()));
            Ok(format!("{named} is the database now; start the panel.{}", kept.unwrap_or_default()))
        }
        DatabaseWork::Check(Some(file)) => {
            let file = absolute(file)?;
            let named = file.display().to_string();
            let found = blocking(move || db_backups::check_file(&file)).await?;
            Ok(format!("{named} is whole: schema {}, {} bytes.", found.schema, found.bytes))
        }
        // Not the file itself, which may be in use: a copy of it, which is checked as it is made.
        DatabaseWork::Check(None) => {
            let to = folder.join("check.redb");
            let found = backup(&folder, &to).await?;
            std::fs::remove_file(&to).map_err(|cause| (74, cause.to_string()))?;
            Ok(format!("The database is whole: schema {}, {} bytes.", found.schema, found.bytes))
        }
    }
}

/// By the panel where one runs, else by ourselves.
async fn backup(folder: &Path, to: &Path) -> Result<Copied, (u8, String)> {
    let deadline = Instant::now() + COMES_OR_GOES;
    loop {
        match backup_now(folder, to).await {
            // It has its folder, and answers nobody yet, or nobody any more.
            Err((IN_USE, _)) if Instant::now() < deadline => tokio::time::sleep(COMES_OR_GOES / 50).await,
            other => return other,
        }
    }
}

async fn backup_now(folder: &Path, to: &Path) -> Result<Copied, (u8, String)> {
    // The panel writes into its own folder: as a service it sees another /tmp than we do, and no home.
    let aside = folder.join("copy-by-hand.redb");
    let (folder, to) = (folder.to_owned(), to.to_owned());
    let copied = match control_socket::ask(&folder, &ControlRequest::CopyDatabase { to: aside.clone() }).await
    {
        Ok(()) => tokio::task::spawn_blocking(move || db_backups::bring(&aside, &to)).await,
        Err(ControlError::NotRunning { .. }) => {
            tokio::task::spawn_blocking(move || db_backups::copy_of_closed(&folder, &to)).await
        }
        Err(error) => return Err((74, error.to_string())),
    };
    copied.map_err(|cause| (70, cause.to_string()))?.map_err(|error| not_copied(&error))
}

fn not_copied(error: &CopyError) -> (u8, String) {
    match error {
        CopyError::Open(cause) => (cause.exit_code(), cause.to_string()),
        CopyError::Inside { .. } => (64, error.to_string()),
        CopyError::Database(cause) => (74, cause.to_string()),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, (u8, String)> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| (70, cause.to_string()))?
        .map_err(|error| (error.exit_code(), error.to_string()))
}

fn read_password(name: &str) -> io::Result<String> {
    let input = io::stdin();
    if !input.is_terminal() {
        return read_line(&mut input.lock());
    }
    let first = prompt(&format!("New password for {name}: "))?;
    let second = prompt("Once more: ")?;
    if first != second {
        return Err(io::Error::other("the two were not the same"));
    }
    Ok(first)
}

fn read_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks on the terminal without showing what is typed.
fn prompt(question: &str) -> io::Result<String> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let input = io::stdin();
    let shown = tcgetattr(&input)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    let mut output = io::stderr();
    output.write_all(question.as_bytes())?;
    output.flush()?;
    tcsetattr(&input, OptionalActions::Flush, &hidden)?;
    let line = read_line(&mut input.lock());
    tcsetattr(&input, OptionalActions::Flush, &shown)?;
    output.write_all(b"\n")?;
    line
}

/// `healthcheck`: fine when the panel's port answers `/health` with 200.
pub async fn healthcheck(config: &Config) -> io::Result<()> {
    let port = reached(SocketAddr::new(config.bind, config.port));
    if probe(port).await?.starts_with(b"HTTP/1.1 200") {
        return Ok(());
    }
    Err(io::Error::other("the answer was not 200"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["ctrl-alt-play", "--port", "1"]).is_ok());
        assert!(
            Cli::try_parse_from(["ctrl-alt-play", "serve", "--websocket-port", "1", "--data-dir", "/x"])
                .is_ok()
        );
        assert!(Cli::try_parse_from(["ctrl-alt-play", "user", "password", "ann"]).is_ok());
        assert!(Cli::try_parse_from(["ctrl-alt-play", "dance"]).is_err());
    }
}
