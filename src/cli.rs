//! The command line.

mod doctor;
mod manager;
mod upgrade;

use std::io::{self, BufRead, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use storage::OpenError;
use storage::copies::{self, Copied, CopyError};

use crate::admin::{self, Ask, AskError};
use crate::config::{Config, ConfigError, Flags};
use crate::service::{self, files};

pub use doctor::doctor;
pub use upgrade::{UpgradeWork, upgrade};

/// A game-server panel that brings its own node.
#[derive(Parser)]
#[command(name = "ctrl-alt-play", version, about, args_conflicts_with_subcommands = true)]
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

/// The same names stand in the environment (in capitals) and in the settings file (with underscores). Without `Debug`:
/// there are secrets among them.
#[derive(Clone, Default, Args)]
struct Settings {
    /// Settings file instead of DATA_DIR/config.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on [default: 0.0.0.0].
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<String>,
    /// Port of the page and the API [default: 3000].
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Port for agents [default: 8080].
    #[arg(long, value_name = "PORT", alias = "agent-port")]
    websocket_port: Option<String>,
    /// Port of the local node's health, or off [default: 8081].
    #[arg(long, value_name = "PORT")]
    health_port: Option<String>,
    /// Folder for everything that is kept.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Signs session tokens; made at the first start when not given. Others on the machine see flags: prefer the
    /// environment.
    #[arg(long, value_name = "SECRET", hide = true)]
    jwt_secret: Option<String>,
    /// Lets every agent in that knows it. Others on the machine see flags: prefer the environment.
    #[arg(long, value_name = "SECRET", hide = true)]
    agent_secret: Option<String>,
    /// A file that holds that secret.
    #[arg(long, value_name = "FILE")]
    agent_secret_file: Option<String>,
    /// Certificate to serve instead of the panel's own, a PEM file.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// The key of that certificate, a PEM file.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// MiB a second that one move of a server takes of the network at most [default: no limit].
    #[arg(long, value_name = "MIB")]
    move_limit: Option<String>,
    /// on or off: whether the panel is found in the local network as HOST.local [default: on].
    #[arg(long, value_name = "on|off")]
    mdns: Option<String>,
    /// Address under which the panel is reached from outside, such as `https://panel.example.org`.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// An agent's panel [default: ws://localhost:8080].
    #[arg(long, value_name = "URL")]
    panel_url: Option<String>,
    /// An agent's node id [default: node-1].
    #[arg(long, value_name = "ID")]
    node_id: Option<String>,
    /// SHA-256 of the key by which an agent knows its panel, as sha256//BASE64=; more than one with commas between.
    #[arg(long, value_name = "PIN")]
    panel_pin: Option<String>,
    /// The engine's address [default: unix:///var/run/docker.sock].
    #[arg(long, value_name = "URL")]
    docker_host: Option<String>,
    /// What to log: error, warn, info, debug or a filter [default: info].
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
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
    /// Ask for health.
    Healthcheck(Box<Config>),
    /// Print this.
    Print(String),
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
    /// The exit code where the settings of the command can't be used.
    pub fn settings_exit_code(&self) -> u8 {
        match self.command {
            Some(Command::Doctor(_)) => doctor::COULD_NOT_RUN,
            _ => 78,
        }
    }

    /// Reads the settings of the command.
    pub fn task(self) -> Result<Task, ConfigError> {
        match self.command {
            None => self.settings.load(false).map(Task::Serve),
            Some(Command::Serve(settings)) => settings.load(false).map(Task::Serve),
            Some(Command::Agent(settings)) => settings.load(true).map(Task::Agent),
            Some(Command::Healthcheck(settings)) => settings.load(false).map(Task::Healthcheck),
            Some(Command::ServiceFile(ServiceFileArgs { kind, agent, prefix })) => {
                Ok(Task::Print(files::text(kind, agent, &prefix)))
            }
            Some(Command::Doctor(DoctorArgs { json, settings })) => {
                settings.load_of_service().map(|config| Task::Doctor { config, json })
            }
            Some(Command::Db(DbArgs { command })) => {
                let (settings, work) = match command {
                    DbCommand::Backup { file, settings } => (settings, DatabaseWork::Backup(file)),
                    DbCommand::Restore { file, settings } => (settings, DatabaseWork::Restore(file)),
                    DbCommand::Check { file, settings } => (settings, DatabaseWork::Check(file)),
                };
                settings.load(false).map(|config| Task::Database { config, work })
            }
            Some(Command::Upgrade(UpgradeArgs { check, yes, agent, settings })) => {
                let (agent, service) = manager::find(agent);
                let own_folder = (agent && rustix::process::geteuid().is_root())
                    .then(|| "/var/lib/ctrl-alt-play-agent".to_owned());
                // As its process has them: who types this has none of the service's environment.
                let variable = |name: &str| {
                    std::env::var(name)
                        .ok()
                        .or_else(|| service.as_ref().and_then(|service| service.variable(name)))
                        .or_else(|| own_folder.clone().filter(|_| name == "DATA_DIR"))
                };
                let config = settings.load_with(agent, &variable)?;
                Ok(Task::Upgrade { config, work: UpgradeWork { check, yes, agent, service } })
            }
            Some(Command::User(UserArgs { command: UserCommand::Password { name, settings } })) => {
                settings.load(false).map(|config| Task::Password { config, name })
            }
        }
    }
}

impl Settings {
    fn load(self, of_agent: bool) -> Result<Box<Config>, ConfigError> {
        self.load_with(of_agent, &|name| std::env::var(name).ok())
    }

    /// As the service on this machine has them, where the caller says nothing else.
    fn load_of_service(self) -> Result<Box<Config>, ConfigError> {
        let named = self.data_dir.is_some() || std::env::var_os("DATA_DIR").is_some();
        let service = if named { doctor::Service::default() } else { doctor::Service::found() };
        let variable = |name: &str| std::env::var(name).ok().or_else(|| service.variable(name));
        match self.clone().load_with(false, &variable) {
            // The file is the panel's, and closed to us: what stands in it is not known.
            Err(ConfigError::Unreadable { .. }) if self.config.is_none() => {
                Self { config: Some("/dev/null".into()), ..self }.load_with(false, &variable)
            }
            loaded => loaded,
        }
    }

    fn load_with(
        self,
        of_agent: bool,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Box<Config>, ConfigError> {
        let given = [
            ("bind", self.bind),
            ("port", self.port),
            ("websocket_port", self.websocket_port),
            ("health_port", self.health_port),
            ("data_dir", self.data_dir),
            ("jwt_secret", self.jwt_secret),
            ("agent_secret", self.agent_secret),
            ("agent_secret_file", self.agent_secret_file),
            ("tls_cert", self.tls_cert),
            ("tls_key", self.tls_key),
            ("move_limit", self.move_limit),
            ("mdns", self.mdns),
            ("public_url", self.public_url),
            ("panel_url", self.panel_url),
            ("node_id", self.node_id),
            ("panel_pin", self.panel_pin),
            ("docker_host", self.docker_host),
            ("log_level", self.log_level),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Config::load(Flags { config: self.config, given, of_agent }, variable).map(Box::new)
    }
}

/// `user password NAME`.
pub async fn set_password(
    config: &Config,
    name: String,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let username = name.clone();
    let password = tokio::task::spawn_blocking(move || read_password(&username)).await??;
    admin::ask(&config.data_dir, &Ask::SetPassword { username: name, password }).await?;
    Ok(())
}

/// `db backup`, `db restore`, `db check`: says what was done, or the exit code and why not.
pub async fn database(config: &Config, work: DatabaseWork) -> Result<String, (u8, String)> {
    let folder = config.data_dir.clone();
    let absolute = |file: PathBuf| std::path::absolute(file).map_err(|cause| (74, cause.to_string()));
    match work {
        DatabaseWork::Backup(file) => {
            let to = absolute(file)?;
            let copied = backup(&folder, &to).await?;
            Ok(format!("Copied to {} ({} bytes, checked).", to.display(), copied.bytes))
        }
        DatabaseWork::Restore(file) => {
            let from = absolute(file)?;
            let named = from.display().to_string();
            let kept = blocking(move || copies::restore(&folder, &from)).await?;
            let kept = kept.map(|path| format!(" What was there is kept as {}.", path.display()));
            Ok(format!("{named} is the database now; start the panel.{}", kept.unwrap_or_default()))
        }
        DatabaseWork::Check(Some(file)) => {
            let file = absolute(file)?;
            let named = file.display().to_string();
            let found = blocking(move || copies::check_file(&file)).await?;
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
    // The panel writes into its own folder: as a service it sees another /tmp than we do, and no home.
    let aside = folder.join("copy-by-hand.redb");
    let (folder, to) = (folder.to_owned(), to.to_owned());
    let copied = match admin::ask(&folder, &Ask::CopyDatabase { to: aside.clone() }).await {
        Ok(()) => tokio::task::spawn_blocking(move || copies::bring(&aside, &to)).await,
        Err(AskError::NotRunning { .. }) => {
            tokio::task::spawn_blocking(move || copies::copy_of_closed(&folder, &to)).await
        }
        Err(error) => return Err((74, error.to_string())),
    };
    copied.map_err(|cause| (70, cause.to_string()))?.map_err(|error| match &error {
        CopyError::Open(cause) => (cause.exit_code(), cause.to_string()),
        CopyError::Database(cause) => (74, cause.to_string()),
    })
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
    let port = service::reached(SocketAddr::new(config.bind, config.port));
    if service::probe(port).await?.starts_with(b"HTTP/1.1 200") {
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
