//! Converts an added template from its native form to the one that servers are created from.

use ::templates::model::{self, Port as NativePort, Run};
use ::templates::rules;
use storage::servers::{Behaviour, ContainerUser, Port, Protocol, StartupMode, Stop};
use storage::templates::Template as Record;

use super::icon;
use super::template::{Eula, Memory, Template, Variable};

const MIB: i64 = 1 << 20;
/// Recommended memory in MiB for eggs, which do not specify it. Without a limit, `SERVER_MEMORY` would be 0.
const MEMORY: u32 = 2_048;
/// Default port for a game whose port can be chosen freely.
const GAME_PORT: u16 = 27_015;
/// The same for Minecraft.
const MINECRAFT_PORT: u16 = 25_565;

/// Longest ready line that an agent accepts, in bytes. Without one, a game counts as running once its container does.
const READY_BYTES: usize = 1_024;

/// The native form in a record; `None` if it cannot be read.
pub(super) fn native(record: &Record) -> Option<model::Template> {
    serde_json::from_str(&record.body).ok()
}

/// The template in a record, and the uuid that all versions of it share.
pub(super) fn of_record(record: &Record) -> Option<(Template, Option<String>)> {
    let native = native(record)?;
    let uuid = native.about.origin.uuid.clone();
    Some((of_native(&record.id, native), uuid))
}

/// A readable id such as `minecraft-paper`, with a suffix if that is taken.
pub(super) fn id_for(name: &str, unique: String, free: impl Fn(&str) -> bool) -> String {
    let plain: String = name
        .to_lowercase()
        .chars()
        .map(|char| if char.is_ascii_alphanumeric() { char } else { '-' })
        .collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    let id: String = words.join("-").chars().take(40).collect();
    let id = id.trim_matches('-');
    match id {
        "" => unique,
        id if free(id) => id.to_owned(),
        id => format!("{id}-{unique}"),
    }
}

/// The template for creating servers.
pub(super) fn of_native(id: &str, native: model::Template) -> Template {
    let game_port = if looks_like_minecraft(&native) { MINECRAFT_PORT } else { GAME_PORT };
    let needs = &native.needs;
    let memory = needs.memory_recommended_mib.unwrap_or(MEMORY);
    Template {
        id: id.to_owned(),
        description: native.about.description.clone(),
        architectures: needs.architectures.clone(),
        image: native.images.first().map(image).unwrap_or_default(),
        startup: native.startup.first().map(|startup| startup.command.clone()).unwrap_or_default(),
        startup_editable: false,
        ports: ports(&native.ports, game_port),
        memory: Memory {
            minimum: i64::from(needs.memory_minimum_mib.unwrap_or_default()) * MIB,
            recommended: i64::from(memory) * MIB,
        },
        processes: needs.processes.map(i64::from),
        eula: needs.eula.clone().map(|eula| Eula {
            name: eula.name,
            url: eula.url,
            variable: eula.variable,
            value: eula.value,
        }),
        variables: native.variables.iter().map(variable).collect(),
        behaviour: behaviour(&native.run, &needs.architectures),
        tags: native.about.tags,
        icon: native.about.icon.as_deref().is_some_and(icon::is_shown),
        notes: native.about.notes,
        name: native.about.name,
    }
}

/// The image reference; empty if whoever creates a server has to choose one.
fn image(native: &model::Image) -> String {
    if native.reference == model::NO_IMAGE { String::new() } else { native.reference.clone() }
}

fn looks_like_minecraft(native: &model::Template) -> bool {
    let word = |text: &str| text.to_lowercase().contains("minecraft");
    native.run.features.iter().any(|feature| feature == "eula")
        || native.about.tags.iter().any(|tag| word(tag))
        || word(&native.about.name)
}

fn ports(native: &[NativePort], game_port: u16) -> Vec<Port> {
    let mut ports: Vec<Port> = Vec::new();
    for port in native {
        // A port with a variable but no number is not needed by the game.
        let number = match (port.number, &port.variable) {
            (Some(number), _) if number > 0 => number,
            (None, None) => game_port,
            _ => continue,
        };
        for protocol in &port.protocols {
            let protocol = match protocol {
                model::Protocol::Tcp => Protocol::Tcp,
                model::Protocol::Udp => Protocol::Udp,
            };
            if !ports.iter().any(|known| (known.internal, known.protocol) == (number, protocol)) {
                ports.push(Port { internal: number, external: number, protocol });
            }
        }
    }
    ports
}

fn variable(native: &model::Variable) -> Variable {
    let mut list = native.rules.clone();
    // Other panels set every variable, even empty ones.
    if !native.omit_empty && !list.iter().any(|rule| rule == "required" || rule == "present") {
        list.insert(0, "present".to_owned());
    }
    Variable {
        name: if native.label.is_empty() { native.name.clone() } else { native.label.clone() },
        description: native.description.clone(),
        env_variable: native.name.clone(),
        default_value: native.default.clone(),
        user_viewable: native.viewable,
        user_editable: native.editable,
        secret: native.secret.unwrap_or_else(|| rules::looks_secret(&native.name)),
        rules: list.join("|"),
    }
}

fn behaviour(run: &Run, architectures: &[String]) -> Behaviour {
    let usual = Behaviour::default();
    Behaviour {
        user: match run.user.as_deref() {
            None => ContainerUser::Agent,
            Some("image") => ContainerUser::Image,
            Some(pair) => ContainerUser::Fixed(pair.to_owned()),
        },
        data_path: run.data_path.clone().unwrap_or(usual.data_path),
        working_dir: run.working_dir.clone(),
        read_only_root: !run.writable_root,
        startup_mode: if run.startup_by_shell { StartupMode::Shell } else { StartupMode::Variable },
        stop: match &run.stop {
            model::Stop::Command(line) => Stop::Command(line.clone()),
            model::Stop::Signal(name) => Stop::Signal(name.clone()),
        },
        stop_timeout_secs: run.stop_timeout_secs.unwrap_or(usual.stop_timeout_secs),
        ready: ready(&run.ready),
        restart_after_crash: true,
        stop_at_disk_limit: true,
        architectures: architectures.to_vec(),
    }
}

/// Combines several ready lines into one expression.
fn ready(parts: &[String]) -> Option<String> {
    match parts {
        [] => None,
        [one] => Some(one.clone()).filter(|one| one.len() <= READY_BYTES),
        several => {
            let each = several.iter().map(|part| match part.strip_prefix("regex:") {
                Some(pattern) => format!("(?:{pattern})"),
                None => regex_lite::escape(part),
            });
            Some(format!("regex:{}", each.collect::<Vec<_>>().join("|")))
                .filter(|all| all.len() <= READY_BYTES)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EGG: &str = r#"{"meta": {"version": "PTDL_v2"}, "name": "A Game!", "startup": "./game {{NAME}}",
        "docker_images": {"One": "example.com/one", "Two": "example.com/two"},
        "config": {"files": "{}", "startup": "{\"done\": [\"a.b\", \"c\"]}", "stop": "^C"},
        "variables": [
            {"env_variable": "NAME", "default_value": "x", "rules": "required|max:3", "user_viewable": true},
            {"env_variable": "QUERY_PORT", "default_value": "27016", "rules": "required|integer"},
            {"env_variable": "RCON_PORT", "default_value": "", "rules": "nullable"},
            {"env_variable": "RCON_PASSWORD", "default_value": "", "rules": "string"}]}"#;

    #[test]
    fn an_egg_makes_a_server_as_elsewhere() {
        let native = ::templates::egg::import(EGG.as_bytes()).unwrap().template;
        let template = of_native("a-game", native);
        assert_eq!(
            (template.image.as_str(), template.startup.as_str()),
            ("example.com/one", "./game {{NAME}}")
        );
        let behaviour = &template.behaviour;
        assert_eq!(behaviour.startup_mode, StartupMode::Variable);
        assert_eq!(behaviour.stop, Stop::Signal("SIGINT".into()));
        assert_eq!(behaviour.ready.as_deref(), Some(r"regex:a\.b|c"));
        let ports: Vec<_> = template.ports.iter().map(|port| port.internal).collect();
        assert_eq!(ports, [27_015, 27_015, 27_016, 27_016]);
        assert_eq!(template.variables[3].rules, "present|string");
        assert!(template.variables[3].secret && !template.variables[0].secret);
    }

    #[test]
    fn an_id_can_be_read() {
        assert_eq!(id_for("Minecraft: Paper", "x1".into(), |_| true), "minecraft-paper");
        assert_eq!(id_for("Minecraft: Paper", "x1".into(), |_| false), "minecraft-paper-x1");
        assert_eq!(id_for("日本", "x1".into(), |_| true), "x1");
    }
}
