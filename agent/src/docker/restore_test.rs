//! The container of a restore test: a server's own, without its name, its ports and its network.

use bollard::models::ContainerCreateBody;
use protocol::ServerId;

use super::create::SERVER_ID;

/// Of which server.
const TEST: &str = "ctrl-alt-play.restore-test";
/// No interface but the loopback.
const NO_NETWORK: &str = "none";

/// `ctrl-alt-play-ID.test`: no server's id has a dot.
pub(super) fn name(server_id: &ServerId) -> String {
    format!("ctrl-alt-play-{server_id}.test")
}

/// Makes it of what the server's container would be.
pub(super) fn body(mut body: ContainerCreateBody, server_id: &ServerId) -> ContainerCreateBody {
    if let Some(labels) = &mut body.labels {
        // It never counts as the server.
        labels.remove(SERVER_ID);
        labels.insert(TEST.to_owned(), server_id.to_string());
    }
    body.exposed_ports = None;
    if let Some(host) = &mut body.host_config {
        host.port_bindings = None;
        host.publish_all_ports = Some(false);
        host.network_mode = Some(NO_NETWORK.to_owned());
    }
    body
}
