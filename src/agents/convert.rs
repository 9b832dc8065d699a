//! From the record on the disk to the message for an agent.

use agent::protocol as wire;
use storage::servers as record;

/// The whole of a server.
pub fn create_message(server: &record::Server) -> wire::ServerCreate {
    wire::ServerCreate {
        server_id: server.id.clone(),
        name: Some(server.name.clone()),
        image: server.image.clone(),
        startup: startup(server),
        environment: server.environment.clone(),
        limits: limits(&server.limits),
        ports: ports(&server.ports),
        behaviour: Some(behaviour(&server.behaviour)),
    }
}

/// All settings of a server that the agent may know already.
pub fn update_message(server: &record::Server) -> wire::ServerUpdate {
    wire::ServerUpdate {
        server_id: server.id.clone(),
        name: Some(server.name.clone()),
        image: Some(server.image.clone()),
        startup: Some(startup(server)),
        environment: Some(server.environment.clone()),
        limits: Some(limits(&server.limits)),
        ports: Some(ports(&server.ports)),
        behaviour: Some(behaviour(&server.behaviour)),
    }
}

/// One port.
pub fn port_message(port: record::Port) -> wire::Port {
    wire::Port {
        internal: port.internal,
        external: port.external,
        protocol: match port.protocol {
            record::Protocol::Tcp => wire::Protocol::Tcp,
            record::Protocol::Udp => wire::Protocol::Udp,
        },
    }
}

fn ports(ports: &[record::Port]) -> Vec<wire::Port> {
    ports.iter().copied().map(port_message).collect()
}

/// An image that is to run its own command gets no line at all.
fn startup(server: &record::Server) -> String {
    match server.behaviour.startup_mode {
        record::StartupMode::ImageOwn => String::new(),
        record::StartupMode::Shell | record::StartupMode::Variable => server.startup.clone(),
    }
}

fn limits(limits: &record::Limits) -> wire::Limits {
    let record::Limits { memory, swap, disk, io, cpu } = *limits;
    wire::Limits { memory, swap, disk, io, cpu }
}

fn behaviour(behaviour: &record::Behaviour) -> wire::Behaviour {
    wire::Behaviour {
        user: match &behaviour.user {
            record::ContainerUser::Agent => wire::ContainerUser::Agent,
            record::ContainerUser::Image => wire::ContainerUser::Image,
            record::ContainerUser::Fixed(pair) => wire::ContainerUser::Fixed(pair.clone()),
        },
        data_path: behaviour.data_path.clone(),
        working_dir: behaviour.working_dir.clone(),
        read_only_root: behaviour.read_only_root,
        startup_mode: match behaviour.startup_mode {
            record::StartupMode::Shell | record::StartupMode::ImageOwn => wire::StartupMode::Shell,
            record::StartupMode::Variable => wire::StartupMode::Variable,
        },
        stop: match &behaviour.stop {
            record::Stop::Command(line) => wire::Stop::Command(line.clone()),
            record::Stop::Signal(name) => wire::Stop::Signal(name.clone()),
        },
        stop_timeout: behaviour.stop_timeout_secs,
        ready: behaviour.ready.clone(),
    }
}
