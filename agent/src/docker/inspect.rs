//! Converts the engine's description of a container.

use std::collections::HashMap;
use std::net::IpAddr;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, EndpointSettings};
use protocol::ServerId;

use super::create;
use super::engine::Engine;
use crate::runtime::{ContainerState, Owner};

impl Engine {
    pub(super) fn owner(&self, labels: &HashMap<String, String>) -> Owner {
        // Compared by host path, since ours may be `/data` in several containers.
        let own = self.paths.get().and_then(|paths| paths.on_host(&self.data_dir).ok());
        match (labels.get(create::MANAGED).map(String::as_str), labels.get(create::DATA_DIR)) {
            (Some("true"), Some(dir)) if own.is_some_and(|own| *dir == own.display().to_string()) => {
                Owner::This
            }
            (Some("true"), None) => Owner::Legacy,
            _ => Owner::Foreign,
        }
    }

    pub(super) fn seen(&self, found: ContainerInspectResponse) -> ContainerState {
        let state = found.state.unwrap_or_default();
        let config = found.config.unwrap_or_default();
        let labels = config.labels.unwrap_or_default();
        let time = |text: Option<String>| text.and_then(|text| text.parse::<jiff::Timestamp>().ok());
        ContainerState {
            id: found.id.unwrap_or_default(),
            server_id: labels.get(create::SERVER_ID).map(|id| ServerId::from(id.as_str())),
            owner: self.owner(&labels),
            running: state.running.unwrap_or(false),
            paused: state.paused.unwrap_or(false),
            removing: matches!(
                state.status,
                Some(ContainerStateStatusEnum::REMOVING | ContainerStateStatusEnum::DEAD)
            ),
            pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0),
            // The engine reports year 1 for "never".
            started_at: time(state.started_at).filter(|at| at.as_second() > 0),
            exit_code: state.exit_code.unwrap_or(0),
            oom_killed: state.oom_killed.unwrap_or(false),
            error: state.error.filter(|error| !error.is_empty()),
            settings: labels.get(create::SETTINGS).cloned(),
            tty: config.tty.unwrap_or(false),
            image: config.image.unwrap_or_default(),
            address: found.network_settings.and_then(|settings| address(settings.networks?)),
        }
    }
}

/// A container's address on one of its networks; by IPv4 where it has both.
fn address(networks: HashMap<String, EndpointSettings>) -> Option<IpAddr> {
    let found = networks.into_values().flat_map(|network| [network.ip_address, network.global_ipv6_address]);
    found.flatten().filter_map(|text| text.parse::<IpAddr>().ok()).min_by_key(IpAddr::is_ipv6)
}
