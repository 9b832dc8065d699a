//! The guard, killed before each of its commands: by a power cut, or by a kill that systemd notices.

use std::fs;

use super::guard::{Machine, NEW, OLD, script};
use crate::harness::as_root;

impl Machine {
    /// Runs the guard until its `n`th command, which kills it and all its children. False if it has ended before.
    fn killed(&self, command: &str, n: usize) -> bool {
        let bin = self.dir.path().join("shims");
        let (count, _) = (self.dir.path().join("count"), fs::create_dir_all(&bin));
        for name in [
            "cat",
            "chmod",
            "chown",
            "cp",
            "cut",
            "date",
            "dirname",
            "find",
            "id",
            "ln",
            "mkdir",
            "mv",
            "rm",
            "sha256sum",
            "stat",
            "sync",
            "timeout",
        ] {
            script(
                &bin.join(name),
                &format!(
                    "#!/bin/sh\necho >>{count}\n[ \"$(/usr/bin/wc -l <{count})\" = {n} ] && kill -9 0\n\
                     PATH=/usr/sbin:/usr/bin:/sbin:/bin exec {name} \"$@\"\n",
                    count = count.display()
                ),
            );
        }
        let _ = fs::remove_file(&count);
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display());
        let mut guard = self.guard(command);
        guard.env("SERVICE_RESULT", "exit-code").env("PATH", path);
        !guard.status().unwrap().success()
    }
}

/// Kills a start before each of its commands; then a power cut follows, or systemd notices the kill.
fn kill_at_each_step(systemd: bool) {
    let place = Memory::new();
    for n in 1.. {
        let machine = Machine::below(place.0.path());
        machine.stage("1.1.0", NEW);
        if !machine.killed("start", n) {
            assert!(n > 30, "only {n} commands were seen");
            return;
        }
        let when = format!("killed at {n}");
        if systemd {
            assert!(machine.ended("signal").success(), "{when}");
        }
        assert!(machine.start().success(), "{when}");
        machine.consistent(&when);
        let fails = machine.on_trial();
        if fails {
            machine.spoil();
        }
        assert!(machine.ended(if fails { "timeout" } else { "success" }).success(), "{when}");
        machine.consistent(&when);
        assert_eq!(machine.runs(), OLD, "{when}");
        // Nothing that is left prevents the next upgrade.
        machine.stage("1.1.0", NEW);
        machine.start();
        machine.consistent(&when);
        assert_eq!(machine.runs(), NEW, "{when}");
    }
}

#[test]
fn a_power_cut_before_any_command_leaves_one_of_the_two_states() {
    kill_at_each_step(false);
}

#[test]
fn a_kill_before_any_command_leaves_one_of_the_two_states() {
    kill_at_each_step(true);
}

#[test]
fn a_kill_on_the_way_back_is_made_good() {
    let place = Memory::new();
    for n in 1.. {
        let machine = Machine::below(place.0.path());
        machine.stage("1.1.0", NEW);
        machine.start();
        machine.spoil();
        if !machine.killed("stop", n) {
            assert!(n > 8, "only {n} commands were seen");
            return;
        }
        // A power cut before systemd notices: the program that is installed at that moment is started again, and
        // damages the database if it is the new one.
        assert!(machine.start().success(), "killed at {n}");
        if machine.on_trial() {
            machine.spoil();
            assert!(machine.ended("exit-code").success(), "killed at {n}");
        }
        machine.consistent(&format!("killed at {n}"));
        assert_eq!(machine.runs(), OLD, "killed at {n}");
        assert!(machine.outcome().contains("result=reverted"), "killed at {n}: {}", machine.outcome());
    }
}

/// A folder in memory, so that nothing waits for a disk.
struct Memory(tempfile::TempDir);

impl Memory {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().to_str().unwrap();
        assert!(as_root("mount", &["-t", "tmpfs", "-o", "size=16m", "cap-guard", at]), "needs root");
        Self(dir)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        as_root("umount", &["-l", self.0.path().to_str().unwrap()]);
    }
}
