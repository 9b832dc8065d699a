//! `service install`, `service remove`, `service run`: used by install.sh after downloading the program, and by users
//! who already have it.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::Secret;
use crate::system::service::{Choice, Install, NodeSettings, Plan, Remove, ServiceError, asked, run};

/// Exit code of `--dry-run` if something would change.
const CHANGES: u8 = 10;
/// Exit code of a failure.
const FAILED: u8 = 1;

/// What is done with the service.
#[derive(Args)]
pub struct ServiceArgs {
    #[command(subcommand)]
    command: ServiceCommand,
}

#[derive(Subcommand)]
enum ServiceCommand {
    /// Installs the program as a service of systemd or OpenRC, or brings one up to date: its user, folder, settings and
    /// files. Changes nothing where all is well, and ends what an interrupted run began.
    Install(Box<InstallArgs>),
    /// Stops and removes the service, and the program where nothing else needs it. Games, data and settings stay.
    Remove(RemoveArgs),
    /// Says where the page is found, with the link for the first account while there is none, and where the log is.
    Links(Place),
    /// Runs in the foreground what the service would run, with the service's settings.
    Run(Place),
}

/// Which service.
#[derive(Args)]
struct Place {
    /// The service of an agent, which makes this machine a node of a panel elsewhere.
    #[arg(long)]
    agent: bool,
    /// What the program lies below: FOLDER/bin, FOLDER/lib [default: where it is installed, else /usr/local].
    #[arg(long, value_name = "FOLDER")]
    prefix: Option<PathBuf>,
    /// Where everything is kept [default: as the settings say, else /var/lib/ctrl-alt-play or /var/lib/ctrl-alt-play-agent].
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

impl From<Place> for Choice {
    fn from(place: Place) -> Self {
        let Place { agent, prefix, data_dir } = place;
        Self { agent, prefix, data_dir }
    }
}

#[derive(Args)]
struct InstallArgs {
    #[command(flatten)]
    place: Place,
    /// The page's port, written to the settings [default: as it is, 3000 at first].
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), conflicts_with = "agent")]
    port: Option<u16>,
    /// The program to put in place [default: this one].
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Of an agent: where the panel's agents connect to, such as wss://192.168.1.20:8080.
    #[arg(long, value_name = "URL", requires_all = ["agent", "node", "secret_file"])]
    panel_url: Option<String>,
    /// Of an agent: this machine's node id in the panel.
    #[arg(long, value_name = "ID", requires = "panel_url")]
    node: Option<String>,
    /// Of an agent: a file that holds the node's secret.
    #[arg(long, value_name = "FILE", requires = "panel_url")]
    secret_file: Option<PathBuf>,
    /// Of an agent: the panel's key, as sha256//BASE64=.
    #[arg(long, value_name = "PIN", requires = "panel_url")]
    pin: Option<String>,
    /// Of an agent: the port of its health, or off [default: 8081].
    #[arg(long, value_name = "PORT", requires = "panel_url")]
    health_port: Option<String>,
    /// Installs only: nothing is enabled or started.
    #[arg(long)]
    no_start: bool,
    /// Says what would be done and does nothing: exit code 10 where something would change, 0 where nothing would.
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: the version of a program that is not here yet.
    #[arg(long, value_name = "VERSION", requires = "dry_run", hide = true)]
    becomes: Option<String>,
}

#[derive(Args)]
struct RemoveArgs {
    #[command(flatten)]
    place: Place,
    /// Also removes the games' containers, all data with every world, the settings and the user.
    #[arg(long)]
    purge: bool,
    /// Asks nothing.
    #[arg(long, short)]
    yes: bool,
    /// Leaves containers where the engine does not answer or refuses.
    #[arg(long)]
    no_docker: bool,
    /// Says what would be done and does nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command and returns the exit code. Errors are printed here, in one line that starts with `error: `.
#[must_use]
pub fn service(args: ServiceArgs) -> u8 {
    // Installed files must be readable by everyone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let done = match args.command {
        ServiceCommand::Install(args) => install(*args),
        ServiceCommand::Remove(args) => remove(args),
        ServiceCommand::Links(place) => Install::links(&place.into()).map(|text| said(&text)),
        ServiceCommand::Run(place) => run(&place.into()).map(|text| said(&text)),
    };
    done.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "error: {error}");
        FAILED
    })
}

fn said(text: &str) -> u8 {
    say(text);
    0
}

fn say(text: &str) {
    // Fails if standard output was closed.
    let _ = write!(io::stdout(), "{text}");
}

fn install(args: InstallArgs) -> Result<u8, ServiceError> {
    let refused = |why: String| ServiceError::Refused(why);
    let program = match args.program {
        Some(program) => program,
        None => {
            std::env::current_exe().map_err(|error| refused(format!("this program is not known: {error}")))?
        }
    };
    let node = match (args.panel_url, args.node, args.secret_file) {
        (Some(panel_url), Some(node_id), Some(file)) => {
            let secret = std::fs::read_to_string(&file)
                .map_err(|error| refused(format!("{} can't be read: {error}", file.display())))?;
            for (what, value) in [("panel-url", &panel_url), ("node", &node_id), ("secret-file", &secret)] {
                check(what, value.trim())?;
            }
            let secret = Secret::new(secret.trim());
            Some(NodeSettings { panel_url, node_id, secret, pin: args.pin, health_port: args.health_port })
        }
        _ => None,
    };
    let install =
        Install { choice: args.place.into(), program, port: args.port, node, start: !args.no_start };
    if args.dry_run {
        let Plan { lines, changes } = install.plan(args.becomes.as_deref())?;
        say(&list(&lines));
        return Ok(if changes { CHANGES } else { 0 });
    }
    say(&install.install()?);
    Ok(0)
}

/// Each value becomes a line of the settings file.
fn check(what: &str, value: &str) -> Result<(), ServiceError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:/[]-".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return Ok(());
    }
    Err(ServiceError::Refused(format!("--{what} is empty or holds characters that it cannot have")))
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  - {line}\n")).collect()
}

fn remove(args: RemoveArgs) -> Result<u8, ServiceError> {
    let remove = Remove { choice: args.place.into(), purge: args.purge, no_docker: args.no_docker };
    let plan = remove.plan()?;
    say(&format!("Ctrl-Alt-Play is removed from this machine. This will happen:\n{}\n", list(&plan)));
    if args.dry_run {
        say("Nothing was changed: this was a dry run.\n");
        return Ok(0);
    }
    let question = if args.purge { "Remove all of it, for good?" } else { "Go on?" };
    if !args.yes && !asked(question, !args.purge)? {
        say("Nothing was changed.\n");
        return Ok(FAILED);
    }
    let done = remove.remove(&mut |text| say(&format!("{text}\n")))?;
    say(&format!("{done}\n"));
    Ok(0)
}
