//! The Debian package, installed and removed on a booted machine.

use std::path::Path;
use std::process::Command;

use super::{Gone, name, packaging, program};
use crate::harness::{docker, seconds, until};

const ARCH: &str = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };

fn make(version: &str, folder: &Path, file: &str) -> String {
    let licences = folder.join("licences.txt");
    std::fs::write(&licences, "The licences of others.\n").unwrap();
    let out = folder.join(file).to_str().unwrap().to_owned();
    let program = program();
    let args = [version, ARCH, program.to_str().unwrap(), licences.to_str().unwrap(), "1700000000", &out];
    packaging("deb/make", &args);
    out
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (make("1.2.3", folder.path(), "a.deb"), make("1.2.3", folder.path(), "b.deb"));
    assert!(std::fs::read(a).unwrap() == std::fs::read(b).unwrap(), "two packages differ");
}

/// Runs a script as root on the machine. Returns its output.
fn run(machine: &str, script: &str) -> String {
    let output = Command::new("docker").args(["exec", machine, "sh", "-ec", script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{script}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[tokio::test]
async fn installed_upgraded_removed_and_purged_on_a_machine_that_boots() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/systemd");
    assert!(Command::new(script).stdout(std::process::Stdio::null()).status().unwrap().success());
    let folder = tempfile::tempdir().unwrap();
    make("1.2.3", folder.path(), "old.deb");
    make("1.2.4", folder.path(), "new.deb");
    let machine = Gone("container", name("debian"));
    let share = format!("{}:/debs:ro", folder.path().display());
    let mut args = vec!["run", "-d", "--name", &machine.1, "--cgroupns=private", "--cap-add", "ALL"];
    args.extend(["--cap-drop", "SYS_RESOURCE", "--security-opt", "seccomp=unconfined"]);
    args.extend(["--security-opt", "apparmor=unconfined", "--tmpfs", "/run", "--tmpfs", "/run/lock"]);
    args.extend(["--tmpfs", "/tmp", "-v", &share, "cap-test/systemd"]);
    docker::docker(&args).await;
    let run = |script: &str| run(&machine.1, script);
    until("it has booted", seconds(60), async || {
        let state = run("systemctl is-system-running || true");
        matches!(state.as_str(), "running" | "degraded").then_some(())
    })
    .await;
    let healthy = async || {
        until("the panel answers", seconds(30), async || {
            (run("curl -fsS -m 2 http://127.0.0.1:3000/health >/dev/null 2>&1 && echo yes || true") == "yes")
                .then_some(())
        })
        .await;
    };

    run("dpkg -i /debs/old.deb");
    healthy().await;
    assert_eq!(run("systemctl is-enabled ctrl-alt-play"), "enabled");
    assert!(run("id -nG ctrl-alt-play").contains("docker"));
    assert_eq!(
        run("stat -c '%a %U' /etc/default/ctrl-alt-play /var/lib/ctrl-alt-play | cut -d' ' -f1 | sort -u"),
        "600\n700"
    );
    let uid: u32 = run("id -u ctrl-alt-play").parse().unwrap();
    assert_ne!(uid, 988, "that is whom games run as");
    run("echo '#mine' >>/etc/default/ctrl-alt-play");
    let token = run("cat /var/lib/ctrl-alt-play/instance.json");
    let before = run("systemctl show -p MainPID --value ctrl-alt-play");

    run("dpkg -i /debs/new.deb");
    healthy().await;
    assert_ne!(run("systemctl show -p MainPID --value ctrl-alt-play"), before, "the new one runs");
    assert_eq!(run("dpkg-query -W -f '${Version}' ctrl-alt-play"), "1.2.4");
    assert_eq!(run("tail -n 1 /etc/default/ctrl-alt-play"), "#mine");
    assert_eq!(run("cat /var/lib/ctrl-alt-play/instance.json"), token, "the same panel");

    run("dpkg -r ctrl-alt-play");
    assert_eq!(run("systemctl is-active ctrl-alt-play || true"), "inactive");
    assert_eq!(
        run("ls /var/lib/ctrl-alt-play/instance.json /etc/default/ctrl-alt-play | wc -l"),
        "2",
        "data and settings stay"
    );
    run("dpkg -P ctrl-alt-play");
    let left = run("ls -d /var/lib/ctrl-alt-play /etc/default/ctrl-alt-play /usr/lib/ctrl-alt-play \
                    /etc/systemd/system/multi-user.target.wants/ctrl-alt-play.service 2>/dev/null || true");
    assert_eq!(left, "");
}
