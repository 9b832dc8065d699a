//! The service's user: one that is nobody else's, in the groups that let it use the engine.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use super::error::ServiceError;
use super::put::Owner;
use super::tools::{have, printed, run, wait};

/// Its name, and its group's.
pub(super) const USER: &str = "ctrl-alt-play";
const HOME: &str = "/var/lib/ctrl-alt-play";
const ENGINE_GROUP: &str = "docker";
const ENGINE_SOCKET: &str = "/var/run/docker.sock";
/// How often the user's removal is tried again, and how long after a failure.
const ATTEMPTS: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(500);

/// User and group id; none where there is no such user.
pub(super) fn ids() -> Option<Owner> {
    let id = |option| printed("id", &[option, USER])?.parse().ok();
    Some((id("-u")?, id("-g")?))
}

/// The engine's groups that the user is not in yet.
pub(super) fn missing_groups() -> Vec<String> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let socket = fs::metadata(ENGINE_SOCKET).ok().map(|socket| socket.gid());
    let has = printed("id", &["-nG", USER]).unwrap_or_default();
    let has: Vec<&str> = has.split_whitespace().collect();
    wanted_groups(&groups, socket).into_iter().filter(|group| !has.contains(&group.as_str())).collect()
}

/// `docker`, and the group of the engine's socket where that is another one.
fn wanted_groups(groups: &str, socket: Option<u32>) -> Vec<String> {
    let lines = groups.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.nth(1)?.parse::<u32>().ok()?))
    });
    let wanted = lines.filter(|(name, id)| *name == ENGINE_GROUP || (Some(*id) == socket && *id != 0));
    wanted.map(|(name, _)| name.to_owned()).collect()
}

/// Makes the user and lets it join its groups, as far as that is not done. Whether anything had to be done for a user that
/// may run already.
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

/// By the tools of Debian and its like, or by those of busybox.
fn add() -> Result<(), ServiceError> {
    let shells = ["/usr/sbin/nologin", "/sbin/nologin"];
    let shell = shells.into_iter().find(|shell| Path::new(shell).exists()).unwrap_or(shells[1]);
    // Left over from a user that was removed by hand.
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

/// Removes the user; one that is not there is removed already.
pub(super) fn remove() -> Result<(), ServiceError> {
    if ids().is_none() {
        return Ok(());
    }
    let tool = if have("userdel") { "userdel" } else { "deluser" };
    let attempt = || run(&format!("removing the user {USER}"), tool, &[USER]);
    // A process of that user which is just ending still counts.
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
