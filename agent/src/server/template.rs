//! What a server's template means on this node: variables, environment, placeholders.

use std::collections::BTreeMap;

use protocol::{ServerCreate, StartupMode, TemplateFile, TemplateSetting};
use templates::model::{self, ConfigFile, Parser, Scalar, Setting};
use templates::placeholders::{Address, Context, Limits};
use templates::render;
use templates::rules::Rules;

const MIB: i64 = 1 << 20;
/// The bind address given to games: all addresses of their container.
const EVERYWHERE: &str = "0.0.0.0";

/// Whether its image is made for eggs: it reads the startup line from `STARTUP` and expects the matching environment.
pub(super) fn is_egg(spec: &ServerCreate) -> bool {
    let by_variable =
        spec.behaviour.as_ref().is_some_and(|behaviour| behaviour.startup_mode == StartupMode::Variable);
    spec.template.is_some() && by_variable
}

/// The environment of its container and install container, compatible with other panels.
pub(super) fn environment(spec: &ServerCreate, timezone: &str) -> BTreeMap<String, String> {
    let variables = spec.template.as_ref().map(|template| template.variables.as_slice()).unwrap_or_default();
    let variable = |one: &protocol::TemplateVariable| model::Variable {
        name: one.name.clone(),
        default: one.default.clone(),
        omit_empty: one.omit_empty,
        ..model::Variable::default()
    };
    let template =
        model::Template { variables: variables.iter().map(variable).collect(), ..model::Template::default() };
    render::environment(&template, spec.startup.trim(), &context(spec, timezone))
}

/// The values for placeholders.
pub(super) fn context(spec: &ServerCreate, timezone: &str) -> Context {
    let mut environment = BTreeMap::new();
    if let Some(template) = &spec.template {
        let defaults = template.variables.iter().map(|one| (one.name.clone(), one.default.clone()));
        environment.extend(defaults);
    }
    environment.extend(spec.environment.clone());
    let own_zone = environment.get("TZ").filter(|zone| !zone.is_empty()).cloned();
    let ports: Vec<u16> = spec.ports.iter().map(|port| port.internal).collect();
    let mib = |bytes: i64| u64::try_from(bytes / MIB).unwrap_or(0);
    let protocol::Limits { memory, swap, disk, io, cpu, processes: _ } = spec.limits;
    Context {
        uuid: spec.server_id.to_string(),
        name: spec.name.clone().unwrap_or_else(|| spec.server_id.to_string()),
        image: spec.image.clone(),
        environment,
        address: Address { ip: EVERYWHERE.to_owned(), port: ports.first().copied().unwrap_or(0), ports },
        limits: Limits {
            memory_mib: mib(memory),
            swap_mib: if swap < 0 { -1 } else { swap / MIB },
            disk_mib: mib(disk),
            io: u32::try_from(io).unwrap_or(0),
            cpu: u64::try_from(cpu).unwrap_or(0),
        },
        docker_interface: String::new(),
        suspended: false,
        timezone: own_zone.unwrap_or_else(|| timezone.to_owned()),
    }
}

/// An error message for the first variable that breaks a rule. The panel validates too, but a template's rules may have
/// become stricter since.
pub(super) fn broken_variable(spec: &ServerCreate) -> Option<String> {
    let template = spec.template.as_ref()?;
    template.variables.iter().find_map(|variable| {
        let value = spec.environment.get(&variable.name).unwrap_or(&variable.default);
        let broken = Rules::parse(&variable.rules).check(value).err()?;
        let name = match variable.label.as_str() {
            "" => variable.name.clone(),
            label => format!("\"{label}\" ({})", variable.name),
        };
        Some(format!("The variable {name} {}.", broken.sentence()))
    })
}

/// Converts a config file for the renderer; the error says why that failed.
pub(super) fn config_file(file: &TemplateFile) -> Result<ConfigFile, String> {
    let parser = Parser::named(&file.parser)
        .ok_or_else(|| format!("this agent does not know the form {:?}", file.parser))?;
    Ok(ConfigFile { path: file.path.clone(), parser, set: file.set.iter().map(setting).collect() })
}

fn setting(one: &TemplateSetting) -> Setting {
    let value = match &one.value {
        serde_json::Value::Bool(value) => Scalar::Bool(*value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Scalar::Int(whole),
            None => Scalar::Float(number.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => Scalar::Text(text.clone()),
        _ => Scalar::Text(String::new()),
    };
    Setting { key: one.key.clone(), when: one.when.clone(), value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ServerCreate {
        serde_json::from_value(serde_json::json!({
            "serverId": "a", "image": "img", "startup": " run {{NAME}} {{SERVER_PORT}} ",
            "environment": {"NAME": "it's \"$(id)\" `id`", "SERVER_PORT": "1", "EXTRA": "e"},
            "limits": {"memory": 2_147_483_648_i64},
            "ports": [{"internal": 7, "external": 8, "protocol": "tcp"}],
            "behaviour": {"startupMode": "variable"},
            "template": {"variables": [
                {"name": "NAME", "label": "Name", "rules": ["required", "max:24"]},
                {"name": "level", "default": "5", "rules": ["integer"]},
                {"name": "SEED", "omitEmpty": true},
            ]},
        }))
        .unwrap()
    }

    #[test]
    fn the_environment_is_that_of_other_panels() {
        let environment = environment(&spec(), "Europe/Berlin");
        let value = |name: &str| environment.get(name).map(String::as_str).unwrap_or("-");
        assert_eq!(
            value("STARTUP"),
            "run {{NAME}} {{SERVER_PORT}}",
            "the image expands it, with a shell's care"
        );
        assert_eq!(value("NAME"), "it's \"$(id)\" `id`");
        assert_eq!((value("level"), value("LEVEL"), value("EXTRA")), ("5", "5", "e"));
        assert_eq!(
            (value("SERVER_PORT"), value("SERVER_MEMORY"), value("SERVER_IP")),
            ("7", "2048", "0.0.0.0")
        );
        assert_eq!(value("SEED"), "-", "not set at all");
        assert_eq!((value("TZ"), value("P_SERVER_UUID")), ("Europe/Berlin", "a"));
    }

    #[test]
    fn a_value_that_breaks_a_rule_is_named() {
        let mut spec = spec();
        assert_eq!(broken_variable(&spec), None);
        spec.environment.insert("NAME".into(), String::new());
        assert_eq!(broken_variable(&spec).unwrap(), "The variable \"Name\" (NAME) must not be empty.");
        spec.environment.insert("NAME".into(), "x".into());
        spec.environment.insert("level".into(), "high".into());
        assert_eq!(broken_variable(&spec).unwrap(), "The variable level must be a whole number.");
    }

    #[test]
    fn values_keep_their_types() {
        let file: TemplateFile = serde_json::from_value(serde_json::json!({
            "path": "a.json", "parser": "json",
            "set": [{"key": "a", "value": true}, {"key": "b", "value": 3}, {"key": "c", "value": "{{x}}"}],
        }))
        .unwrap();
        let values: Vec<_> = config_file(&file).unwrap().set.into_iter().map(|one| one.value).collect();
        assert_eq!(values, [Scalar::Bool(true), Scalar::Int(3), Scalar::Text("{{x}}".into())]);
        let unknown = TemplateFile { parser: "hocon".into(), ..file };
        assert!(config_file(&unknown).unwrap_err().contains("hocon"));
    }
}
