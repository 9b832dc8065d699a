//! `restore`: makes this machine the panel of a panel backup.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Args;
use protocol::ServerId;

use super::input::read_known_password;
use crate::backups::panel::restore::{
    self as panel, Access, Opened, Progress, Restored, Servers, Source, Wanted,
};
use crate::config::Config;
use crate::system::clock::rfc3339;
use crate::system::private_files;

/// Bytes of a file with a password or a key.
const FILE: u64 = 64 * 1024;
/// Between two lines of progress.
const LINES: Duration = Duration::from_secs(10);

/// What to restore, and from where.
#[derive(Args)]
#[command(
    after_help = "Passwords are never arguments: the repository's is asked for, or comes from RESTIC_PASSWORD or \
                        --password-file; that of the place from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_DEFAULT_REGION), \
                        RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD, or SFTP_PASSWORD. The emergency kit has all of them."
)]
pub struct RestoreWork {
    /// Where the backups lie: a folder, s3:https://HOST/BUCKET/FOLDER, rest:https://HOST/ or sftp://USER@HOST:PORT/FOLDER.
    #[arg(long, value_name = "PLACE")]
    from: String,
    /// The file with the repository's password.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Only lists the panel backups there.
    #[arg(long)]
    list: bool,
    /// Which panel backup [default: the newest].
    #[arg(long, value_name = "ID")]
    backup: Option<String>,
    /// Whose files to restore too: all, none, or ids of servers with commas between.
    #[arg(long, value_name = "SERVERS", default_value = "all")]
    servers: String,
    /// Takes the place of a panel that is in the data folder, and keeps that beside it.
    #[arg(long)]
    replace: bool,
    /// The file with the private key for SFTP.
    #[arg(long, value_name = "FILE")]
    sftp_key: Option<PathBuf>,
    /// The key of the SFTP server, as SHA256:….
    #[arg(long, value_name = "FINGERPRINT")]
    host_key: Option<String>,
}

/// `restore`: returns a message for the user, or exit code and reason.
pub async fn restore(config: &Config, work: RestoreWork) -> Result<String, (u8, String)> {
    let failed = |error: panel::RestoreError| (error.exit_code(), error.to_string());
    let folder = &config.data_dir;
    private_files::data_folder(folder).map_err(|error| (74, error.to_string()))?;
    if !work.list && panel::settle(folder).map_err(failed)? {
        return Ok("A restore that was cut short is finished now; start the panel.".to_owned());
    }
    if !work.list {
        panel::may_begin(folder, work.replace).map_err(failed)?;
    }
    let source = Source::parse(&work.from, &access(&work)?).map_err(failed)?;
    let password = password(work.password_file.clone()).await?;
    say("Opening the backup repository …");
    let opened = Opened::open(source.with_password(password).map_err(failed)?).await.map_err(failed)?;
    if let Some(warning) = &opened.warning {
        say(warning);
    }
    if work.list {
        return Ok(list(&opened));
    }
    let wanted = Wanted { backup_id: work.backup, servers: servers(&work.servers)? };
    let shown = Mutex::new(Shown::default());
    let told = |progress: Progress| {
        if let Ok(mut shown) = shown.lock() {
            shown.tell(&progress);
        }
    };
    let restored = panel::restore(folder, &opened, &wanted, work.replace, told).await;
    if io::stderr().is_terminal() {
        say("");
    }
    Ok(sentence(&restored.map_err(failed)?))
}

fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn read_file(path: &std::path::Path) -> Result<String, (u8, String)> {
    let read = || -> io::Result<String> {
        let mut text = String::new();
        io::Read::read_to_string(&mut io::Read::take(std::fs::File::open(path)?, FILE), &mut text)?;
        Ok(text)
    };
    read().map_err(|error| (66, format!("reading {}: {error}", path.display())))
}

fn access(work: &RestoreWork) -> Result<Access, (u8, String)> {
    let variable = |name: &&str| Some(((*name).to_owned(), std::env::var(name).ok()?));
    Ok(Access {
        variables: Access::VARIABLES.iter().filter_map(variable).collect(),
        sftp_key: work.sftp_key.as_deref().map(read_file).transpose()?,
        host_key: work.host_key.clone(),
    })
}

async fn password(file: Option<PathBuf>) -> Result<String, (u8, String)> {
    let given = match file {
        Some(file) => Some(read_file(&file)?),
        None => std::env::var("RESTIC_PASSWORD").ok(),
    };
    let given = match given {
        Some(given) => given.trim_end_matches(['\r', '\n']).to_owned(),
        None => tokio::task::spawn_blocking(|| read_known_password("Password of the backup repository: "))
            .await
            .map_err(|error| (70, error.to_string()))?
            .map_err(|error| (74, error.to_string()))?,
    };
    if given.is_empty() {
        return Err((
            64,
            "the password of the backup repository is missing; it is in the emergency kit".to_owned(),
        ));
    }
    Ok(given)
}

fn servers(text: &str) -> Result<Servers, (u8, String)> {
    match text {
        "all" => Ok(Servers::All),
        "none" => Ok(Servers::None),
        ids => {
            let ids: Vec<ServerId> = ids.split(',').map(|id| ServerId::from(id.trim().to_owned())).collect();
            match ids.iter().find(|id| !id.is_valid()) {
                Some(bad) => Err((64, format!("--servers: {bad} is no server's id"))),
                None => Ok(Servers::Some(ids)),
            }
        }
    }
}

fn list(opened: &Opened) -> String {
    let all = panel::panel_backups(opened);
    if all.is_empty() {
        return "There is no panel backup at this place.".to_owned();
    }
    let mut text = format!("{:<14}{:<26}{:>10}  MADE ON", "ID", "MADE", "SIZE");
    for one in all {
        let size = format!("{}.{} MB", one.bytes / 1_000_000, one.bytes % 1_000_000 / 100_000);
        let host: String = one.host.chars().filter(|c| !c.is_control()).take(60).collect();
        let _ = write!(text, "\n{:<14}{:<26}{size:>10}  {host}", one.backup_id, rfc3339(one.at));
    }
    text
}

fn sentence(restored: &Restored) -> String {
    let Restored { made_at, host, servers, missing, elsewhere, kept } = restored;
    let mut text = format!("This is the panel of {} now, as it was on {host}.", rfc3339(*made_at));
    if !servers.is_empty() {
        let _ = write!(text, "\nServers with their files: {}.", servers.join(", "));
    }
    for (server, why) in missing {
        let _ = write!(text, "\nNot restored: the files of {server}: {why}.");
    }
    if *elsewhere > 0 {
        let _ = write!(text, "\nOn other nodes: {elsewhere} servers. Those nodes connect by themselves.");
    }
    if let Some(kept) = kept {
        let _ = write!(text, "\nWhat was there is kept in {}.", kept.display());
    }
    text.push_str(
        "\nStart the panel (ctrl-alt-play, or its service). If the old one still runs somewhere, stop it first: they have one \
         identity, and would share nodes and backups.",
    );
    // Names come from the repository.
    text.retain(|c| c == '\n' || !c.is_control());
    text
}

/// What of the progress was shown.
#[derive(Default)]
struct Shown {
    server: String,
    at: Option<Instant>,
}

impl Shown {
    fn tell(&mut self, progress: &Progress) {
        let terminal = io::stderr().is_terminal();
        let new = self.at.is_none() || self.server != progress.server;
        let pause = if terminal { Duration::from_millis(200) } else { LINES };
        if !new && self.at.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        let what = match (&*progress.server, progress.number) {
            ("", _) => "The panel".to_owned(),
            (name, (number, count)) => format!("Server {number} of {count}, {name}"),
        };
        let what: String = what.chars().filter(|c| !c.is_control()).take(100).collect();
        let megabytes = |bytes: u64| bytes / 1_000_000;
        let (done, total) = progress.bytes;
        let mut out = io::stderr().lock();
        let line = format!("{what}: {} of {} MB", megabytes(done), megabytes(total));
        let _ = match (terminal, new && self.at.is_some()) {
            (true, true) => write!(out, "\n{line}"),
            (true, false) => write!(out, "\r{line}"),
            (false, _) => writeln!(out, "{line}"),
        };
        let _ = out.flush();
        self.server.clone_from(&progress.server);
        self.at = Some(Instant::now());
    }
}
