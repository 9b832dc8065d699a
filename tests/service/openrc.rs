//! The OpenRC script. There is no OpenRC here: a shell stands in for `openrc-run`, with the functions that it gives to a
//! script, and calls what it would call.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::harness::binary;

/// The supervisor as far as the script sees it: it starts the command in the foreground and says so.
const STAND_IN: &str = r#"
checkpath() { echo "checkpath $*" >>"$CALLS"; }
eerror() { echo "eerror $*" >>"$CALLS"; }
need() { echo "need $*" >>"$CALLS"; }
want() { :; }
use() { echo "use $*" >>"$CALLS"; }
after() { :; }
supervise_start() { echo "started $("$command" --version) as $command_user with $DATA_DIR" >>"$CALLS"; }
supervise_stop() { echo stopped >>"$CALLS"; }
. "$1"
depend && start_pre && supervise_start && start_post
"#;

struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new(agent: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("usr/local");
        fs::create_dir_all(prefix.join("bin")).unwrap();
        fs::create_dir_all(prefix.join("lib/ctrl-alt-play")).unwrap();
        fs::create_dir_all(dir.path().join("data/upgrade")).unwrap();
        let print = |args: &[&str]| {
            let said = Command::new(binary())
                .arg("service-file")
                .args(args)
                .arg("--prefix")
                .arg(&prefix)
                .env_clear()
                .output()
                .unwrap();
            assert!(said.status.success(), "{said:?}");
            String::from_utf8(said.stdout).unwrap()
        };
        script(&prefix.join("lib/ctrl-alt-play/guard"), &print(&["guard"]));
        script(&prefix.join("bin/ctrl-alt-play"), "#!/bin/sh\necho 1.0.0\n");
        let text = print(if agent { &["openrc", "--agent"] } else { &["openrc"] });
        let name = if agent { "ctrl-alt-play-agent" } else { "ctrl-alt-play" };
        let settings = format!("/etc/default/{name}");
        assert!(text.starts_with("#!/sbin/openrc-run\n") && text.contains(&format!("settings={settings}\n")));
        let here = format!("settings={}", dir.path().join("settings").display());
        fs::write(dir.path().join("script"), text.replace(&format!("settings={settings}"), &here)).unwrap();
        let data = dir.path().join("data").display().to_string();
        fs::write(
            dir.path().join("settings"),
            format!("# a note\nDATA_DIR=\"{data}\"\nNAME=$(touch {data}/x) y\n"),
        )
        .unwrap();
        fs::write(dir.path().join("stand-in"), STAND_IN).unwrap();
        Self { dir }
    }

    /// What was called, in order.
    fn start(&self) -> String {
        let calls = self.dir.path().join("calls");
        let _ = fs::remove_file(&calls);
        let ended = Command::new("sh")
            .arg(self.dir.path().join("stand-in"))
            .arg(self.dir.path().join("script"))
            .env("CALLS", &calls)
            .env("CTRL_ALT_PLAY_USER", "nobody-of-this-name")
            .env("CTRL_ALT_PLAY_PATIENCE", "1")
            .env_remove("DATA_DIR")
            .status()
            .unwrap();
        assert!(ended.success());
        fs::read_to_string(calls).unwrap()
    }
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn it_starts_with_its_settings_and_goes_back_where_a_new_program_does_not_come_up() {
    for agent in [false, true] {
        let machine = Machine::new(agent);
        let data = machine.dir.path().join("data");
        let calls = machine.start();
        assert!(calls.starts_with("need localmount\nuse docker podman\ncheckpath --file"), "{calls}");
        let started = format!("started 1.0.0 as ctrl-alt-play:ctrl-alt-play with {}\n", data.display());
        assert!(calls.ends_with(&started), "{calls}");
        assert!(!data.join("x").exists(), "settings are words, and no commands");

        let program = "#!/bin/sh\necho 1.1.0\n";
        script(&data.join("upgrade/program"), program);
        let sum = Command::new("sha256sum").arg(data.join("upgrade/program")).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap();
        fs::write(data.join("upgrade/staged"), format!("1.1.0 {}\n", sum.split(' ').next().unwrap()))
            .unwrap();
        let calls = machine.start();
        let steps: Vec<&str> = calls.lines().skip(3).collect();
        assert!(steps[0].starts_with("started 1.1.0"), "{calls}");
        assert!(steps[1].starts_with("eerror The new program did not come up"), "{calls}");
        assert_eq!(steps[2], "stopped", "{calls}");
        assert!(steps[3].starts_with("started 1.0.0"), "{calls}");
        let outcome = fs::read_to_string(data.join("upgrade/outcome")).unwrap();
        assert!(outcome.contains("result=reverted"), "{outcome}");
    }
}
