//! Placeholders: `{{key}}` in startup commands, config files and values of variables.
//!
//! Pterodactyl and Pelican use different names. Both are supported, because existing eggs use both.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// The values that replace placeholders: a server as the node runs it.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The server's id.
    pub uuid: String,
    /// The server's display name.
    pub name: String,
    /// The container image.
    pub image: String,
    /// Values of the variables, by name.
    pub environment: BTreeMap<String, String>,
    /// The server's address and ports.
    pub address: Address,
    /// The server's resource limits.
    pub limits: Limits,
    /// IP address by which a container reaches the node's other servers.
    pub docker_interface: String,
    /// Whether an administrator has suspended the server.
    pub suspended: bool,
    /// Time zone, such as `Europe/Berlin`.
    pub timezone: String,
}

/// The address and the ports of a server.
#[derive(Clone, Debug, Default)]
pub struct Address {
    /// IP address that the game listens on.
    pub ip: String,
    /// Primary port, inside the container.
    pub port: u16,
    /// All ports of the server.
    pub ports: Vec<u16>,
}

/// Resource limits of a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Memory in MiB; 0 for no limit.
    pub memory_mib: u64,
    /// Swap in MiB; -1 for no limit.
    pub swap_mib: i64,
    /// Disk space in MiB.
    pub disk_mib: u64,
    /// Relative weight of disk I/O.
    pub io: u32,
    /// CPU limit in percent of one core; 0 for no limit.
    pub cpu: u64,
}

/// Address used if the context has no valid `docker_interface`.
pub const DOCKER_INTERFACE: &str = "172.18.0.1";

/// Replaces the placeholders in a value of a config file: `server.*`, `env.*` and `config.*`. Unknown names below these
/// become an empty string; any other placeholder is left unchanged.
pub fn in_config(text: &str, context: &Context) -> String {
    replace(text, |key| {
        let (tree, rest) = key.split_once('.')?;
        match tree {
            "server" => Some(server(rest, context).unwrap_or_default()),
            "env" => Some(environment(rest, context).unwrap_or_default()),
            "config" => Some(config(rest, context).unwrap_or_default()),
            _ => None,
        }
    })
}

/// Replaces the placeholders of a startup command for display: `{{NAME}}` of variables, `server.*` and `env.*`.
/// The value of a variable is `[hidden]` if `shown` returns false. This text is never executed: the image's entrypoint
/// expands the real command, see [`crate::render::environment`].
pub fn in_startup_preview(text: &str, context: &Context, shown: impl Fn(&str) -> bool) -> String {
    replace(text, |key| {
        if let Some(value) = variable(key, context) {
            return Some(if shown(key) { value } else { "[hidden]".to_owned() });
        }
        let (tree, rest) = key.split_once('.')?;
        match tree {
            "server" => server(rest, context),
            "env" => environment(rest, context),
            _ => None,
        }
    })
}

/// Replaces each `{{key}}` by the result of `known`; `None` leaves it unchanged. Keys consist of letters, digits, `_`,
/// `.` and `-`.
fn replace(text: &str, known: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        out.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let length = inside
            .find(|char: char| !(char.is_alphanumeric() || matches!(char, '_' | '.' | '-')))
            .unwrap_or(inside.len());
        let value =
            if length > 0 && inside[length..].starts_with("}}") { known(&inside[..length]) } else { None };
        match value {
            Some(value) => {
                out.push_str(&value);
                rest = &inside[length + 2..];
            }
            None => {
                // Skips only one brace: `{{{a}}` contains `{{a}}`.
                out.push('{');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The value of a variable, or of one that every server has.
fn variable(name: &str, context: &Context) -> Option<String> {
    // The panel's values take precedence over variables of the same name, as in the container.
    match name {
        "SERVER_MEMORY" => Some(context.limits.memory_mib.to_string()),
        "SERVER_IP" => Some(context.address.ip.clone()),
        "SERVER_PORT" => Some(context.address.port.to_string()),
        "P_SERVER_UUID" => Some(context.uuid.clone()),
        "TZ" => Some(context.timezone.clone()),
        _ => context.environment.get(name).cloned(),
    }
}

/// `env.X`: Pterodactyl's alias of `server.build.env.X`.
fn environment(name: &str, context: &Context) -> Option<String> {
    variable(name, context)
}

/// Names below `server`, of both Pterodactyl and Pelican.
fn server(path: &str, context: &Context) -> Option<String> {
    let parts: Vec<&str> = path.split('.').collect();
    let limits = &context.limits;
    Some(match parts.as_slice() {
        ["build", "env" | "environment", name] | ["environment", name] => return environment(name, context),
        ["build" | "allocations", "default", "ip"] => context.address.ip.clone(),
        ["build" | "allocations", "default", "port"] => context.address.port.to_string(),
        ["build", "memory" | "memory_limit"] => limits.memory_mib.to_string(),
        ["build", "swap"] => limits.swap_mib.to_string(),
        ["build", "io" | "io_weight"] => limits.io.to_string(),
        ["build", "cpu" | "cpu_limit"] => limits.cpu.to_string(),
        ["build", "disk" | "disk_space"] => limits.disk_mib.to_string(),
        ["build", "image"] | ["container", "image"] => context.image.clone(),
        // Servers are not pinned to cores, and the OOM killer is enabled.
        ["build", "threads"] => String::new(),
        ["build", "oom_disabled"] => "false".to_owned(),
        ["build", "ports"] | ["allocations", "mappings"] => mappings(&context.address),
        ["meta", "name"] | ["name"] => context.name.clone(),
        ["uuid"] | ["id"] => context.uuid.clone(),
        ["suspended"] => context.suspended.to_string(),
        _ => return None,
    })
}

/// The ports by address as JSON, as both Pterodactyl and Pelican write it.
fn mappings(address: &Address) -> String {
    let ports: Vec<String> = address.ports.iter().map(u16::to_string).collect();
    let list = format!("[{}]", ports.join(","));
    format!("{{\"{}\":{list}}}", address.ip.replace(['"', '\\'], ""))
}

/// Names below `config`: the node's configuration. Eggs use the address of its network interface.
fn config(path: &str, context: &Context) -> Option<String> {
    match path {
        "docker.interface" | "docker.network.interface" => {
            let known = context.docker_interface.parse::<IpAddr>().is_ok();
            Some(if known { context.docker_interface.clone() } else { DOCKER_INTERFACE.to_owned() })
        }
        "docker.timezone" | "system.timezone" | "timezone" => Some(context.timezone.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        Context {
            uuid: "u-1".into(),
            environment: [("NAME".to_owned(), "a {{server.uuid}} $1".to_owned())].into(),
            address: Address { ip: "0.0.0.0".into(), port: 25565, ports: vec![25565, 25566] },
            limits: Limits { memory_mib: 2048, swap_mib: -1, ..Limits::default() },
            ..Context::default()
        }
    }

    #[test]
    fn both_trees_are_known() {
        for (text, value) in [
            ("{{server.build.default.port}}", "25565"),
            ("0.0.0.0:{{server.allocations.default.port}}", "0.0.0.0:25565"),
            (
                "{{server.build.env.NAME}}|{{server.environment.NAME}}|{{env.NAME}}",
                concat!("a {{server.uuid}} $1|", "a {{server.uuid}} $1|", "a {{server.uuid}} $1"),
            ),
            ("{{server.build.memory}} {{server.build.memory_limit}} {{env.SERVER_MEMORY}}", "2048 2048 2048"),
            ("{{server.build.env.SERVER_PORT}}", "25565"),
            ("{{server.build.swap}}", "-1"),
            ("{{config.docker.interface}}$2", "172.18.0.1$2"),
            ("x{{server.nothing.of.this}}y{{env.NO}}z", "xyz"),
            (
                "{{NAME}} {{ server.uuid }} {{other.tree}} {{}} {{",
                "{{NAME}} {{ server.uuid }} {{other.tree}} {{}} {{",
            ),
            ("{{{server.uuid}}}", "{u-1}"),
            ("{{server.build.ports}}", "{\"0.0.0.0\":[25565,25566]}"),
        ] {
            assert_eq!(in_config(text, &context()), value, "{text}");
        }
    }

    #[test]
    fn a_preview_hides_what_is_not_for_everybody() {
        let text = "run {{NAME}} -Xmx{{SERVER_MEMORY}}M ${NAME} {{UNKNOWN}}";
        let seen = in_startup_preview(text, &context(), |name| name != "NAME");
        assert_eq!(seen, "run [hidden] -Xmx2048M ${NAME} {{UNKNOWN}}");
    }
}
