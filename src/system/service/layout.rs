//! Paths of a service and everything that belongs to it.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::ServiceError;
use super::files::{self, Kind, PREFIX};
use super::installed::{AGENT, PANEL, Service};
use super::manager::Manager;

const UNITS: &str = "/etc/systemd/system";
const SCRIPTS: &str = "/etc/init.d";
/// The program and the file list of the Debian package.
const PACKAGED: [&str; 2] = ["/usr/bin/ctrl-alt-play", "/var/lib/dpkg/info/ctrl-alt-play.list"];

/// Which service is meant, if it differs from what is installed.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The agent's service instead of the panel's.
    pub agent: bool,
    /// Prefix of the program's path.
    pub prefix: Option<PathBuf>,
    /// The data folder.
    pub data_dir: Option<PathBuf>,
}

/// One of the two services.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) agent: bool,
    pub(super) name: &'static str,
    pub(super) manager: Option<Manager>,
    pub(super) prefix: PathBuf,
    pub(super) data_dir: PathBuf,
    /// The installed service, as described by its files.
    pub(super) found: Option<Service>,
}

impl Layout {
    pub(super) fn new(choice: &Choice) -> Result<Self, ServiceError> {
        if PACKAGED.iter().all(|path| Path::new(path).exists()) {
            let why = "it is installed by the system's packages here: upgrade it with apt-get install, or remove it with apt-get remove ctrl-alt-play";
            return Err(ServiceError::Refused(why.to_owned()));
        }
        for path in [&choice.prefix, &choice.data_dir].into_iter().flatten() {
            check(path)?;
        }
        let name = if choice.agent { AGENT } else { PANEL };
        let found = if choice.agent { Service::of_agent() } else { Service::of_panel() };
        let own = [UNITS, SCRIPTS].iter().any(|at| Path::new(at).join(file_name(at, name)).exists());
        let installed = found
            .as_ref()
            .filter(|_| own)
            .and_then(|found| Some(found.program.as_ref()?.parent()?.parent()?.to_owned()));
        let prefix = match (&choice.prefix, installed) {
            (Some(wanted), Some(there)) if *wanted != there => {
                let there = there.display();
                return Err(ServiceError::Refused(format!(
                    "it is installed in {there}: leave --prefix away, or remove it first (its data stays)"
                )));
            }
            (Some(wanted), _) => wanted.clone(),
            (None, there) => there.unwrap_or_else(|| PREFIX.into()),
        };
        let kept = || found.as_ref().and_then(|found| found.variable("DATA_DIR"));
        let data_dir = choice.data_dir.clone().or_else(|| kept().map(PathBuf::from));
        Ok(Self {
            agent: choice.agent,
            name,
            manager: Manager::of_this_machine(),
            prefix,
            data_dir: data_dir.unwrap_or_else(|| Path::new("/var/lib").join(name)),
            found,
        })
    }

    /// Path of the program.
    pub(super) fn binary(&self) -> PathBuf {
        self.prefix.join("bin").join(PANEL)
    }

    /// Folder of the guard and other files beside the program.
    pub(super) fn lib(&self) -> PathBuf {
        self.prefix.join("lib").join(PANEL)
    }

    pub(super) fn guard(&self) -> PathBuf {
        self.lib().join("guard")
    }

    /// Marker file that exists while an installation is in progress or was interrupted.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.lib().join(format!("unfinished-{}", self.name))
    }

    /// The settings file, with `NAME=value` lines.
    pub(super) fn settings(&self) -> PathBuf {
        Path::new("/etc/default").join(self.name)
    }

    pub(super) fn settings_text(&self) -> String {
        fs::read_to_string(self.settings()).unwrap_or_default()
    }

    /// Path of the unit or script.
    pub(super) fn service_file(&self, manager: Manager) -> PathBuf {
        match manager {
            Manager::Systemd => Path::new(UNITS).join(format!("{}.service", self.name)),
            Manager::OpenRc => Path::new(SCRIPTS).join(self.name),
        }
    }

    /// Required content of the unit or script, and its mode.
    pub(super) fn service_text(&self, manager: Manager) -> (String, u32) {
        match manager {
            Manager::Systemd => (files::text(Kind::Systemd, self.agent, &self.prefix), 0o644),
            Manager::OpenRc => (files::text(Kind::Openrc, self.agent, &self.prefix), 0o755),
        }
    }

    pub(super) fn guard_text(&self) -> String {
        files::text(Kind::Guard, self.agent, &self.prefix)
    }

    /// Whether the unit or script exists.
    pub(super) fn is_there(&self) -> bool {
        self.manager.is_some_and(|manager| self.service_file(manager).exists())
    }

    /// Whether it is running as a service.
    pub(super) fn runs(&self) -> bool {
        self.is_there() && self.manager.is_some_and(|manager| manager.runs(self.name))
    }

    /// A value from the settings file.
    pub(super) fn setting(&self, name: &str) -> Option<String> {
        let value = self.found.as_ref().and_then(|found| found.variable(name));
        value.filter(|value| !value.is_empty())
    }

    /// Name of what it runs, for messages.
    pub(super) fn what(&self) -> &'static str {
        if self.agent { "the agent" } else { "the panel" }
    }

    /// The other service, if it is installed and needs the program too.
    pub(super) fn other(&self) -> Option<&'static str> {
        let other = if self.agent { PANEL } else { AGENT };
        let there = [UNITS, SCRIPTS].iter().any(|at| Path::new(at).join(file_name(at, other)).exists());
        there.then_some(other)
    }

    /// The command with which a user reads its log.
    pub(super) fn log(&self) -> String {
        match self.manager {
            Some(Manager::OpenRc) => format!("/var/log/{}.log", self.name),
            _ => format!("journalctl -u {}", self.name),
        }
    }
}

fn file_name(folder: &str, name: &str) -> String {
    if folder == UNITS { format!("{name}.service") } else { name.to_owned() }
}

/// Both paths are used in units and scripts without quotes.
fn check(path: &Path) -> Result<(), ServiceError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/+@-".contains(c);
    let text = path.to_str().unwrap_or_default();
    let refused = |why: &str| Err(ServiceError::Refused(format!("{}: {why}", path.display())));
    if !text.chars().all(plain) || path.components().any(|part| part.as_os_str() == "..") {
        return refused("a folder's name of letters, digits and . _ + @ - only, please");
    }
    if !path.is_absolute() || text == "/" {
        return refused("this has to be an absolute folder, such as /srv/ctrl-alt-play");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_can_stand_in_a_unit() {
        for good in ["/usr/local", "/srv/my-games_2", "/opt/a+b@c.d"] {
            check(Path::new(good)).unwrap();
        }
        for bad in ["games", "/", "/a b", "/opt/../etc", "/a%b", "/a\"b", ""] {
            assert!(check(Path::new(bad)).is_err(), "{bad}");
        }
    }
}
