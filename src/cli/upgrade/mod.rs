//! `ctrl-alt-play upgrade`: checks for a newer version, downloads and verifies it, and installs it: through the
//! service's guard, or directly if there is none.

mod fetch;
mod via_service;

use std::fs::{self, File, Permissions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use agent::upgrades::{Folder, newer};

use self::fetch::{Failure, blocking, fetch, say};
use self::via_service::Guarded;
use crate::config::Config;
use crate::status::VERSION;
use crate::system::service::Service;
use crate::upgrades::install_method::{InstallMethod, shared_with_panel};
use crate::upgrades::release::{Published, Source, own_architecture};
use crate::upgrades::{offered, sentence, source};

/// Exit code of `--check` if a newer version exists.
const NEWER: u8 = 10;

/// Options of the command.
pub struct UpgradeWork {
    /// Only check for a newer version.
    pub check: bool,
    /// Do not ask for confirmation.
    pub yes: bool,
    /// Upgrade an agent.
    pub agent: bool,
    /// The service that runs the program.
    pub service: Option<Service>,
}

/// Runs the command. An error with an empty message only sets the exit code.
///
/// # Errors
/// Exit code and message.
pub async fn upgrade(config: &Config, work: UpgradeWork) -> Result<(), Failure> {
    let root = rustix::process::geteuid().is_root();
    let what = if work.agent { "upgrade --agent" } else { "upgrade" };
    let guarded = work.service.as_ref().is_some_and(|service| service.guarded);
    let of_others =
        matches!(InstallMethod::of_this(true, guarded), InstallMethod::Package | InstallMethod::Image);
    if work.service.is_some() && !work.check && !root && !of_others {
        return Err((77, format!("this needs root: sudo ctrl-alt-play {what}")));
    }
    if work.agent && shared_with_panel() {
        let why = "the panel's service on this machine runs this program too";
        let advice = "run `ctrl-alt-play upgrade`, then restart the agent";
        return Err((1, format!("{why}: {advice}")));
    }
    let known = source(&config.upgrades).map_err(|error| (78, sentence(&error)))?;
    if let Some(closed) = work.service.as_ref().and_then(|service| service.closed.as_ref())
        && known.is_none()
    {
        let why = format!("{} says where releases are, and is closed to you", closed.display());
        return Err((77, format!("{why}: sudo ctrl-alt-play {what} --check")));
    }
    let how = InstallMethod::of_this(known.is_some(), guarded);
    let Some(source) = known else { return Err((1, refusal(how, None))) };
    let looking = source.clone();
    let release = blocking(move || looking.latest().map_err(|error| (69, sentence(&error)))).await?;
    let Some(version) = offered(VERSION, &release) else {
        return match newer(VERSION, &release.version.to_string()) {
            _ if work.check || release.version.to_string() == VERSION => {
                say(&format!("Ctrl-Alt-Play {VERSION} is the newest version."));
                Ok(())
            }
            Err(error) => Err((1, sentence(&error))),
            Ok(_) => {
                say(&format!("Ctrl-Alt-Play {VERSION} is the newest finished version."));
                Ok(())
            }
        };
    };
    say(&format!("Ctrl-Alt-Play {VERSION} is here, {version} is published."));
    if let Some(notes) = source.notes(&version) {
        say(&format!("What is new: {notes}"));
    }
    if work.check {
        return Err((NEWER, String::new()));
    }
    let version = version.to_string();
    if matches!(how, InstallMethod::Package | InstallMethod::Image) {
        return Err((1, refusal(how, Some(&version))));
    }
    ask(&work, &version)?;
    let folder = Folder::of(&config.data_dir);
    let what = published(&source, &version).await?;
    match work.service.filter(|service| service.guarded) {
        Some(service) => {
            Guarded { config, agent: work.agent, service, folder, version, what }.upgrade(source).await
        }
        None => {
            fetch(config, source, what, &version, &folder).await?;
            blocking(move || by_ourselves(&folder, &version)).await
        }
    }
}

async fn published(source: &Source, version: &str) -> Result<Published, Failure> {
    let source = source.clone();
    let wanted = newer(VERSION, version).map_err(|error| (1, sentence(&error)))?;
    blocking(move || {
        let release = source.of(&wanted).map_err(|error| (69, sentence(&error)))?;
        release.program(own_architecture()).map_err(|error| (69, sentence(&error)))
    })
    .await
}

fn refusal(how: InstallMethod, version: Option<&str>) -> String {
    let architecture = match own_architecture() {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        _ => "armhf",
    };
    let command = how.command().unwrap_or_default();
    let command = command.replace("VERSION", version.unwrap_or("VERSION")).replace("ARCH", architecture);
    let why = match how {
        InstallMethod::Package => "this program belongs to a package: fetch the new one and run",
        InstallMethod::Image => "this program belongs to a container image:",
        InstallMethod::Here | InstallMethod::Command | InstallMethod::Checkout => "built from a checkout:",
    };
    format!("{why} {command}")
}

fn at_next_start(service: &Service, version: &str) -> String {
    format!("{} does not run: it is {version} at its next start.", service.name)
}

fn ask(work: &UpgradeWork, version: &str) -> Result<(), Failure> {
    if work.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err((64, "nobody is there to be asked: say --yes".to_owned()));
    }
    let what = match &work.service {
        Some(service) if service.guarded && !service.active() => at_next_start(service, version),
        Some(service) if service.guarded => {
            "The service is restarted; where the new version does not come up, it goes \
                                             back by itself. Games run on."
                .to_owned()
        }
        Some(service) => {
            format!("The program is replaced; afterwards run: {}. Games run on.", service.restart_line())
        }
        None => "The program is replaced. Games run on.".to_owned(),
    };
    say(&what);
    let _ = write!(io::stdout(), "Upgrade to {version}? [Y/n] ").and_then(|()| io::stdout().flush());
    let answer = super::input::read_line(&mut io::stdin().lock()).map_err(|error| (74, error.to_string()))?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes") {
        return Ok(());
    }
    Err((1, "nothing was changed".to_owned()))
}

/// Without a guard: replaces the program atomically and keeps the old one.
fn by_ourselves(folder: &Folder, version: &str) -> Result<(), Failure> {
    let place = std::env::current_exe().map_err(|error| (74, error.to_string()))?;
    let old = beside(&place, ".old");
    swap(&folder.part(), &place, &old).map_err(|(doing, error)| {
        let advice = if error.kind() == io::ErrorKind::PermissionDenied { " (as root: sudo)" } else { "" };
        (74, format!("{doing} {}: {error}{advice}", place.display()))
    })?;
    folder.drop_part();
    say(&format!(
        "{} is {version} now; {VERSION} is kept as {}. Restart what runs it: games run on.",
        place.display(),
        old.display()
    ));
    Ok(())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn swap(new: &Path, place: &Path, old: &Path) -> Result<(), (&'static str, io::Error)> {
    let (near, kept) = (beside(place, ".new"), beside(place, ".keep"));
    let step = |doing: &'static str| move |error: io::Error| (doing, error);
    fs::copy(new, &near).map_err(step("writing beside"))?;
    fs::set_permissions(&near, Permissions::from_mode(0o755)).map_err(step("writing beside"))?;
    File::open(&near).and_then(|file| file.sync_all()).map_err(step("writing beside"))?;
    let _ = fs::remove_file(&kept);
    fs::hard_link(place, &kept).or_else(|_| fs::copy(place, &kept).map(drop)).map_err(step("keeping"))?;
    fs::rename(&kept, old).map_err(step("keeping"))?;
    fs::rename(&near, place).map_err(step("replacing"))?;
    let folder = place.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(step("writing beside"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_program_is_kept_and_the_new_one_runnable() {
        let folder = tempfile::tempdir().unwrap();
        let (place, new) = (folder.path().join("program"), folder.path().join("part"));
        for (before, after) in [("one", "two"), ("two", "three")] {
            fs::write(&place, before).unwrap();
            fs::write(&new, after).unwrap();
            swap(&new, &place, &beside(&place, ".old")).unwrap();
            assert_eq!(fs::read_to_string(&place).unwrap(), after);
            assert_eq!(fs::read_to_string(beside(&place, ".old")).unwrap(), before);
            assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o755);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing else is left");
    }

    #[test]
    fn refusals_name_the_right_command() {
        assert_eq!(refusal(InstallMethod::Checkout, None), "built from a checkout: git pull && ./install.sh");
        let package = refusal(InstallMethod::Package, Some("1.2.3"));
        assert!(package.contains("sudo apt install ./ctrl-alt-play_1.2.3_"), "{package}");
    }
}
