//! The container engine: whether it is available, accessible and new enough.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use agent::docker::{EngineAway, EngineFacts};

use super::views::Finding;

/// Findings from the engine's answer.
pub(super) fn engine(found: &Result<EngineFacts, EngineAway>) -> Vec<Finding> {
    match found {
        Ok(facts) => there(facts),
        Err(missing) => vec![away(missing)],
    }
}

fn there(facts: &EngineFacts) -> Vec<Finding> {
    let name = if facts.podman { "Podman" } else { "Docker" };
    let mut found = Vec::new();
    // Podman implements Docker's API but has its own version numbers.
    if api(&facts.api_version).is_some_and(|api| api < (1, 41)) {
        let detail = format!("{name} {} speaks API {}.", facts.version, facts.api_version);
        let advice = "Docker 20.10 (API 1.41) or newer is needed: upgrade it, on Debian with `sudo apt install docker.io`.";
        found.push(Finding::problem("engine", "engine_old", "The engine is too old", detail, advice));
    } else {
        let rootless = if facts.rootless { ", rootless" } else { "" };
        let detail = format!(
            "{name} {} answers at {} (API {}{rootless}).",
            facts.version, facts.endpoint, facts.api_version
        );
        found.push(Finding::ok("engine", "engine", "Container engine", detail));
    }
    if facts.podman {
        let detail = "Podman's socket is spoken to as Docker's is, but it is not part of the tests.";
        let advice = "Where something is odd, try it with Docker: `sudo apt install docker.io`.";
        found.push(Finding::note("engine", "engine_podman", "Podman", detail, advice));
    }
    if facts.driver.as_deref() == Some("vfs") {
        let detail =
            "The engine stores with `vfs`, which copies whole images: slow, and many times the space.";
        let advice = "Put the engine's folder on ext4, XFS or Btrfs and let it use overlay2 (`docker info` shows which).";
        found.push(Finding::warning("engine", "engine_vfs", "Images are stored wastefully", detail, advice));
    }
    if facts.rootless {
        let detail = "A rootless engine may not give files to other users, and often not hold limits.";
        let advice = "Use the system's engine where limits matter: `sudo systemctl enable --now docker`.";
        found.push(Finding::note("engine", "engine_rootless", "The engine is rootless", detail, advice));
    }
    found
}

fn api(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn away(missing: &EngineAway) -> Finding {
    let detail = format!("{}: {}.", missing.endpoint, missing.cause.trim_end_matches('.'));
    let Some(socket) = &missing.socket else {
        let advice = "Start the engine there, or correct DOCKER_HOST.";
        return Finding::problem(
            "engine",
            "engine_unavailable",
            "No container engine answers",
            detail,
            advice,
        );
    };
    let (code, title, advice) = diagnose(socket);
    Finding::problem("engine", code, title, detail, &advice)
}

/// Why a socket does not respond: code, title and advice.
fn diagnose(socket: &Path) -> (&'static str, &'static str, String) {
    use rustix::fs::{Access, access};
    let found = std::fs::metadata(socket);
    match &found {
        Err(cause) if cause.kind() == ErrorKind::NotFound => (
            "engine_missing",
            "There is no container engine",
            "Install one (Debian: `sudo apt install docker.io`), or start it: `sudo systemctl enable --now docker`."
                .to_owned(),
        ),
        Ok(file) if !file.file_type().is_socket() => (
            "engine_unavailable",
            "What stands for the engine's socket is none",
            format!("Remove it and start the engine: `sudo rm -r {}`, `sudo systemctl restart docker`.", socket.display()),
        ),
        _ if access(socket, Access::WRITE_OK | Access::READ_OK).is_err() => {
            let group = found.map_or(0, |file| file.gid());
            (
                "engine_forbidden",
                "The engine may not be asked",
                format!(
                    "The socket belongs to group {group} (`docker` usually): `sudo usermod -aG docker USER` for the \
                     user that the panel runs as, then start it again. Whoever is in it can become root."
                ),
            )
        }
        _ => (
            "engine_stopped",
            "The engine does not answer",
            "Start it: `sudo systemctl restart docker`; what it says: `sudo journalctl -u docker -n 50`."
                .to_owned(),
        ),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::codes;
    use super::*;

    pub(in super::super) fn docker() -> EngineFacts {
        EngineFacts {
            endpoint: "unix:///run/docker.sock".into(),
            podman: false,
            version: "20.10.24".into(),
            api_version: "1.41".into(),
            limits: None,
            driver: Some("overlay2".into()),
            root: None,
            rootless: false,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn an_engine_is_well_old_or_another_make() {
        assert_eq!(codes(&engine(&Ok(docker()))), ["engine"]);
        let old = EngineFacts { version: "18.09.1".into(), api_version: "1.39".into(), ..docker() };
        assert_eq!(codes(&engine(&Ok(old))), ["engine_old"]);
        let podman = EngineFacts { podman: true, version: "4.3.1".into(), rootless: true, ..docker() };
        assert_eq!(codes(&engine(&Ok(podman))), ["engine", "engine_podman", "engine_rootless"]);
        let vfs = EngineFacts { driver: Some("vfs".into()), ..docker() };
        assert_eq!(codes(&engine(&Ok(vfs))), ["engine", "engine_vfs"]);
    }

    #[test]
    fn one_that_is_away_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &Path| {
            let socket = Some(path.to_owned());
            let missing = EngineAway { endpoint: path.display().to_string(), socket, cause: "no".into() };
            engine(&Err(missing)).remove(0)
        };
        assert_eq!(at(&folder.path().join("none.sock")).code, "engine_missing");
        let file = folder.path().join("file.sock");
        std::fs::write(&file, "").unwrap();
        assert_eq!(at(&file).code, "engine_unavailable");
        let dead = folder.path().join("dead.sock");
        drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
        let stopped = at(&dead);
        assert_eq!(stopped.code, "engine_stopped");
        assert!(stopped.advice.unwrap().contains("systemctl"));
        let far = EngineAway { endpoint: "tcp://far:2375".into(), socket: None, cause: "refused".into() };
        assert!(engine(&Err(far))[0].advice.as_deref().unwrap().contains("DOCKER_HOST"));
    }
}
