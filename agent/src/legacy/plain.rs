//! Server settings that any agent understands.

use protocol::ServerCreate;

use crate::server::{for_everybody, variables};

/// For an agent that runs `/bin/sh -c STARTUP` and knows none of our extensions: applies beforehand, as far as
/// possible, what ours would do by itself.
#[must_use]
pub fn plain(spec: ServerCreate) -> ServerCreate {
    let startup = variables(spec.startup.trim());
    let mut environment = spec.environment.clone();
    for (name, value) in for_everybody(&spec) {
        // The image's variables are not known here.
        environment.entry(name.to_owned()).or_insert(value);
    }
    ServerCreate {
        name: None,
        startup,
        environment,
        block_lan: false,
        behaviour: None,
        template: None,
        ..spec
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Limits, Port, Protocol};

    #[test]
    fn placeholders_and_what_is_always_set() {
        let spec: ServerCreate = serde_json::from_value(serde_json::json!({
            "serverId": "a", "name": "x", "image": "i", "startup": " ./game {{NAME}} {{SERVER_PORT}} ",
            "environment": {"NAME": "$(id)"}, "behaviour": {},
        }))
        .unwrap();
        let limits = Limits { memory: 512 << 20, ..Limits::default() };
        let ports = vec![Port { internal: 7, external: 8, protocol: Protocol::Udp }];
        let plain = plain(ServerCreate { limits, ports, ..spec });
        assert_eq!(plain.startup, "./game ${NAME} ${SERVER_PORT}");
        assert_eq!(plain.environment["NAME"], "$(id)");
        assert_eq!(plain.environment["SERVER_PORT"], "7");
        assert_eq!(plain.environment["SERVER_MEMORY"], "512");
        assert_eq!((plain.name, plain.behaviour), (None, None));
    }
}
