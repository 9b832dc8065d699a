//! Legacy containers: their settings and their files.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerUpdateBody, HostConfig, RestartPolicy, RestartPolicyNameEnum};
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use bytes::Bytes;
use futures_util::{StreamExt, pin_mut};
use protocol::{Port, Protocol};
use tokio::sync::mpsc;

use super::deadline::{ACT, LOOK, late, within};
use super::errors;
use crate::runtime::{EngineError, Fault, ForeignContainer};

/// A copy is considered dead after this much silence.
const SILENCE: Duration = Duration::from_secs(60);

pub(super) async fn describe(
    client: &Docker,
    action: &str,
    id: &str,
) -> Result<Option<ForeignContainer>, EngineError> {
    let found = match within(action, LOOK, client.inspect_container(id, None)).await {
        Ok(found) => found,
        Err(error) if error.fault == Fault::Missing => return Ok(None),
        Err(error) => return Err(error),
    };
    let config = found.config.unwrap_or_default();
    let host = found.host_config.unwrap_or_default();
    // If the image is gone its variables are unknown, so all are taken as set by the container.
    let of_image = match &config.image {
        Some(image) => within(action, LOOK, client.inspect_image(image)).await.ok(),
        None => None,
    };
    let of_image = of_image.and_then(|image| image.config?.env).unwrap_or_default();
    let command = [config.entrypoint.unwrap_or_default(), config.cmd.unwrap_or_default()].concat();
    let dir = config.working_dir.unwrap_or_default();
    let mounts = found.mounts.unwrap_or_default().into_iter().filter_map(|mount| mount.destination).collect();
    Ok(Some(ForeignContainer {
        startup: startup(&command),
        environment: environment(&config.env.unwrap_or_default(), &of_image),
        working_dir: if dir.is_empty() { "/".into() } else { dir },
        memory: host.memory.unwrap_or(0).max(0),
        cpu: cpu(&host),
        ports: ports(&host),
        mounts,
    }))
}

fn startup(command: &[String]) -> String {
    match command {
        [shell, flag, line] if matches!(shell.as_str(), "/bin/sh" | "sh") && flag == "-c" => line.clone(),
        _ => String::new(),
    }
}

fn environment(set: &[String], of_image: &[String]) -> BTreeMap<String, String> {
    let own = set.iter().filter(|pair| !of_image.contains(pair) && !pair.starts_with("PATH="));
    own.filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
}

fn cpu(host: &HostConfig) -> i64 {
    match (host.nano_cpus, host.cpu_quota, host.cpu_period) {
        (Some(nano), _, _) if nano > 0 => nano / 10_000_000,
        (_, Some(quota), Some(period)) if quota > 0 && period > 0 => quota.saturating_mul(100) / period,
        _ => 0,
    }
}

fn ports(host: &HostConfig) -> Vec<Port> {
    let mut all = Vec::new();
    for (inside, bindings) in host.port_bindings.iter().flatten() {
        let (number, protocol) = inside.split_once('/').unwrap_or((inside, "tcp"));
        let protocol = if protocol == "udp" { Protocol::Udp } else { Protocol::Tcp };
        for binding in bindings.iter().flatten() {
            let external = binding.host_port.as_deref().and_then(|port| port.parse().ok());
            if let (Ok(internal), Some(external)) = (number.parse(), external) {
                all.push(Port { internal, external, protocol });
            }
        }
    }
    all.sort_unstable();
    all
}

pub(super) async fn disable_restart(client: &Docker, action: &str, id: &str) -> Result<(), EngineError> {
    let policy = RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None };
    let body = ContainerUpdateBody { restart_policy: Some(policy), ..ContainerUpdateBody::default() };
    within(action, ACT, client.update_container(id, body)).await
}

pub(super) async fn copy_out(
    client: &Docker,
    action: &str,
    id: &str,
    folder: &str,
    to: mpsc::Sender<Bytes>,
) -> Result<(), EngineError> {
    // The trailing dot selects the folder's content instead of the folder itself.
    let path = format!("{}/.", folder.trim_end_matches('/'));
    let options = DownloadFromContainerOptionsBuilder::new().path(&path).build();
    let pieces = client.download_from_container(id, Some(options));
    pin_mut!(pieces);
    loop {
        let piece = tokio::time::timeout(SILENCE, pieces.next()).await.map_err(|_| late(action, SILENCE))?;
        match piece {
            None => return Ok(()),
            Some(Ok(piece)) => {
                // The receiver wants no more.
                if to.send(piece).await.is_err() {
                    return Ok(());
                }
            }
            Some(Err(error)) => return Err(errors::failed(action, &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_startup_line_is_what_the_shell_runs() {
        let words = |line: &[&str]| startup(&line.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(words(&["/bin/sh", "-c", "java -jar server.jar"]), "java -jar server.jar");
        assert_eq!(words(&["/entrypoint.sh"]), "");
        assert_eq!(words(&["/bin/sh", "-c", "a", "b"]), "");
    }

    #[test]
    fn what_the_image_sets_is_not_what_was_set() {
        let of_image = ["PATH=/bin".to_owned(), "LANG=C".to_owned()];
        let set = ["PATH=/sbin", "LANG=C", "EULA=TRUE", "X=a=b"].map(str::to_owned);
        let found = environment(&set, &of_image);
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [("EULA".to_owned(), "TRUE".to_owned()), ("X".to_owned(), "a=b".to_owned())]
        );
    }
}
