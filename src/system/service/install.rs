//! `service install`: compares the current state with the required one, shows the difference, and applies it. A second
//! run changes nothing, and completes an interrupted one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::host::ports_taken;
use agent::upgrades::Folder;
use protocol::{Port, Protocol};
use rustix::process::geteuid;

use super::answers::answers;
use super::binary::Binary;
use super::error::ServiceError;
use super::installed::Service;
use super::layout::{Choice, Layout};
use super::manager::Manager;
use super::put::{self, ROOT, has, put};
use super::tools::wait;
use super::{data_dir, links, lock, settings_file, user};
use crate::config::Secret;

/// Interval and total time for checking whether a started service responds.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: u32 = 300;
/// Longest time in seconds to wait for an upgrade that is already in progress.
const TRIAL: u32 = 240;

/// What to install.
pub struct Install {
    /// Which service, and its paths.
    pub choice: Choice,
    /// The program to put in place.
    pub program: PathBuf,
    /// The page's port; `None` to leave it unchanged.
    pub port: Option<u16>,
    /// For an agent: the node it becomes.
    pub node: Option<NodeSettings>,
    /// Whether to enable and start the service.
    pub start: bool,
}

/// Settings that connect an agent to a panel as a node.
pub struct NodeSettings {
    /// The URL of the panel's agent port.
    pub panel_url: String,
    /// The node's id in the panel.
    pub node_id: String,
    /// The node's secret.
    pub secret: Secret,
    /// Hash of the panel's key (`PANEL_PIN`); absent if it is not checked.
    pub pin: Option<String>,
    /// The agent's health port; `None` for the default.
    pub health_port: Option<String>,
}

/// What an installation will do.
#[derive(Default)]
pub struct Plan {
    /// One line per step or note.
    pub lines: Vec<String>,
    /// Whether anything will be changed.
    pub changes: bool,
}

impl Plan {
    fn change(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
        self.changes = true;
    }

    fn note(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }
}

impl Install {
    /// The plan of an installation. `becomes` is the version to be installed if its program has not been downloaded
    /// yet.
    ///
    /// # Errors
    /// The installation cannot succeed.
    pub fn plan(&self, becomes: Option<&str>) -> Result<Plan, ServiceError> {
        let layout = self.layout()?;
        let binary = Binary::new(&layout, &self.program)?;
        let binary = match becomes {
            Some(version) => binary.with_version(version)?,
            None => binary,
        };
        self.check_ports(&layout)?;
        let mut plan = Plan::default();
        self.plan_program(&binary, &layout, &mut plan);
        self.plan_settings(&layout, &mut plan);
        if let Some(manager) = layout.manager {
            plan_user(&mut plan);
            plan_folder(&layout, &mut plan);
            if binary.in_place && files_differ(&layout, manager) {
                plan.change("the service's files are renewed");
            }
            if layout.unfinished().exists() || Folder::of(&layout.data_dir).is_staged() {
                plan.change("what was not finished the last time is finished");
            }
        }
        self.plan_start(&layout, &mut plan);
        Ok(plan)
    }

    /// The addresses of what is installed.
    ///
    /// # Errors
    /// Nothing can be installed here.
    pub fn links(choice: &Choice) -> Result<String, ServiceError> {
        let layout = Layout::new(choice)?;
        let version = super::binary::version(&layout.binary()).unwrap_or_default();
        Ok(links::text(&layout, &version))
    }

    /// Installs the service. Returns the closing message for the user.
    ///
    /// # Errors
    /// Something failed. Completed steps remain, and another run continues from there.
    pub fn install(&self) -> Result<String, ServiceError> {
        if !geteuid().is_root() {
            return Err(ServiceError::NotRoot);
        }
        let _lock = lock::take()?;
        let mut layout = self.layout()?;
        let binary = Binary::new(&layout, &self.program)?;
        self.check_ports(&layout)?;
        let unfinished = layout.unfinished();
        put::make_folder(&layout.lib())?;
        let mut restart = unfinished.exists();
        fs::write(&unfinished, "").map_err(ServiceError::file("written", &unfinished))?;
        let owner = match layout.manager {
            Some(_) => {
                restart |= user::make()?;
                user::ids()
                    .ok_or_else(|| ServiceError::Refused(format!("there is no user {} yet", user::USER)))?
            }
            None => ROOT,
        };
        let (settings, text) = (layout.settings(), self.settings(&layout));
        if !text.is_empty() && put(&settings, &text, 0o600)? {
            restart = true;
            layout.found = found(&layout);
        }
        if let Some(manager) = layout.manager {
            data_dir::make(&layout.data_dir, owner)?;
            if data_dir::has_others(&layout.data_dir, Some(owner)) {
                if layout.runs() {
                    manager.stop(layout.name);
                }
                data_dir::give(&layout.data_dir, owner)?;
            }
        }
        if !binary.in_place {
            if Binary::guarded(&layout) {
                binary.hand_over(&layout, owner)?;
            } else {
                binary.replace(&layout)?;
                restart = true;
            }
        }
        if let Some(manager) = layout.manager {
            self.install_service(&mut layout, manager, restart)?;
        }
        clean_up(&layout).map_err(ServiceError::file("cleaned up", layout.prefix.join("bin")))?;
        Ok(self.last_words(&layout, &binary.version))
    }

    fn layout(&self) -> Result<Layout, ServiceError> {
        let layout = Layout::new(&self.choice)?;
        let waits = |layout: &Layout| {
            let trial = layout.data_dir.join("upgrade/trial").exists();
            trial && layout.manager.is_some_and(|manager| manager.starts(layout.name))
        };
        // Wait for an upgrade in progress, or an interrupted run of this command, to finish.
        for _ in 0..TRIAL {
            if !waits(&layout) {
                break;
            }
            wait(Duration::from_secs(1));
        }
        let named = layout.setting("NODE_ID").is_some() && layout.setting("AGENT_SECRET").is_some();
        if self.choice.agent && self.node.is_none() && !named {
            let why =
                "an agent has to know its panel: copy the whole line that the panel shows under Nodes, Add";
            return Err(ServiceError::Refused(why.to_owned()));
        }
        Ok(layout)
    }

    /// The new content of the settings file.
    fn settings(&self, layout: &Layout) -> String {
        let shown = |path: &Path| path.display().to_string();
        let mut wanted: Vec<(&str, Option<String>)> = Vec::new();
        if let Some(node) = &self.node {
            let port = node.health_port.clone().or_else(|| layout.setting("HEALTH_PORT"));
            wanted.extend([
                ("PANEL_URL", Some(node.panel_url.clone())),
                ("NODE_ID", Some(node.node_id.clone())),
                ("AGENT_SECRET", Some(node.secret.expose().to_owned())),
                ("PANEL_PIN", node.pin.clone()),
                ("DATA_DIR", Some(shown(&layout.data_dir))),
                ("HEALTH_PORT", Some(port.unwrap_or_else(|| "8081".to_owned()))),
            ]);
        }
        wanted.extend(self.port.map(|port| ("PORT", Some(port.to_string()))));
        if let Some(folder) = self.choice.data_dir.as_deref().filter(|_| self.node.is_none()) {
            wanted.push(("DATA_DIR", Some(shown(folder))));
        }
        settings_file::changed(&layout.settings_text(), &wanted)
    }

    /// Detects, before anything is changed, ports that would prevent the start.
    fn check_ports(&self, layout: &Layout) -> Result<(), ServiceError> {
        if !self.start || layout.agent || answers(layout) {
            return Ok(());
        }
        let runs = layout.runs();
        let settings = layout.settings();
        let other = format!("put WEBSOCKET_PORT=8090, say, into {} for another", settings.display());
        let page = "--port N chooses another".to_owned();
        for (name, asked, default, advice) in
            [("PORT", self.port, 3000, page), ("WEBSOCKET_PORT", None, 8080, other)]
        {
            let kept = layout.setting(name).and_then(|port| port.parse().ok());
            let number: u16 = asked.or(kept).unwrap_or(default);
            if number == 0 || (runs && kept.is_none_or(|kept| kept == number)) {
                continue;
            }
            let port = Port { internal: number, external: number, protocol: Protocol::Tcp };
            if !ports_taken(&[port]).is_empty() {
                return Err(ServiceError::Refused(format!(
                    "the port {number} is taken by another program: end that, or {advice}, and run this again; nothing was changed"
                )));
            }
        }
        Ok(())
    }

    fn plan_program(&self, binary: &Binary<'_>, layout: &Layout, plan: &mut Plan) {
        let version = &binary.version;
        match &binary.before {
            _ if binary.in_place => {}
            Some(before) if Binary::guarded(layout) => plan.change(format!(
                "Ctrl-Alt-Play {before} becomes {version}: games run on, and if it does not come up, it goes back by itself"
            )),
            Some(before) => plan.change(format!("Ctrl-Alt-Play {before} becomes {version}; games run on")),
            None => plan.change(format!("the program, version {version}, is put at {}", layout.binary().display())),
        }
    }

    fn plan_settings(&self, layout: &Layout, plan: &mut Plan) {
        let (settings, text) = (layout.settings(), self.settings(layout));
        if text.is_empty() || has(&settings, &text) {
            return;
        }
        plan.change(format!("settings are written to {}", settings.display()));
        let kept = layout.setting("DATA_DIR").unwrap_or_else(|| format!("/var/lib/{}", layout.name));
        if let Some(new) = &self.choice.data_dir
            && *new != Path::new(&kept)
            && Path::new(&kept).is_dir()
        {
            let new = new.display();
            plan.note(format!(
                "the data folder becomes {new}: what is in {kept} stays there and is not used"
            ));
        }
    }

    fn plan_start(&self, layout: &Layout, plan: &mut Plan) {
        let (name, what) = (layout.name, layout.what());
        match layout.manager {
            _ if !self.start => plan.note("nothing is started"),
            Some(manager) if !layout.runs() || !manager.enabled(name) => {
                plan.change(format!("the service {name} is enabled and started"));
            }
            Some(_) if !layout.agent && !answers(layout) => {
                plan.change(format!("the service {name} runs, but does not answer: it is started anew"));
            }
            Some(_) => {}
            None if answers(layout) => {
                plan.note(format!("neither systemd nor OpenRC here, and {what} runs already"));
            }
            None => plan.change(format!(
                "neither systemd nor OpenRC here: {what} runs in the foreground, Ctrl-C ends it, games go on"
            )),
        }
    }

    fn install_service(
        &self,
        layout: &mut Layout,
        manager: Manager,
        mut restart: bool,
    ) -> Result<(), ServiceError> {
        restart |= put(&layout.guard(), &layout.guard_text(), 0o755)?;
        let (text, mode) = layout.service_text(manager);
        restart |= put(&layout.service_file(manager), &text, mode)?;
        manager.reload()?;
        layout.found = found(layout);
        if !self.start {
            return Ok(());
        }
        let name = layout.name;
        if !manager.enabled(name) {
            manager.enable(name)?;
        }
        let runs = layout.runs();
        if runs && !restart && answers(layout) {
            return Ok(());
        }
        manager
            .launch(name, if runs { "restart" } else { "start" })
            .map_err(|error| does_not_answer(layout, manager, &error.to_string()))?;
        for _ in 0..LOOKS {
            if answers(layout) {
                return Ok(());
            }
            if !layout.runs() {
                break;
            }
            wait(LOOK);
        }
        Err(does_not_answer(layout, manager, ""))
    }

    fn last_words(&self, layout: &Layout, version: &str) -> String {
        match layout.manager {
            _ if !self.start => "Installed. Run this again without --no-start to start it.\n".to_owned(),
            Some(_) => links::text(layout, version),
            None if answers(layout) => links::text(layout, version),
            None => {
                let agent = if layout.agent { " --agent" } else { "" };
                format!(
                    "Installed. Neither systemd nor OpenRC is here to start it: {} service run{agent}\n",
                    layout.binary().display()
                )
            }
        }
    }
}

fn found(layout: &Layout) -> Option<Service> {
    if layout.agent { Service::of_agent() } else { Service::of_panel() }
}

fn plan_user(plan: &mut Plan) {
    let (user, groups) = (user::USER, user::missing_groups());
    if user::ids().is_none() {
        plan.change(format!("the user {user} is made, for the service alone"));
    } else if !groups.is_empty() {
        plan.change(format!("the user {user} joins the group {}, for the engine", groups.join(" ")));
    }
}

fn plan_folder(layout: &Layout, plan: &mut Plan) {
    let folder = layout.data_dir.display();
    if !layout.data_dir.is_dir() {
        plan.change(format!("the data folder {folder} is made"));
    } else if data_dir::has_others(&layout.data_dir, user::ids()) {
        plan.change(format!(
            "the service stops for a moment, and {folder} becomes the user's; games run on, their files stay theirs"
        ));
    }
}

fn files_differ(layout: &Layout, manager: Manager) -> bool {
    !has(&layout.service_file(manager), &layout.service_text(manager).0)
        || !has(&layout.guard(), &layout.guard_text())
}

fn does_not_answer(layout: &Layout, manager: Manager, said: &str) -> ServiceError {
    ServiceError::Refused(format!(
        "{} does not answer. {said}\nIts log ends so:\n{}\nCorrect that, then run this again: {}",
        layout.what(),
        manager.last_words(layout.name),
        manager.log_line(layout.name),
    ))
}

/// Removes temporary files left by interrupted runs.
pub(super) fn clean_up(layout: &Layout) -> io::Result<()> {
    let files = layout.manager.map(|manager| layout.service_file(manager));
    for path in files.into_iter().chain([layout.settings(), layout.guard(), layout.binary()]) {
        put::remove(&put::beside(&path, ".new"))?;
    }
    for entry in fs::read_dir(layout.prefix.join("bin")).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(b".ctrl-alt-play-") {
            fs::remove_dir_all(entry.path())?;
        }
    }
    put::remove(&layout.unfinished())?;
    // Empty if there is no guard.
    let _ = fs::remove_dir(layout.lib());
    Ok(())
}
