//! The service installed on this machine, as described by its files: the environment of its process, and the program it
//! runs. Only files are read: each call of a service manager would start another process, which is expensive on small
//! machines, and a container's health check has neither manager nor files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::manager::Manager;

/// The panel's service.
pub const PANEL: &str = "ctrl-alt-play";
/// The service of an agent of a panel elsewhere.
pub const AGENT: &str = "ctrl-alt-play-agent";

/// Variable in a unit whose program is run by a guard.
const GUARDED: &str = "CTRL_ALT_PLAY_GUARDED";
/// Where systemd looks for units, relative to the root; the first folder with the file wins.
const UNITS: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];

/// An installed service, or what is left of one.
#[derive(Clone, Debug)]
pub struct Service {
    /// `None` if only settings or a data folder exist.
    pub manager: Option<Manager>,
    /// Its name in the service manager.
    pub name: &'static str,
    /// Whether a guard runs it, which replaces the program during an upgrade and restores it on failure.
    pub guarded: bool,
    /// The program it runs; `None` if not known.
    pub program: Option<PathBuf>,
    /// Environment of its process, as far as readable.
    variables: BTreeMap<String, String>,
    /// A settings file that could not be read for lack of permission.
    pub closed: Option<PathBuf>,
}

impl Service {
    /// The panel's service; `None` if not installed.
    pub fn of_panel() -> Option<Self> {
        Self::below(Path::new("/"), PANEL)
    }

    /// The agent's service; `None` if not installed.
    pub fn of_agent() -> Option<Self> {
        Self::below(Path::new("/"), AGENT)
    }

    /// The service a command refers to, and whether it is the agent's: the agent's if `agent` is set or if it is the
    /// only one.
    pub fn meant(agent: bool) -> (bool, Option<Self>) {
        let there = |found: Option<Self>| found.filter(|found| found.manager.is_some());
        if !agent && let Some(panel) = there(Self::of_panel()) {
            return (false, Some(panel));
        }
        match there(Self::of_agent()) {
            Some(found) => (true, Some(found)),
            None => (agent, None),
        }
    }

    /// The service with this name, as described by the files below a root.
    pub fn below(root: &Path, name: &'static str) -> Option<Self> {
        let runs = |manager: &str| root.join("run").join(manager).exists();
        let found = if runs("openrc") && !runs("systemd/system") {
            Self::openrc(root, name).or_else(|| Self::systemd(root, name))
        } else {
            Self::systemd(root, name).or_else(|| Self::openrc(root, name))
        };
        let settings = format!("/etc/default/{name}");
        let folder = format!("/var/lib/{name}");
        let mut found = match found {
            Some(found) => found,
            None if below(root, &settings).exists() || below(root, &folder).exists() => {
                let mut left = Self::new(None, name);
                left.read_settings(root, &settings);
                left
            }
            None => return None,
        };
        found.variables.entry("DATA_DIR".to_owned()).or_insert(folder);
        Some(found)
    }

    fn new(manager: Option<Manager>, name: &'static str) -> Self {
        let variables = BTreeMap::new();
        Self { manager, name, guarded: false, program: None, variables, closed: None }
    }

    fn systemd(root: &Path, name: &'static str) -> Option<Self> {
        let file = format!("{name}.service");
        let text = UNITS.iter().find_map(|folder| fs::read_to_string(root.join(folder).join(&file)).ok())?;
        let mut unit = Unit::default();
        unit.take(&text);
        // Drop-ins in order of their names. Of several with the same name, the first folder's counts.
        let mut more = BTreeMap::<OsString, PathBuf>::new();
        for folder in UNITS {
            let Ok(entries) = fs::read_dir(root.join(folder).join(format!("{file}.d"))) else { continue };
            for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                if path.extension().is_some_and(|end| end == "conf") {
                    more.entry(path.file_name()?.to_owned()).or_insert(path);
                }
            }
        }
        for path in more.values() {
            unit.take(&fs::read_to_string(path).unwrap_or_default());
        }
        let mut service = Self::new(Some(Manager::Systemd), name);
        // A masked unit runs nothing.
        service.program = Some(unit.program?);
        service.variables = unit.variables;
        for file in &unit.files {
            service.read_settings(root, file);
        }
        service.guarded = service.variables.get(GUARDED).is_some_and(|value| value == "1");
        Some(service)
    }

    fn openrc(root: &Path, name: &'static str) -> Option<Self> {
        let script = fs::read_to_string(root.join("etc/init.d").join(name)).ok()?;
        // OpenRC reads this file before the script.
        let before = fs::read_to_string(root.join("etc/conf.d").join(name)).unwrap_or_default();
        // Assignments inside functions do not apply here.
        let lines = || before.lines().chain(script.lines()).filter(|line| !line.starts_with([' ', '\t']));
        let shell = pairs(lines().map(|line| line.strip_prefix("export ").unwrap_or(line)));
        let mut service = Self::new(Some(Manager::OpenRc), name);
        service.variables = pairs(lines().filter_map(|line| line.strip_prefix("export ")));
        // The script exports this variable, with a default value if it is not set.
        let default = lines().find_map(|line| line.strip_prefix(": \"${DATA_DIR:=")?.strip_suffix("}\""));
        if let Some(folder) = shell.get("DATA_DIR").map(String::as_str).or(default) {
            service.variables.insert("DATA_DIR".to_owned(), folder.to_owned());
        }
        service.guarded = shell.contains_key("guard");
        service.program = shell.get("command").map(PathBuf::from);
        let settings = shell.get("settings").cloned().unwrap_or_else(|| format!("/etc/default/{name}"));
        service.read_settings(root, &settings);
        Some(service)
    }

    fn read_settings(&mut self, root: &Path, file: &str) {
        match fs::read_to_string(below(root, file)) {
            Ok(text) => self.variables.extend(pairs(text.lines())),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => self.closed = Some(file.into()),
            Err(_) => {}
        }
    }

    /// The value of a variable in its environment.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    /// All variables of its environment, according to its files.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether it is running or starting.
    pub fn active(&self) -> bool {
        self.manager.is_some_and(|manager| manager.active(self.name))
    }

    /// Restarts it. Returns whether that succeeded.
    pub fn restart(&self) -> bool {
        self.manager.is_some_and(|manager| manager.restart(self.name))
    }

    /// The command with which a user restarts it.
    pub fn restart_line(&self) -> String {
        self.manager.unwrap_or(Manager::Systemd).restart_line(self.name)
    }

    /// The command with which a user reads its log.
    pub fn log_line(&self) -> String {
        self.manager.unwrap_or(Manager::Systemd).log_line(self.name)
    }

    /// Whether `folder` is its data folder.
    pub fn keeps(&self, folder: &Path) -> bool {
        let own = self.variables.get("DATA_DIR").map(Path::new);
        std::path::absolute(folder).is_ok_and(|folder| own == Some(&folder))
    }

    /// Whether it runs the program of this process.
    pub fn runs_us(&self) -> bool {
        std::env::current_exe().is_ok_and(|exe| self.runs(&exe))
    }

    fn runs(&self, exe: &Path) -> bool {
        // The kernel adds this if the file was replaced after the process had started, by an upgrade in progress.
        let name = exe.to_string_lossy();
        let place = name.strip_suffix(" (deleted)").map_or(exe, Path::new);
        let real = |path: &Path| fs::canonicalize(path).ok();
        let theirs = self.program.as_deref().and_then(real);
        theirs.is_some() && theirs == real(place)
    }
}

/// Whether the calling user has a panel of their own, separate from the machine's.
pub fn has_own_folder() -> bool {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
    !rustix::process::geteuid().is_root() && data.is_some_and(|data| data.join(PANEL).exists())
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// The settings of a unit's files, read in order.
#[derive(Default)]
struct Unit {
    program: Option<PathBuf>,
    variables: BTreeMap<String, String>,
    files: Vec<String>,
}

impl Unit {
    /// Reads one more file. An empty value clears earlier ones.
    fn take(&mut self, text: &str) {
        let mut ours = false;
        for line in text.replace("\\\n", " ").lines().map(str::trim) {
            if line.starts_with('[') {
                ours = line == "[Service]";
            }
            let Some((key, value)) = line.split_once('=').filter(|_| ours) else { continue };
            let value = value.trim();
            match key.trim() {
                "Environment" if value.is_empty() => self.variables.clear(),
                "Environment" => {
                    let words = words(value);
                    self.variables.extend(words.iter().filter_map(|word| {
                        let (name, value) = word.split_once('=')?;
                        plain(name).then(|| (name.to_owned(), meant(value)))
                    }));
                }
                "EnvironmentFile" if value.is_empty() => self.files.clear(),
                "EnvironmentFile" => self.files.push(meant(value.trim_start_matches('-'))),
                "ExecStart" => {
                    let first = words(value.trim_start_matches(['-', '@', ':', '+', '!', '|']));
                    self.program = first.first().map(|word| meant(word).into());
                }
                _ => {}
            }
        }
    }
}

/// Splits a unit's line at blanks outside of quotes.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (_, Some(mark)) if letter == mark => quote = None,
            ('\\', _) => word.get_or_insert_default().extend(letters.next()),
            (blank, None) if blank.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// Expands the two systemd specifiers that occur in the panel's paths.
fn meant(text: &str) -> String {
    text.replace("%S", "/var/lib").replace("%%", "%")
}

/// Parses lines of `NAME=VALUE`, with or without quotes.
fn pairs<'t>(lines: impl Iterator<Item = &'t str>) -> BTreeMap<String, String> {
    let pair = |line: &'t str| {
        let (name, value) = line.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let bare = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(value);
        plain(name).then(|| (name.to_owned(), bare.to_owned()))
    };
    lines.filter_map(pair).collect()
}

fn plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests;
