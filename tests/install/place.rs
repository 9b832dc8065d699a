//! A machine to install on: a container of one of the root file systems, with its own address, so that all its ports
//! are free.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::{docker, seconds, until};

/// A container for an installation. Removed when dropped.
pub(crate) struct Place {
    name: String,
    env: Vec<(String, String)>,
}

/// Exit code and output of a command in it.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) text: String,
}

impl Said {
    /// Panics unless it succeeded. Returns the output.
    pub(crate) fn well(self) -> String {
        assert_eq!(self.code, 0, "{}", self.text);
        self.text
    }

    /// Panics unless it failed with these words, and a single `error: ` line.
    pub(crate) fn refused(self, words: &str) -> String {
        assert_ne!(self.code, 0, "{}", self.text);
        let error = self.text.lines().filter(|line| line.starts_with("error: ")).collect::<Vec<_>>();
        assert_eq!(error.len(), 1, "{}", self.text);
        assert!(self.text.contains(words), "`{words}` is not in: {}", self.text);
        self.text
    }
}

impl Place {
    /// A fresh container of this root file system.
    pub(crate) fn of(root: &str) -> Self {
        Self::with(root, &[])
    }

    /// The same with more arguments for `docker run`.
    pub(crate) fn with(root: &str, more: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("installer-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let here = env!("CARGO_MANIFEST_DIR");
        let made = Command::new("docker")
            .args(["run", "-d", "--rm", "--init", "--name", &name])
            .args(["-v", &format!("{here}/install.sh:/checked/install.sh:ro")])
            .args(["-v", &format!("{here}/tests/install/stubs:/stubs:ro")])
            .args(["-v", &format!("{here}/packaging:/packaging:ro")])
            .args(["-v", &format!("{}:/real:ro", super::real::folder().display())])
            .args(more)
            .args([&format!("cap-test/{root}"), "sleep", "3600"])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}: has tests/images/roots been run?",
            String::from_utf8_lossy(&made.stderr)
        );
        Self { name, env: Vec::new() }
    }

    /// With OpenRC, as far as install.sh uses it: it starts and stops the service.
    pub(crate) fn with_openrc(root: &str, more: &[&str]) -> Self {
        // SYS_PTRACE is required to see which program a service runs.
        let place = Self::with(root, &[more, &["--cap-add", "SYS_PTRACE"]].concat());
        place.sh("mkdir -p /run/openrc /etc/init.d /usr/sbin /var/log; ln -s /stubs/rc-service /stubs/rc-update /usr/sbin/").well();
        place
    }

    /// Sets a variable for all commands in it.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Trusts this key, and downloads releases from this address.
    pub(crate) fn trusting(self, key: &str, download: &str) -> Self {
        self.env("CTRL_ALT_PLAY_KEY", key).env("CTRL_ALT_PLAY_DOWNLOAD", download)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["exec", "-i"]);
        for (name, value) in &self.env {
            command.args(["-e", &format!("{name}={value}")]);
        }
        command.arg(&self.name).args(words);
        command
    }

    /// Waits until a panel answers on this port.
    pub(crate) async fn answers(&self, port: u16) {
        let address =
            docker::said("docker", &["inspect", "-f", "{{.NetworkSettings.IPAddress}}", &self.name]);
        until("the panel answers", seconds(20), async || {
            let answer = reqwest::get(format!("http://{address}:{port}/health")).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Runs a script as root.
    pub(crate) fn sh(&self, script: &str) -> Said {
        self.words(&["sh", "-c", &format!("exec 2>&1; {script}")])
    }

    /// Runs a command as root.
    pub(crate) fn words(&self, words: &[&str]) -> Said {
        let out = self.command(words).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
        Said { code: out.status.code().unwrap(), text: text.into_owned() }
    }

    /// Pipes install.sh to a shell with these options, as most users run it.
    pub(crate) fn install(&self, options: &str) -> Said {
        self.sh(&format!("cat /checked/install.sh | sh -s -- {options}"))
    }

    /// The same in the background.
    pub(crate) fn begin(&self, options: &str) -> std::process::Child {
        self.begin_sh(&format!("sh -s -- {options} </checked/install.sh"))
    }

    /// Runs a script as root in the background.
    pub(crate) fn begin_sh(&self, script: &str) -> std::process::Child {
        let script = format!("exec 2>&1; {script}");
        self.command(&["sh", "-c", &script]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Writes a file with this mode.
    pub(crate) fn write(&self, path: &str, mode: &str, text: &[u8]) {
        let script = format!("mkdir -p \"$(dirname {path})\" && cat >{path} && chmod {mode} {path}");
        let mut child = self.command(&["sh", "-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text).unwrap();
        assert!(child.wait().unwrap().success(), "{path}");
    }

    /// Notes the time, for [`Place::touched`].
    pub(crate) fn mark(&self) {
        // File times have the resolution of the kernel's tick, so waits until later files get a newer time.
        self.sh("touch /mark; until touch /later && [ /later -nt /mark ]; do :; done").well();
    }

    /// Files and folders that were written, created or removed since the mark.
    pub(crate) fn touched(&self) -> String {
        self.sh(
            "find / -xdev -newer /mark ! -path / ! -path '/tmp*' ! -path '/run*' ! -path /later ! -path '/dev*' \
             ! -path '/proc*' ! -path '/sys*' ! -path '/var/log*' ! -path /usr/local/bin ! -path /root ! -path '/var/lib/ctrl-alt-play*' \
             ! -path '/var/cache*' | sort; find /usr/local/bin -mindepth 1 -name '.*' 2>/dev/null; find /tmp -name 'tmp.*'; true",
        )
        .well()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-f", "-v", &self.name]).output();
    }
}
