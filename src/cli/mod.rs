//! The command line.

mod database;
mod doctor;
mod health;
mod input;
mod restore;
mod service;
mod settings;
mod upgrade;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::start::control_socket::{self, ControlRequest};
use crate::system::service::{Service, files};

pub use database::{DatabaseWork, database};
pub use doctor::doctor;
pub use health::healthcheck;
pub use restore::{RestoreWork, restore};
pub use service::{ServiceArgs, service};
pub use upgrade::{UpgradeWork, upgrade};
pub use verify::verify;

use input::read_password;
use settings::{Closed, Settings};

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
    /// Makes this machine the panel of a panel backup, with its servers.
    Restore(RestoreArgs),
    /// Gets the newest published version of this program, checked, and restarts its service with it.
    Upgrade(UpgradeArgs),
    /// Looks for what is wrong with the panel and its machine, and says what to do.
    Doctor(DoctorArgs),
    /// Asks the panel that runs on this machine whether it is well; for container health checks.
    Healthcheck(Settings),
    /// Installs this program as a service of this machine, or removes it.
    Service(ServiceArgs),
    /// Prints a file of the service.
    #[command(hide = true)]
    ServiceFile(ServiceFileArgs),
    /// Removes the firewall rules that keep games from this machine and its network; for who removes the program.
    #[command(hide = true)]
    RemoveFirewallRules,
    /// Works in a backup repository, as standard input says; the agent starts it.
    #[command(hide = true)]
    BackupWorker,
    /// Says by its exit code whether a file is the program of a newer release: the guard asks before it swaps programs.
    #[command(hide = true)]
    VerifyProgram(VerifyArgs),
}

#[derive(Args)]
struct ServiceFileArgs {
    /// The service's file to print.
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
struct RestoreArgs {
    #[command(flatten)]
    work: RestoreWork,
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
        /// The file to write the copy to.
        file: PathBuf,
        #[command(flatten)]
        settings: Settings,
    },
    /// Puts a copy in the database's place, which is kept beside it. The panel has to be stopped.
    Restore {
        /// The copy to put back.
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

/// A command with its settings.
pub enum Task {
    /// Run the panel.
    Serve(Box<Config>),
    /// Run a node of a panel elsewhere.
    Agent(Box<Config>),
    /// Set a password.
    Password {
        /// The settings.
        config: Box<Config>,
        /// The user's name.
        name: String,
    },
    /// Copy, check or restore the database.
    Database {
        /// The settings.
        config: Box<Config>,
        /// What to do.
        work: DatabaseWork,
    },
    /// Restore a panel from its backup.
    Restore {
        /// The settings.
        config: Box<Config>,
        /// What to restore.
        work: RestoreWork,
    },
    /// Upgrade to a newer version.
    Upgrade {
        /// The settings.
        config: Box<Config>,
        /// Options of the upgrade.
        work: UpgradeWork,
    },
    /// Run the doctor.
    Doctor {
        /// The settings.
        config: Box<Config>,
        /// Print JSON.
        json: bool,
    },
    /// Check the panel's health.
    Healthcheck(Box<Config>),
    /// Install or remove the service.
    Service(ServiceArgs),
    /// Print this text.
    Print(String),
    /// Remove the firewall rules for games.
    RemoveFirewallRules,
    /// Work in a backup repository.
    BackupWorker,
    /// Verify a program.
    Verify(VerifyArgs),
}

impl Cli {
    /// Loads the settings that the command needs.
    ///
    /// # Errors
    /// Exit code and message.
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
            Some(Command::Service(args)) => Ok(Task::Service(args)),
            Some(Command::ServiceFile(ServiceFileArgs { kind, agent, prefix })) => {
                Ok(Task::Print(files::text(kind, agent, &prefix)))
            }
            Some(Command::RemoveFirewallRules) => Ok(Task::RemoveFirewallRules),
            Some(Command::BackupWorker) => Ok(Task::BackupWorker),
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
            Some(Command::Restore(RestoreArgs { work, settings })) => {
                let config = settings.load_of(Service::of_panel(), Closed::IsNot)?;
                Ok(Task::Restore { config, work })
            }
            Some(Command::Upgrade(UpgradeArgs { check, yes, agent, settings })) => {
                let (agent, service) = Service::meant(agent);
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
