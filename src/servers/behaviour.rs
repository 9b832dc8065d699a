//! Validates the behaviour that an agent reports for an image against what a template may contain.

use std::path::Path;

use agent::console::Ready;
use storage::servers::{Behaviour, ContainerUser, Stop};

use super::validate::{self, ValidationErrors};

const PATH_BYTES: usize = 255;
const READY_BYTES: usize = 1024;
/// Allowed stop timeout in seconds.
const STOP_TIMEOUT: std::ops::RangeInclusive<u32> = 1..=3600;
/// Largest user id that the engine accepts.
const MOST_ID: u32 = i32::MAX as u32;

/// Top-level folders of an image with programs and settings. Whoever can write there decides what runs, and as which
/// user. Folders below them are refused too.
const SYSTEM: [&str; 13] =
    ["bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys", "snap"];
/// Deeper folders of the same kind.
const SYSTEM_BELOW: [&str; 10] = [
    "usr/bin",
    "usr/sbin",
    "usr/lib",
    "usr/lib32",
    "usr/lib64",
    "usr/libexec",
    "usr/local/bin",
    "usr/local/sbin",
    "usr/local/lib",
    "var/run",
];
/// Folders of the same kind, but folders below them are allowed.
const SYSTEM_ALONE: [&str; 4] = ["usr", "usr/local", "var", "tmp"];

/// Signals that may be used to stop a game.
const SIGNALS: [&str; 15] = [
    "HUP", "INT", "QUIT", "KILL", "TERM", "USR1", "USR2", "ALRM", "ABRT", "PIPE", "WINCH", "PWR", "IO",
    "URG", "CONT",
];

/// Adds every error under its key in the agent protocol.
pub(super) fn check(behaviour: &Behaviour, faults: &mut ValidationErrors) {
    if let ContainerUser::Fixed(pair) = &behaviour.user
        && !is_plain_user(pair)
    {
        faults.add("user", "must be uid:gid in numbers, and not root (0)");
    }
    if let Err(problem) = mount_point(&behaviour.data_path) {
        faults.add("dataPath", problem);
    }
    let working_dir = behaviour.working_dir.as_deref().unwrap_or_default();
    if !matches!(working_dir, "" | "/") && !is_plain_path(working_dir) {
        faults.add("workingDir", "must be an absolute path without . and ..");
    }
    match &behaviour.stop {
        Stop::Command(line) => {
            if let Some(problem) = validate::command_problem(line) {
                faults.add("stop", problem);
            }
        }
        Stop::Signal(name) => {
            if !SIGNALS.contains(&name.strip_prefix("SIG").unwrap_or(name)) {
                faults.add("stop", "must be the name of a signal, such as SIGTERM");
            }
        }
    }
    if !STOP_TIMEOUT.contains(&behaviour.stop_timeout_secs) {
        let (least, most) = (STOP_TIMEOUT.start(), STOP_TIMEOUT.end());
        faults.add("stopTimeout", format!("must be from {least} to {most}"));
    }
    if let Some(ready) = &behaviour.ready
        && let Err(problem) = ready_line(ready)
    {
        faults.add("ready", problem);
    }
}

/// Whether `pair` has the usual form `uid:gid` and is not root.
fn is_plain_user(pair: &str) -> bool {
    let id = |text: &str| {
        let digits = !text.is_empty() && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit());
        digits && !text.starts_with('0') && text.parse().is_ok_and(|id: u32| (1..=MOST_ID).contains(&id))
    };
    pair.split_once(':').is_some_and(|(uid, gid)| id(uid) && id(gid))
}

/// Whether `path` can only be read as one place by an engine.
fn is_plain_path(path: &str) -> bool {
    path.len() <= PATH_BYTES
        && !path.chars().any(|c| c.is_control() || c == ':' || c == '\\')
        && path.strip_prefix('/').is_some_and(|rest| {
            rest.split('/').all(|part| !part.trim().is_empty() && part != "." && part != "..")
        })
}

fn mount_point(path: &str) -> Result<(), &'static str> {
    if !is_plain_path(path) {
        return Err("must be an absolute path without . and ..");
    }
    let inside = path.trim_start_matches('/');
    let first = inside.split('/').next().unwrap_or_default();
    let below = |folder: &&str| Path::new(inside).starts_with(folder);
    if SYSTEM.contains(&first) || SYSTEM_ALONE.contains(&inside) || SYSTEM_BELOW.iter().any(below) {
        return Err("must not be a folder of the image's system");
    }
    Ok(())
}

fn ready_line(ready: &str) -> Result<(), String> {
    if ready.is_empty() || ready == "regex:" || ready.len() > READY_BYTES {
        return Err(format!("must have 1 to {READY_BYTES} bytes"));
    }
    if ready.chars().any(char::is_control) {
        return Err("must not contain control characters".to_owned());
    }
    Ready::parse(ready).map(drop).map_err(|_| "must be a regular expression after regex:".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(change: impl FnOnce(&mut Behaviour)) -> Vec<String> {
        let mut behaviour = Behaviour::default();
        change(&mut behaviour);
        let mut faults = ValidationErrors::default();
        check(&behaviour, &mut faults);
        faults.into_map().into_keys().collect()
    }

    #[test]
    fn every_template_of_ours_passes() {
        for template in crate::templates::list() {
            let mut faults = ValidationErrors::default();
            check(&template.behaviour, &mut faults);
            assert!(faults.into_map().is_empty(), "{}", template.id);
        }
    }

    #[test]
    fn a_user_is_two_numbers_and_never_root() {
        let user = |pair: &str| faults(|b| b.user = ContainerUser::Fixed(pair.into()));
        for good in ["988:988", "1000:1", "2147483647:2147483647"] {
            assert!(user(good).is_empty(), "{good}");
        }
        for bad in [
            "",
            "0",
            "0:0",
            "0:988",
            "988:0",
            "00:00",
            "+0:+0",
            "-1:-1",
            "4294967295:4294967295",
            "2147483648:1",
            "root",
            "root:root",
            "988",
            "988:",
            "988:988:0",
            " 988:988",
            "988:988\n",
            "0x0:0",
            "٠:٠",
        ] {
            assert_eq!(user(bad), ["user"], "{bad:?}");
        }
    }

    #[test]
    fn data_lies_in_no_folder_of_the_system() {
        let at = |path: &str| faults(|b| b.data_path = path.into());
        for good in [
            "/data",
            "/home/container",
            "/var/lib/minetest",
            "/opt/game",
            "/usr/src/app",
            "/factorio",
            "/srv/a b",
        ] {
            assert!(at(good).is_empty(), "{good}");
        }
        for bad in [
            "",
            "/",
            "data",
            "./data",
            "//",
            "/data/",
            "/data//x",
            "/data/../etc",
            "/..",
            "/.",
            "/etc",
            "/etc/passwd",
            "/proc",
            "/sys/fs",
            "/dev/shm",
            "/bin",
            "/sbin",
            "/lib64",
            "/usr",
            "/usr/bin",
            "/usr/local/bin/x",
            "/run",
            "/var/run/docker.sock",
            "/tmp",
            "/data:ro",
            "/a\\b",
            "/a\nb",
            "/a\0",
            "/ /x",
            &format!("/{}", "a".repeat(300)),
        ] {
            assert_eq!(at(bad), ["dataPath"], "{bad:?}");
        }
        let works_in = |path: &str| faults(|b| b.working_dir = Some(path.into()));
        for good in ["", "/", "/data", "/usr/bin"] {
            assert!(works_in(good).is_empty(), "{good}");
        }
        for bad in ["data", "/a/../b", "/a\n", "/a//b"] {
            assert_eq!(works_in(bad), ["workingDir"], "{bad:?}");
        }
    }

    #[test]
    fn a_stop_is_one_line_or_a_signal() {
        let command = |line: &str| faults(|b| b.stop = Stop::Command(line.into()));
        assert!(command("stop").is_empty());
        for bad in ["", "stop\nop eve", "stop\r", "a\u{1b}[2J", "\u{85}", &"x".repeat(4001)] {
            assert_eq!(command(bad), ["stop"], "{bad:?}");
        }
        let signal = |name: &str| faults(|b| b.stop = Stop::Signal(name.into()));
        assert!(signal("SIGINT").is_empty() && signal("TERM").is_empty());
        for bad in ["", "SIG", "SIGSTOP", "sigterm", "SIGTERM\n", "9", "SIGTERM; id"] {
            assert_eq!(signal(bad), ["stop"], "{bad:?}");
        }
        for bad in [0, 3601, u32::MAX] {
            assert_eq!(faults(|b| b.stop_timeout_secs = bad), ["stopTimeout"], "{bad}");
        }
    }

    #[test]
    fn a_ready_line_can_be_looked_for() {
        let ready = |text: &str| faults(|b| b.ready = Some(text.into()));
        assert!(ready("Done").is_empty() && ready("regex:Done \\(.*\\)!").is_empty());
        for bad in [
            "",
            "regex:",
            "regex:(",
            "a\nb",
            "\u{1b}[31m",
            &"x".repeat(1025),
            &format!("regex:{}", "(a{999}){99}"),
        ] {
            assert_eq!(ready(bad), ["ready"], "{bad:?}");
        }
    }
}
