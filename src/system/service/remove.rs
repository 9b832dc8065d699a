//! `service remove`: removes the service, and the program unless another service needs it. Games keep running and all
//! data is kept, unless everything is to be purged. The program is removed last, so that an interrupted removal can be
//! run again.

use std::fs;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::Path;

use agent::docker::{self, EngineError};
use rustix::process::geteuid;

use super::answers::answers;
use super::error::ServiceError;
use super::layout::{Choice, Layout};
use super::manager::Manager;
use super::tools::have;
use super::{lock, put, user};

/// Entries by which a data folder of the panel is recognised.
const OURS: [&str; 7] =
    ["panel.redb", "instance.json", "agent.json", "setup-token", "secrets", "config.toml", "servers"];
/// Folders that are never removed, whatever they contain.
const EVERYBODYS: [&str; 12] =
    ["/", "/home", "/root", "/srv", "/opt", "/var", "/var/lib", "/mnt", "/tmp", "/usr", "/etc", "/media"];

/// What to remove.
pub struct Remove {
    /// Whether the panel's or the agent's service is removed.
    pub choice: Choice,
    /// Whether to remove games, data, settings and the user too.
    pub purge: bool,
    /// Whether to leave containers in place if the engine cannot remove them.
    pub no_docker: bool,
}

impl Remove {
    /// What a removal will do, one line per step.
    ///
    /// # Errors
    /// The removal cannot succeed.
    pub fn plan(&self) -> Result<Vec<String>, ServiceError> {
        let layout = self.layout()?;
        let (data, settings) = (layout.data_dir.display(), layout.settings());
        let mut lines = vec![format!("the service {} is stopped and removed", layout.name)];
        lines.push(match layout.other() {
            Some(other) => format!("the program stays: the service {other} needs it"),
            None => format!(
                "{} is removed, and with it the firewall rules that keep games from this machine and its network",
                layout.binary().display()
            ),
        });
        if self.purge {
            lines.push(format!(
                "ALL GAMES of it are stopped, their containers removed, and {data} with every world in it"
            ));
            lines.push(format!(
                "{} is removed, and the user {} where nobody else needs him; the engine stays",
                settings.display(),
                user::USER
            ));
        } else {
            lines.push(format!("games that run go on; {data} and the settings stay"));
        }
        Ok(lines)
    }

    fn layout(&self) -> Result<Layout, ServiceError> {
        let layout = Layout::new(&self.choice)?;
        if self.purge && layout.data_dir.is_dir() && !is_ours(&layout.data_dir) {
            return Err(ServiceError::Refused(format!(
                "{} does not look like a data folder of Ctrl-Alt-Play: look at it and remove it by hand; nothing was changed",
                layout.data_dir.display()
            )));
        }
        Ok(layout)
    }

    /// Removes the service. Returns the closing message for the user.
    ///
    /// # Errors
    /// Something failed. What was removed stays removed, and another run continues from there.
    pub fn remove(&self, tell: &mut dyn FnMut(&str)) -> Result<String, ServiceError> {
        if !geteuid().is_root() {
            return Err(ServiceError::NotRoot);
        }
        let _lock = lock::take()?;
        let layout = self.layout()?;
        let (name, what) = (layout.name, layout.what());
        if layout.manager.is_none() && answers(&layout) {
            return Err(ServiceError::Refused(format!(
                "{what} still runs in the foreground: end it with Ctrl-C where it was started, then run this again"
            )));
        }
        if let Some(manager) = layout.manager.filter(|_| layout.is_there()) {
            manager.stop_and_disable(name);
            if layout.runs() {
                return Err(ServiceError::Refused(format!(
                    "the service {name} can't be stopped: see its log ({}), then run this again",
                    layout.log()
                )));
            }
        }
        if self.purge {
            self.remove_games(&layout, tell)?;
            remove_data(&layout)?;
        }
        self.remove_service(&layout)?;
        if layout.other().is_none() {
            remove_firewall_rules(tell)?;
            self.remove_program(&layout, tell)?;
        }
        let data = layout.data_dir.display();
        Ok(match (self.purge, layout.agent) {
            (true, _) => "Removed, with all data.".to_owned(),
            (false, true) => {
                format!(
                    "Removed. Games that run go on, and their files are still in {data}; remove the node in the panel as well."
                )
            }
            (false, false) => {
                format!(
                    "Removed. Games that run go on, and everything is still in {data}; --uninstall --purge removes that too."
                )
            }
        })
    }

    /// Only containers of this data folder: another panel's games on the same engine are left alone.
    fn remove_games(&self, layout: &Layout, tell: &mut dyn FnMut(&str)) -> Result<(), ServiceError> {
        let host = layout.setting("DOCKER_HOST");
        let there =
            host.is_some() || Path::new("/var/run/docker.sock").exists() || have("dockerd") || have("docker");
        let runtime = runtime()?;
        let removed: Result<_, EngineError> =
            runtime.block_on(docker::remove_games(host.as_deref(), &layout.data_dir));
        match removed {
            Ok(_) => Ok(()),
            Err(_) if self.no_docker || !there => {
                tell("No engine answers: containers of games, if there are any, stay.");
                Ok(())
            }
            Err(error) => Err(ServiceError::Refused(format!(
                "not all containers of games could be removed ({error}): correct that and run this again, or add --no-docker to leave them"
            ))),
        }
    }

    fn remove_service(&self, layout: &Layout) -> Result<(), ServiceError> {
        let mut files = vec![layout.unfinished()];
        for manager in [Manager::Systemd, Manager::OpenRc] {
            files.push(layout.service_file(manager));
        }
        // Without the node its secret is useless.
        if self.purge || layout.agent {
            files.push(layout.settings());
        }
        for file in &files {
            for path in [file.clone(), put::beside(file, ".new")] {
                put::remove(&path).map_err(ServiceError::file("removed", &path))?;
            }
        }
        layout.manager.map_or(Ok(()), Manager::reload)
    }

    fn remove_program(&self, layout: &Layout, tell: &mut dyn FnMut(&str)) -> Result<(), ServiceError> {
        let (lib, binary) = (layout.lib(), layout.binary());
        match fs::remove_dir_all(&lib) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ServiceError::file("removed", &lib)(error));
            }
            _ => {}
        }
        if self.purge
            && let Err(error) = user::remove()
        {
            tell(&error.to_string());
        }
        super::install::clean_up(layout)
            .map_err(ServiceError::file("cleaned up", layout.prefix.join("bin")))?;
        for ending in [".before", ".next", ""] {
            let path = put::beside(&binary, ending);
            put::remove(&path).map_err(ServiceError::file("removed", &path))?;
        }
        Ok(())
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, ServiceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(ServiceError::file("read", "/proc/self"))
}

/// Removes the firewall rules that the agent has set for games: nothing keeps them up to date any more.
fn remove_firewall_rules(tell: &mut dyn FnMut(&str)) -> Result<(), ServiceError> {
    if let Err(cause) = runtime()?.block_on(agent::remove_firewall_rules()) {
        tell(&format!(
            "The firewall rules for games could not be removed ({cause}): they are gone after a reboot."
        ));
    }
    Ok(())
}

fn is_ours(folder: &Path) -> bool {
    if EVERYBODYS.iter().any(|other| folder == Path::new(other)) {
        return false;
    }
    let empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    empty || OURS.iter().any(|name| folder.join(name).exists())
}

fn remove_data(layout: &Layout) -> Result<(), ServiceError> {
    let folder = &layout.data_dir;
    agent::remove_folder(folder).map_err(ServiceError::file("removed", folder))?;
    if layout.manager == Some(Manager::OpenRc) {
        for ending in ["log", "log.old"] {
            let path = format!("/var/log/{}.{ending}", layout.name);
            put::remove(Path::new(&path)).map_err(ServiceError::file("removed", &path))?;
        }
    }
    Ok(())
}

/// Asks the user at the terminal, regardless of what standard input is. `default` is used for Enter, and if there is no
/// terminal.
///
/// # Errors
/// There is no terminal, and the default is not to do it.
pub fn asked(question: &str, default: bool) -> Result<bool, ServiceError> {
    let terminal = fs::OpenOptions::new().read(true).write(true).open("/dev/tty");
    let Some(mut terminal) = terminal.ok().filter(|_| io::stderr().is_terminal()) else {
        return match default {
            true => Ok(true),
            false => Err(ServiceError::Refused(
                "nobody is there to ask: --yes says that this is meant; nothing was changed".to_owned(),
            )),
        };
    };
    let hint = if default { "[Y/n]" } else { "[y/N]" };
    let mut answer = String::new();
    let heard =
        write!(terminal, "{question} {hint} ").and_then(|()| BufReader::new(terminal).read_line(&mut answer));
    Ok(match (heard, answer.trim().chars().next()) {
        (Ok(read), None) if read > 0 => default,
        (_, answer) => matches!(answer, Some('y' | 'Y')),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_plainly_a_data_folder_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_ours(folder.path()), "an empty one");
        fs::write(folder.path().join("letters"), "").unwrap();
        assert!(!is_ours(folder.path()));
        fs::write(folder.path().join("panel.redb"), "").unwrap();
        assert!(is_ours(folder.path()));
        assert!(!is_ours(Path::new("/")) && !is_ours(Path::new("/usr")));
    }
}
