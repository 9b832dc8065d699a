//! The container that runs a template's install script: as root, in its own image, with the server's folder and the
//! script, and nothing else of the host.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType};
use protocol::ServerId;

use super::create::{DATA_DIR, DROPPED, MANAGED, SIZE};
use crate::runtime::InstallContainer;

/// Label: id of the server.
pub(super) const INSTALL: &str = "ctrl-alt-play.install";
/// Mount points of the server's folder and of the script's.
const SERVER: &str = "/mnt/server";
const SCRIPT: &str = "/mnt/install";
/// Maximum number of processes and threads: enough for a compiler, too few for a fork bomb.
const PIDS: i64 = 1_024;

/// The container's name, `ctrl-alt-play-ID.install`. Server ids contain no dot.
pub(super) fn name(server_id: &ServerId) -> String {
    format!("ctrl-alt-play-{server_id}.install")
}

/// Paths on the host.
pub(super) struct Places<'p> {
    /// The agent's data folder.
    pub(super) data_dir: &'p Path,
    /// The server's folder.
    pub(super) server: &'p Path,
    /// The script's folder.
    pub(super) script: &'p Path,
}

pub(super) fn body(
    container: &InstallContainer,
    places: &Places<'_>,
    podman: bool,
    network: Option<&str>,
) -> ContainerCreateBody {
    let bind = |source: &Path, target: &str| Mount {
        target: Some(target.to_owned()),
        source: Some(source.display().to_string()),
        typ: Some(MountType::BIND),
        ..Mount::default()
    };
    let some = |value: i64| (value != 0).then_some(value);
    let labels = [
        (MANAGED.to_owned(), "true".to_owned()),
        (INSTALL.to_owned(), container.server_id.to_string()),
        (DATA_DIR.to_owned(), places.data_dir.display().to_string()),
    ];
    ContainerCreateBody {
        hostname: Some("installer".to_owned()),
        image: Some(container.image.clone()),
        cmd: Some(container.command.clone()),
        env: Some(container.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        user: Some("0:0".to_owned()),
        working_dir: Some(SERVER.to_owned()),
        tty: Some(true),
        open_stdin: Some(true),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        labels: Some(HashMap::from(labels)),
        host_config: Some(HostConfig {
            network_mode: network.map(ToOwned::to_owned),
            mounts: Some(vec![bind(places.server, SERVER), bind(places.script, SCRIPT)]),
            tmpfs: Some(HashMap::from([(
                "/tmp".to_owned(),
                "rw,exec,nosuid,nodev,size=100M,mode=1777".to_owned(),
            )])),
            security_opt: Some(vec!["no-new-privileges".into()]),
            cap_drop: Some(DROPPED.iter().map(|&name| name.to_owned()).collect()),
            pids_limit: Some(PIDS),
            memory: some(container.memory),
            memory_swap: some(container.memory),
            cpu_period: (container.cpu > 0).then_some(100_000),
            cpu_quota: (container.cpu > 0).then_some(container.cpu * 1_000),
            log_config: Some(log_config(podman)),
            init: Some(true),
            console_size: Some(vec![usize::from(SIZE.0), usize::from(SIZE.1)]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// The source of the install log: nothing is dropped, and its size is limited.
fn log_config(podman: bool) -> HostConfigLogConfig {
    let config = |pairs: &[(&str, &str)]| {
        Some(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
    };
    if podman {
        return HostConfigLogConfig { typ: Some("json-file".into()), config: config(&[("max-size", "8m")]) };
    }
    HostConfigLogConfig {
        typ: Some("local".into()),
        config: config(&[("max-size", "4m"), ("max-file", "2"), ("compress", "false")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows the full effect of a change to how install containers are created.
    #[test]
    fn the_whole_of_what_is_asked_for() {
        let container = InstallContainer {
            server_id: "abc".into(),
            image: "img:1".into(),
            command: vec!["bash".into(), "/mnt/install/install.sh".into()],
            environment: [("A".to_owned(), "b c".to_owned())].into(),
            server_dir: "/data/servers/abc".into(),
            script_dir: "/data/agent/install/abc".into(),
            memory: 1 << 30,
            cpu: 100,
            block_lan: false,
        };
        let places = Places {
            data_dir: Path::new("/srv/cap"),
            server: Path::new("/srv/cap/servers/abc"),
            script: Path::new("/srv/cap/agent/install/abc"),
        };
        let body = serde_json::to_value(body(&container, &places, false, Some("ctrl-alt-play"))).unwrap();
        let golden = serde_json::json!({
            "Hostname": "installer",
            "Image": "img:1",
            "Cmd": ["bash", "/mnt/install/install.sh"],
            "Env": ["A=b c"],
            "User": "0:0",
            "WorkingDir": "/mnt/server",
            "Tty": true, "OpenStdin": true,
            "AttachStdin": true, "AttachStdout": true, "AttachStderr": true,
            "Labels": {
                "ctrl-alt-play.managed": "true",
                "ctrl-alt-play.install": "abc",
                "ctrl-alt-play.data-dir": "/srv/cap"
            },
            "HostConfig": {
                "Mounts": [
                    {"Target": "/mnt/server", "Source": "/srv/cap/servers/abc", "Type": "bind"},
                    {"Target": "/mnt/install", "Source": "/srv/cap/agent/install/abc", "Type": "bind"},
                ],
                "NetworkMode": "ctrl-alt-play",
                "Tmpfs": {"/tmp": "rw,exec,nosuid,nodev,size=100M,mode=1777"},
                "SecurityOpt": ["no-new-privileges"],
                "CapDrop": DROPPED,
                "PidsLimit": 1024,
                "Memory": 1_073_741_824, "MemorySwap": 1_073_741_824,
                "CpuPeriod": 100_000, "CpuQuota": 100_000,
                "LogConfig": {"Type": "local", "Config": {"max-size": "4m", "max-file": "2", "compress": "false"}},
                "Init": true,
                "ConsoleSize": [50, 250]
            }
        });
        assert_eq!(body, golden);
    }
}
