//! A machine that boots: systemd as process 1 in a container, or OpenRC, with the host's engine under its usual socket
//! name. Its data folder has the same path inside and outside, so that the host's engine finds the games' files.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use super::{Client, binary, seconds, until};

/// The service manager.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manager {
    /// 252, of Debian 12.
    Systemd,
    /// 257, of Debian 13.
    Newer,
    OpenRc,
}

/// The version of the program under test, and another one of the same length, for the same bytes with that version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// See [`VERSION`].
pub(crate) const NEXT: &str = "0.1.9";
/// Path of the service's program.
pub(crate) const PROGRAM: &str = "/usr/local/bin/ctrl-alt-play";
const GUARD: &str = "/usr/local/lib/ctrl-alt-play/guard";

/// A booted machine. Removed when dropped.
pub(crate) struct Booted {
    name: String,
    manager: Manager,
    /// `ctrl-alt-play` or `ctrl-alt-play-agent`.
    service: &'static str,
    folder: tempfile::TempDir,
    ip: String,
}

impl Drop for Booted {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = match self.manager {
                Manager::Systemd | Manager::Newer => {
                    "journalctl --no-pager -n 200 | grep -v 'compat systemd'"
                }
                Manager::OpenRc => "ps axf; cat /var/log/ctrl-alt-play*.log",
            };
            let log = self.try_run(&format!("{log}; ls -la \"$DATA_DIR/upgrade\""));
            let _ = std::io::Write::write_all(&mut std::io::stderr(), &log.stdout);
        }
        let _ = Command::new("docker").args(["rm", "-f", "-v", &self.name]).output();
        // The files belong to users of the machine and of its games.
        super::as_root("rm", &["-rf", self.data().to_str().unwrap()]);
    }
}

impl Booted {
    /// Boots a machine with the service installed and not started.
    pub(crate) async fn with(service: &'static str, settings: &str) -> Self {
        let booted = Self::boot(Manager::Systemd, service).await;
        booted.install(settings);
        booted
    }

    /// Boots a machine without the service, to be installed by the test.
    pub(crate) async fn bare(service: &'static str) -> Self {
        Self::boot(Manager::Systemd, service).await
    }

    /// Like [`Booted::bare`], under OpenRC.
    pub(crate) async fn bare_openrc(service: &'static str) -> Self {
        Self::boot(Manager::OpenRc, service).await
    }

    /// Boots a machine with the service, under a systemd five versions newer.
    pub(crate) async fn under_newer(service: &'static str, settings: &str) -> Self {
        let booted = Self::boot(Manager::Newer, service).await;
        booted.install(settings);
        booted
    }

    /// Boots a machine with the service, under OpenRC.
    pub(crate) async fn under_openrc(service: &'static str, settings: &str) -> Self {
        let booted = Self::boot(Manager::OpenRc, service).await;
        booted.install(settings);
        booted
    }

    async fn boot(manager: Manager, service: &'static str) -> Self {
        image(manager).await;
        super::docker::image().await;
        let folder = tempfile::Builder::new().prefix("booted-").tempdir_in(seen_by_services()).unwrap();
        let at = folder.path().to_str().unwrap().to_owned();
        let name = format!("service-{}", folder.path().file_name().unwrap().to_str().unwrap());
        programs(folder.path());
        let share = format!("{at}:{at}");
        let mut args = vec!["run", "-d", "--name", &name, "--hostname", "booted", "--cgroupns=private"];
        args.extend(["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"]);
        args.extend(["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"]);
        args.extend(["--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp"]);
        args.extend(["-v", "/var/run/docker.sock:/engine.sock", "-v", &share]);
        args.extend(match manager {
            Manager::Systemd => ["cap-test/systemd"].as_slice(),
            Manager::Newer => ["cap-test/systemd-trixie"].as_slice(),
            Manager::OpenRc => ["--init", "cap-test/openrc", "/init"].as_slice(),
        });
        super::docker::docker(&args).await;
        let mut booted = Self { name, manager, service, folder, ip: String::new() };
        booted.up().await;
        booted
    }

    /// Waits until it has booted.
    async fn up(&mut self) {
        until("it has booted", seconds(30), async || {
            let asked = match self.manager {
                Manager::Systemd | Manager::Newer => "systemctl is-system-running",
                Manager::OpenRc => "rc-status -r",
            };
            let state = self.try_run(asked);
            let state = String::from_utf8_lossy(&state.stdout).into_owned();
            matches!(state.trim(), "running" | "degraded" | "default").then_some(())
        })
        .await;
        let format = "{{.NetworkSettings.IPAddress}}";
        self.ip = super::docker::docker(&["inspect", "-f", format, &self.name]).await;
    }

    /// Installs the service like the installer.
    fn install(&self, settings: &str) {
        let (service, data) = (self.service, self.data());
        let agent = if service.ends_with("agent") { "--agent" } else { "" };
        self.run(&format!(
            "useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ctrl-alt-play
             install -m 0755 {folder}/{VERSION} {PROGRAM}
             mkdir -p /usr/local/lib/ctrl-alt-play
             {PROGRAM} service-file guard >{GUARD}
             chmod 0755 {GUARD}
             printf '%s\\n' '{settings}' DATA_DIR={data} >/etc/default/{service}
             chmod 0600 /etc/default/{service}",
            folder = self.folder.path().display(),
            data = data.display(),
        ));
        match self.manager {
            Manager::Systemd | Manager::Newer => {
                self.run(&format!(
                    "mkdir -p /etc/systemd/system/{service}.service.d
                     {PROGRAM} service-file systemd {agent} >/etc/systemd/system/{service}.service"
                ));
                self.drop_in("TimeoutStopSec=10");
            }
            Manager::OpenRc => {
                self.run(&format!(
                    "{PROGRAM} service-file openrc {agent} >/etc/init.d/{service}
                     chmod 0755 /etc/init.d/{service}
                     rc-update add {service} default"
                ));
            }
        }
    }

    /// Adds lines to the unit's `[Service]` section.
    pub(crate) fn drop_in(&self, lines: &str) {
        let service = self.service;
        self.run(&format!(
            "printf '[Service]\\n{lines}\\n' >>/etc/systemd/system/{service}.service.d/test.conf
             systemctl daemon-reload"
        ));
    }

    /// The data folder, inside and outside.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Creates a program of this version on the machine.
    pub(crate) fn program(&self, version: &str) -> PathBuf {
        self.folder.path().join(version)
    }

    /// The path of a file in the upgrade folder.
    pub(crate) fn upgrade(&self, name: &str) -> PathBuf {
        self.data().join("upgrade").join(name)
    }

    /// The address of a port of the machine, seen from here.
    pub(crate) fn address(&self, port: u16) -> String {
        format!("{}:{port}", self.ip)
    }

    /// A client that is not signed in, at the panel's port.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(&self.address(3000), None)
    }

    /// Runs a script as root on the machine; panics if it fails. Returns its output.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> String {
        let output = self.try_run(script);
        let (said, wrong) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{script}: {}\n{said}\n{wrong}", output.status);
        said.trim().to_owned()
    }

    /// Like [`Booted::run`], but may fail.
    pub(crate) fn try_run(&self, script: &str) -> Output {
        let data = format!("DATA_DIR={}", self.data().display());
        let mut command = Command::new("docker");
        command.args(["exec", "-e", &data, &self.name, "sh", "-ec", script]);
        command.output().unwrap()
    }

    /// Runs a script that may fail: whether it succeeded, and its whole output.
    pub(crate) fn said(&self, script: &str) -> (bool, String) {
        let output = self.try_run(&format!("exec 2>&1; {script}"));
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A property of the service.
    pub(crate) fn property(&self, name: &str) -> String {
        self.run(&format!("systemctl show -p {name} --value {}", self.service))
    }

    /// Waits until the service has this state.
    pub(crate) async fn becomes(&self, state: &str, within: Duration) {
        until(&format!("the service is {state}"), within, async || {
            (self.property("ActiveState") == state).then_some(())
        })
        .await;
    }

    /// The service's journal.
    pub(crate) fn journal(&self) -> String {
        self.run(&format!("journalctl --no-pager -u {}", self.service))
    }

    /// Stages a program for an upgrade, like the machine's administrator: [`VERSION`], [`NEXT`] or a script.
    pub(crate) fn stage(&self, version: &str, program: Option<&str>) {
        let (data, folder) = (self.data(), self.folder.path());
        let from = folder.join(if program.is_some() { "script" } else { version });
        if let Some(text) = program {
            std::fs::write(&from, text).unwrap();
        }
        self.run(&format!(
            "cd {data}
             mkdir -p -m 0700 upgrade
             install -m 0755 {from} upgrade/program
             set -- $(sha256sum <upgrade/program)
             echo \"{version} $1\" >upgrade/staged.new
             chown -R ctrl-alt-play: upgrade
             chown 0:0 upgrade/staged.new
             mv upgrade/staged.new upgrade/staged",
            data = data.display(),
            from = from.display(),
        ));
    }

    /// Runs `systemctl restart` without waiting.
    pub(crate) fn restart(&self) {
        self.run(&format!("systemctl restart --no-block {}", self.service));
    }

    /// The outcome of the last upgrade, once it differs from `before`, that of the previous one.
    pub(crate) async fn outcome(&self, before: &str, within: Duration) -> String {
        let path = self.upgrade("outcome");
        until("the upgrade has gone one way or the other", within, async || {
            let outcome = std::fs::read_to_string(&path).unwrap_or_default();
            let settled = !self.upgrade("trial").exists() && !self.upgrade("back").exists();
            (settled && !outcome.is_empty() && outcome != before).then_some(outcome)
        })
        .await
    }

    /// The version of the panel that answers.
    pub(crate) async fn version(&self, within: Duration) -> String {
        let client = self.anonymous();
        until("the panel answers", within, async || {
            let request = client.request(reqwest::Method::GET, "/health").timeout(seconds(2));
            let health: serde_json::Value = request.send().await.ok()?.json().await.ok()?;
            (health["status"] == "ok").then(|| health["version"].as_str().unwrap_or_default().to_owned())
        })
        .await
    }

    /// Kills everything at once, then boots again.
    pub(crate) async fn power_cut(&mut self) {
        super::docker::docker(&["kill", &self.name]).await;
        super::docker::docker(&["start", &self.name]).await;
        self.up().await;
    }
}

/// A folder that services can see: one with a private `/tmp` does not see a checkout below it.
fn seen_by_services() -> &'static Path {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if base.starts_with("/tmp") || base.starts_with("/var/tmp") { Path::new("/var/lib") } else { base }
}

async fn image(manager: Manager) {
    static SYSTEMD: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    static NEWER: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    static OPENRC: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let (once, script) = match manager {
        Manager::Systemd => (&SYSTEMD, ["tests/images/systemd"].as_slice()),
        Manager::Newer => (&NEWER, ["tests/images/systemd", "trixie"].as_slice()),
        Manager::OpenRc => (&OPENRC, ["tests/images/roots", "openrc"].as_slice()),
    };
    once.get_or_init(|| async {
        let mut command = tokio::process::Command::new("bash");
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(script);
        assert!(command.status().await.unwrap().success(), "{script:?}");
    })
    .await;
}

/// The two programs without debug information, which halves their size. Created once per run and linked where needed.
fn programs(into: &Path) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    ONCE.call_once(|| {
        std::fs::create_dir_all(&made).unwrap();
        // Another test run may be doing the same.
        let growing = made.join(format!("growing-{}", std::process::id()));
        let stripped = Command::new("strip").arg("-o").arg(&growing).arg(binary()).status().unwrap();
        assert!(stripped.success());
        let bytes = super::download::renamed(&growing, NEXT);
        std::fs::rename(&growing, made.join(VERSION)).unwrap();
        std::fs::write(&growing, bytes).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&growing, mode).unwrap();
        let said = Command::new(&growing).arg("--version").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), format!("ctrl-alt-play {NEXT}"));
        std::fs::rename(&growing, made.join(NEXT)).unwrap();
    });
    for name in [VERSION, NEXT] {
        let (from, to) = (made.join(name), into.join(name));
        std::fs::hard_link(&from, &to).or_else(|_| std::fs::copy(from, to).map(drop)).unwrap();
    }
}
