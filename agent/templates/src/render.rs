//! The environment of a container.

use std::collections::BTreeMap;

use crate::model::Template;
use crate::placeholders::Context;

/// The environment of a server's container and of its install container, with names in capitals as other panels have
/// it.
///
/// `STARTUP` is passed unchanged, including `{{NAME}}`. The entrypoint of an image made for eggs turns that into
/// `${NAME}` and lets a shell expand it, so the shell never interprets a value. If it were replaced here, a quote in a
/// value could end a string in the command.
pub fn environment(template: &Template, startup: &str, context: &Context) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    let value = |name: &str| context.environment.get(name).map_or("", String::as_str);
    let omitted: Vec<&str> = template
        .variables
        .iter()
        .filter(|one| one.omit_empty && one.default.is_empty() && value(&one.name).is_empty())
        .map(|one| one.name.as_str())
        .collect();
    for variable in template.variables.iter().filter(|one| !omitted.contains(&one.name.as_str())) {
        let value = context.environment.get(&variable.name).unwrap_or(&variable.default);
        if variable.omit_empty && value.is_empty() {
            continue;
        }
        environment.insert(variable.name.clone(), value.clone());
        // Images expect the name in capitals; the startup command may use it as the template writes it.
        environment.insert(variable.name.to_ascii_uppercase(), value.clone());
    }
    for (name, value) in context.environment.iter().filter(|(name, _)| !omitted.contains(&name.as_str())) {
        environment.entry(name.clone()).or_insert_with(|| value.clone());
    }
    let zone = environment
        .get("SERVER_TIMEZONE")
        .filter(|zone| !zone.is_empty())
        .unwrap_or(&context.timezone)
        .clone();
    for (name, value) in [
        ("TZ", zone),
        ("STARTUP", startup.to_owned()),
        ("SERVER_MEMORY", context.limits.memory_mib.to_string()),
        ("SERVER_IP", context.address.ip.clone()),
        ("SERVER_PORT", context.address.port.to_string()),
        ("P_SERVER_UUID", context.uuid.clone()),
    ] {
        environment.insert(name.to_owned(), value);
    }
    environment
}
