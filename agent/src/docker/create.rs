//! Builds the engine's request to create a container. Settings that are not written here cannot be used.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, PortBinding, PortMap,
    RestartPolicy, RestartPolicyNameEnum,
};
use protocol::ServerId;

use crate::runtime::Container;

/// Label: managed by an agent.
pub(super) const MANAGED: &str = "ctrl-alt-play.managed";
/// Label: id of the server.
pub(super) const SERVER_ID: &str = "ctrl-alt-play.server-id";
/// Label: data folder of the agent that created it.
pub(super) const DATA_DIR: &str = "ctrl-alt-play.data-dir";

/// Label: fingerprint of the settings it was created with.
pub(super) const SETTINGS: &str = "ctrl-alt-play.settings";

/// Rows and columns of the terminal.
pub(super) const SIZE: (u16, u16) = (50, 250);

/// Capabilities dropped even for containers that run as the image's user and may change to another one.
pub(super) const DROPPED: [&str; 6] = ["SETPCAP", "MKNOD", "AUDIT_WRITE", "NET_RAW", "SYS_CHROOT", "SETFCAP"];

/// Paths on the host.
pub(super) struct Places {
    /// The agent's data folder.
    pub(super) data_dir: PathBuf,
    /// The server's folder.
    pub(super) server: PathBuf,
    /// Mounted files and their paths in the container.
    pub(super) files: Vec<(PathBuf, String)>,
}

/// The container's name, `ctrl-alt-play-ID`.
pub(super) fn name(server_id: &ServerId) -> String {
    format!("ctrl-alt-play-{server_id}")
}

/// The requested variables, and our defaults for those that neither the request nor the image sets.
fn environment(container: &Container, image: &BTreeMap<String, String>) -> Vec<String> {
    let said = |name: &str| match image.get(name).map(String::as_str) {
        None | Some("") => false,
        // Root's home directory does not suit other users.
        Some("/root" | "/") => name != "HOME",
        Some(_) => true,
    };
    let ours = container
        .process
        .defaults
        .iter()
        .filter(|(name, _)| !container.process.environment.contains_key(*name) && !said(name));
    container.process.environment.iter().chain(ours).map(|(name, value)| format!("{name}={value}")).collect()
}

/// The request body. `image` has the variables set by the image; `network` is one of ours, `None` for the engine's
/// default.
pub(super) fn body(
    container: &Container,
    image: &BTreeMap<String, String>,
    places: &Places,
    podman: bool,
    network: Option<&str>,
) -> ContainerCreateBody {
    let ports = container.ports.iter().map(|port| {
        let binding = PortBinding { host_ip: None, host_port: Some(port.external.to_string()) };
        (format!("{}/{}", port.internal, port.protocol.as_str()), binding)
    });
    let mut bindings = PortMap::new();
    for (port, binding) in ports {
        bindings.entry(port).or_insert_with(|| Some(Vec::new())).get_or_insert_default().push(binding);
    }
    let labels = [
        (MANAGED.to_owned(), "true".to_owned()),
        (SERVER_ID.to_owned(), container.server_id.to_string()),
        (DATA_DIR.to_owned(), places.data_dir.display().to_string()),
        (SETTINGS.to_owned(), container.settings.clone()),
    ];
    ContainerCreateBody {
        hostname: Some(container.server_id.chars().take(63).collect()),
        image: Some(container.image.clone()),
        entrypoint: container
            .process
            .command
            .as_ref()
            .map(|command| command[..command.len().min(2)].to_vec()),
        cmd: container.process.command.as_ref().map(|command| command[command.len().min(2)..].to_vec()),
        env: Some(environment(container, image)),
        user: container.process.user.clone(),
        working_dir: container.process.working_dir.clone(),
        tty: Some(true),
        open_stdin: Some(true),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        stop_signal: container.process.stop_signal.clone(),
        exposed_ports: Some(bindings.keys().cloned().collect()),
        labels: Some(HashMap::from(labels)),
        host_config: Some(HostConfig {
            network_mode: network.map(ToOwned::to_owned),
            ..host_config(container, places, bindings, podman)
        }),
        ..ContainerCreateBody::default()
    }
}

fn host_config(container: &Container, places: &Places, bindings: PortMap, podman: bool) -> HostConfig {
    let some = |value: i64| (value != 0).then_some(value);
    let drop: Vec<String> = match &container.process.user {
        // A user other than root has no effective capabilities and cannot gain any.
        Some(user) if !user.starts_with("0:") && user != "0" => vec!["ALL".into()],
        _ => DROPPED.iter().map(|&name| name.to_owned()).collect(),
    };
    let mut mounts = vec![Mount {
        target: Some(container.data_path.clone()),
        source: Some(places.server.display().to_string()),
        typ: Some(MountType::BIND),
        ..Mount::default()
    }];
    mounts.extend(places.files.iter().map(|(source, place)| Mount {
        target: Some(place.clone()),
        source: Some(source.display().to_string()),
        typ: Some(MountType::BIND),
        read_only: Some(true),
        ..Mount::default()
    }));
    HostConfig {
        mounts: Some(mounts),
        readonly_rootfs: Some(container.read_only_root),
        tmpfs: container.read_only_root.then(|| {
            HashMap::from([("/tmp".to_owned(), "rw,exec,nosuid,nodev,size=100M,mode=1777".to_owned())])
        }),
        security_opt: Some(vec!["no-new-privileges".into()]),
        cap_drop: Some(drop),
        pids_limit: Some(container.resources.processes),
        memory: some(container.resources.memory),
        memory_reservation: some(container.resources.memory_reservation),
        memory_swap: some(container.resources.memory_swap),
        cpu_period: (container.resources.cpu > 0).then_some(100_000),
        cpu_quota: (container.resources.cpu > 0).then_some(container.resources.cpu * 1_000),
        blkio_weight: container.resources.io_weight,
        port_bindings: Some(bindings),
        log_config: Some(log_config(podman)),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        init: Some(true),
        console_size: Some(vec![usize::from(SIZE.0), usize::from(SIZE.1)]),
        ..HostConfig::default()
    }
}

/// The engine's log is read by an agent that connects later. It is small and never blocks the game.
fn log_config(podman: bool) -> HostConfigLogConfig {
    let config = |pairs: &[(&str, &str)]| {
        Some(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
    };
    if podman {
        return HostConfigLogConfig { typ: Some("json-file".into()), config: config(&[("max-size", "4m")]) };
    }
    HostConfigLogConfig {
        typ: Some("local".into()),
        config: config(&[
            ("max-size", "2m"),
            ("max-file", "2"),
            ("compress", "false"),
            ("mode", "non-blocking"),
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{Process, Resources};
    use protocol::{Port, Protocol};

    fn container() -> Container {
        Container {
            server_id: "abc".into(),
            settings: "0f".into(),
            image: "img:1".into(),
            process: Process {
                command: Some(vec!["/bin/sh".into(), "-c".into(), "exec ./game".into()]),
                environment: [("A".to_owned(), "b c".to_owned())].into(),
                defaults: BTreeMap::new(),
                user: Some("988:988".into()),
                working_dir: Some("/home/container".into()),
                stop_signal: Some("SIGINT".into()),
            },
            data_dir: "/data/servers/abc".into(),
            data_path: "/home/container".into(),
            read_only_root: true,
            resources: Resources {
                memory: 1150,
                memory_reservation: 1000,
                memory_swap: 1150,
                cpu: 150,
                processes: 2_000,
                io_weight: None,
            },
            ports: vec![
                Port { internal: 1, external: 2, protocol: Protocol::Tcp },
                Port { internal: 1, external: 2, protocol: Protocol::Udp },
            ],
            block_lan: false,
            files: Vec::new(),
        }
    }

    fn places() -> Places {
        Places {
            data_dir: "/srv/cap".into(),
            server: "/srv/cap/servers/abc".into(),
            files: vec![(
                "/srv/cap/agent/zoneinfo/Europe/Berlin".into(),
                "/usr/share/zoneinfo/Europe/Berlin".into(),
            )],
        }
    }

    /// Shows the full effect of a change to how containers are created.
    #[test]
    fn the_whole_of_what_is_asked_for() {
        let body = serde_json::to_value(body(
            &container(),
            &BTreeMap::new(),
            &places(),
            false,
            Some("ctrl-alt-play"),
        ))
        .unwrap();
        let golden = serde_json::json!({
            "Hostname": "abc",
            "Image": "img:1",
            "Entrypoint": ["/bin/sh", "-c"],
            "Cmd": ["exec ./game"],
            "Env": ["A=b c"],
            "User": "988:988",
            "WorkingDir": "/home/container",
            "Tty": true, "OpenStdin": true,
            "AttachStdin": true, "AttachStdout": true, "AttachStderr": true,
            "StopSignal": "SIGINT",
            "ExposedPorts": {"1/tcp": {}, "1/udp": {}},
            "Labels": {
                "ctrl-alt-play.managed": "true",
                "ctrl-alt-play.server-id": "abc",
                "ctrl-alt-play.data-dir": "/srv/cap",
                "ctrl-alt-play.settings": "0f"
            },
            "HostConfig": {
                "Mounts": [
                    {"Target": "/home/container", "Source": "/srv/cap/servers/abc", "Type": "bind"},
                    {"Target": "/usr/share/zoneinfo/Europe/Berlin", "Source": "/srv/cap/agent/zoneinfo/Europe/Berlin",
                     "Type": "bind", "ReadOnly": true},
                ],
                "NetworkMode": "ctrl-alt-play",
                "ReadonlyRootfs": true,
                "Tmpfs": {"/tmp": "rw,exec,nosuid,nodev,size=100M,mode=1777"},
                "SecurityOpt": ["no-new-privileges"],
                "CapDrop": ["ALL"],
                "PidsLimit": 2000,
                "Memory": 1150, "MemoryReservation": 1000, "MemorySwap": 1150,
                "CpuPeriod": 100000, "CpuQuota": 150000,
                "PortBindings": {"1/tcp": [{"HostPort": "2"}], "1/udp": [{"HostPort": "2"}]},
                "LogConfig": {"Type": "local", "Config":
                    {"max-size": "2m", "max-file": "2", "compress": "false", "mode": "non-blocking"}},
                "RestartPolicy": {"Name": "no"},
                "Init": true,
                "ConsoleSize": [50, 250]
            }
        });
        assert_eq!(body, golden);
    }

    #[test]
    fn ours_is_set_where_nobody_else_says_anything() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let defaults = map(&[
            ("HOME", "/data"),
            ("SERVER_IP", "0.0.0.0"),
            ("SERVER_PORT", "7"),
            ("TZ", "UTC"),
            ("X", "1"),
        ]);
        let environment_of = |asked: &[(&str, &str)], image: &[(&str, &str)]| {
            let mut ours = container();
            (ours.process.environment, ours.process.defaults) = (map(asked), defaults.clone());
            environment(&ours, &map(image)).join(" ")
        };
        assert_eq!(environment_of(&[], &[]), "HOME=/data SERVER_IP=0.0.0.0 SERVER_PORT=7 TZ=UTC X=1");
        assert_eq!(
            environment_of(
                &[("SERVER_IP", "1.2.3.4"), ("A", "")],
                &[("SERVER_PORT", "9"), ("TZ", "Asia/Tokyo"), ("X", ""), ("HOME", "/home/game")]
            ),
            "A= SERVER_IP=1.2.3.4 X=1"
        );
        assert_eq!(
            environment_of(&[("X", "2")], &[("HOME", "/root"), ("X", "3")]),
            "X=2 HOME=/data SERVER_IP=0.0.0.0 SERVER_PORT=7 TZ=UTC"
        );
    }

    #[test]
    fn the_images_own_user_keeps_what_it_needs_to_change_users() {
        let mut own = container();
        own.process.user = None;
        own.process.command = None;
        own.process.working_dir = None;
        own.read_only_root = false;
        let body = body(&own, &BTreeMap::new(), &places(), false, None);
        assert_eq!(
            (&body.entrypoint, &body.cmd, &body.user, &body.working_dir),
            (&None, &None, &None, &None)
        );
        let host = body.host_config.unwrap();
        assert_eq!(host.cap_drop.unwrap(), DROPPED);
        assert_eq!((host.readonly_rootfs, host.tmpfs), (Some(false), None));
    }
}
