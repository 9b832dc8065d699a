//! The service's user: a user of its own, in the groups that may use the engine.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use super::error::ServiceError;
use super::put::Owner;
use super::tools::{have, printed, run, wait};

/// Name of the user and of its group.
pub(super) const USER: &str = "ctrl-alt-play";
const HOME: &str = "/var/lib/ctrl-alt-play";
const ENGINE_GROUP: &str = "docker";
const ENGINE_SOCKET: &str = "/var/run/docker.sock";
/// Attempts to remove the user, and the pause between them.
const ATTEMPTS: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(500);

/// User and group id; `None` if the user does not exist.
pub(super) fn ids() -> Option<Owner> {
    let id = |option| printed("id", &[option, USER])?.parse().ok();
    Some((id("-u")?, id("-g")?))
}

/// Groups of the engine that the user is not a member of yet.
pub(super) fn missing_groups() -> Vec<String> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let socket = fs::metadata(ENGINE_SOCKET).ok().map(|socket| socket.gid());
    let has = printed("id", &["-nG", USER]).unwrap_or_default();
    let has: Vec<&str> = has.split_whitespace().collect();
    wanted_groups(&groups, socket).into_iter().filter(|group| !has.contains(&group.as_str())).collect()
}

/// `docker`, and the group of the engine's socket if it is another one.
fn wanted_groups(groups: &str, socket: Option<u32>) -> Vec<String> {
    let lines = groups.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.nth(1)?.parse::<u32>().ok()?))
    });
    let wanted = lines.filter(|(name, id)| *name == ENGINE_GROUP || (Some(*id) == socket && *id != 0));
    wanted.map(|(name, _)| name.to_owned()).collect()
}

/// Creates the user and adds it to its groups, where missing. Returns whether groups were added: its processes have to
/// be restarted for them.
pub(super) fn make() -> Result<bool, ServiceError> {
    if ids().is_none() {
        add()?;
    }
    let groups = missing_groups();
    for group in &groups {
        let doing = format!("adding the user {USER} to the group {group}");
        if have("usermod") {
            run(&doing, "usermod", &["-aG", group, USER])?;
        } else {
            run(&doing, "addgroup", &[USER, group])?;
        }
    }
    Ok(!groups.is_empty())
}

/// With the tools of Debian and similar systems, or with busybox's.
fn add() -> Result<(), ServiceError> {
    let shells = ["/usr/sbin/nologin", "/sbin/nologin"];
    let shell = shells.into_iter().find(|shell| Path::new(shell).exists()).unwrap_or(shells[1]);
    // The group may be left over from a user that was removed by hand.
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let group = groups.lines().any(|line| line.split(':').next() == Some(USER));
    let doing = format!("making the user {USER}");
    if have("useradd") {
        let own: &[&str] = if group { &["--gid", USER] } else { &["--user-group"] };
        let rest = ["--no-create-home", "--home-dir", HOME, "--shell", shell, USER];
        return run(&doing, "useradd", &[&["--system"], own, &rest].concat());
    }
    if !group {
        run(&format!("making the group {USER}"), "addgroup", &["-S", USER])?;
    }
    run(&doing, "adduser", &["-S", "-D", "-H", "-h", HOME, "-s", shell, "-G", USER, USER])
}

/// Removes the user. A missing user is fine.
pub(super) fn remove() -> Result<(), ServiceError> {
    if ids().is_none() {
        return Ok(());
    }
    let tool = if have("userdel") { "userdel" } else { "deluser" };
    let attempt = || run(&format!("removing the user {USER}"), tool, &[USER]);
    // A process of the user that is just ending still counts.
    for _ in 0..ATTEMPTS {
        if attempt().is_ok() {
            return Ok(());
        }
        wait(BETWEEN);
    }
    attempt()
}

#[cfg(test)]
mod tests {
    use super::wanted_groups;

    #[test]
    fn the_engines_groups() {
        let groups = "root:x:0:\ndocker:x:991:ann\nengine:x:992:\nodd\n";
        assert_eq!(wanted_groups(groups, None), ["docker"]);
        assert_eq!(wanted_groups(groups, Some(991)), ["docker"]);
        assert_eq!(wanted_groups(groups, Some(992)), ["docker", "engine"]);
        assert_eq!(wanted_groups(groups, Some(0)), ["docker"], "a socket of root's is for root alone");
        assert!(wanted_groups("", Some(7)).is_empty());
    }
}
