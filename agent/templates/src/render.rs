//! What a container gets: its environment.

use std::collections::BTreeMap;

use crate::model::Template;
use crate::placeholders::Context;

/// The environment of a server's container, and of its install container: as other panels have it, with names in capitals.
///
/// `STARTUP` goes out as it is, with `{{NAME}}` in it. The entrypoint of an image that is made for eggs turns that into
/// `${NAME}` and lets a shell expand it: then a value is never read as shell, whatever stands in it. Were it replaced here, a
/// value with a quote in it would end a string in the command.
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
        // Images look for it in capitals; its startup command may say it in its own way.
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
