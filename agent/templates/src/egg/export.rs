//! Exports a template as an egg for other panels.

use super::variables::{KEYS, UNUSABLE};
use super::{legacy, native, stop};
use crate::model::{ConfigFile, Scalar, Template, Variable};
use crate::value::{self, Value};

/// Formats of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Pterodactyl's format (JSON).
    PtdlV2,
    /// Pelican's format as YAML.
    PlcnV3,
    /// Pelican's format as JSON.
    PlcnV3Json,
}

impl Format {
    fn ptdl(self) -> bool {
        self == Self::PtdlV2
    }

    /// Whether the format is JSON, in which the parts of `config` are strings that contain JSON.
    fn json(self) -> bool {
        self != Self::PlcnV3
    }
}

/// Writes an egg. [`super::import`] reads it as the same template.
pub fn export(template: &Template, format: Format) -> String {
    let mut egg = Value::map();
    about(&mut egg, template, format);
    run(&mut egg, template, format);
    let empty = Value::map();
    let extra_keys = template.extras.get(KEYS).unwrap_or(&empty);
    let mut variables: Vec<Value> =
        template.variables.iter().map(|one| variable(one, extra_keys.get(&one.name), format)).collect();
    if let Some(Value::List(unusable)) = template.extras.get(UNUSABLE) {
        variables.extend(unusable.iter().cloned());
    }
    egg.set("variables", Value::List(variables));
    if let Some(native) = native::of(template) {
        egg.set(native::KEY, native);
    }
    for (key, extra) in template.extras.entries() {
        if ![KEYS, UNUSABLE].contains(&key.as_str()) && key != "config" {
            merge(&mut egg, key, extra);
        }
    }
    if format.json() { value::to_json(&egg) } else { value::to_yaml(&egg) }
}

fn about(egg: &mut Value, template: &Template, format: Format) {
    let about = &template.about;
    let optional = |text: &Option<String>| text.clone().map_or(Value::Null, Value::String);
    let version = if format.ptdl() { "PTDL_v2" } else { "PLCN_v3" };
    let meta = [
        ("version".to_owned(), Value::from(version)),
        ("update_url".to_owned(), optional(&about.origin.update_url)),
    ];
    egg.set("_comment", Value::from("DO NOT EDIT: FILE GENERATED AUTOMATICALLY BY PANEL"));
    egg.set("meta", meta.into_iter().collect());
    egg.set("exported_at", optional(&about.origin.exported_at));
    egg.set("name", Value::from(about.name.as_str()));
    egg.set("author", Value::from(about.author.as_str()));
    if about.origin.uuid.is_some() || !format.ptdl() {
        egg.set("uuid", optional(&about.origin.uuid));
    }
    egg.set("description", Value::from(about.description.as_str()));
    if about.icon.is_some() {
        egg.set("icon", optional(&about.icon));
    }
    if !format.ptdl() || !about.tags.is_empty() {
        egg.set("tags", texts(&about.tags));
    }
}

fn run(egg: &mut Value, template: &Template, format: Format) {
    let run = &template.run;
    egg.set("features", texts(&run.features));
    let image = |image: &crate::model::Image| {
        let tilde = if image.local { "~" } else { "" };
        (image.label.clone(), Value::String(format!("{tilde}{}", image.reference)))
    };
    egg.set("docker_images", template.images.iter().map(image).collect());
    egg.set("file_denylist", texts(&run.file_denylist));
    let commands: Value =
        template.startup.iter().map(|one| (one.name.clone(), Value::from(one.command.as_str()))).collect();
    let only_default = matches!(template.startup.as_slice(), [one] if one.name == "Default");
    if format.ptdl() {
        let first = template.startup.first().map_or("", |one| one.command.as_str());
        egg.set("startup", Value::from(first));
    }
    if !format.ptdl() || (!only_default && !template.startup.is_empty()) {
        egg.set("startup_commands", commands);
    }
    egg.set("config", config(template, format));
    let install = template.install.clone().unwrap_or_default();
    let installation: Value =
        [("script", install.script), ("container", install.image), ("entrypoint", install.entrypoint)]
            .into_iter()
            .map(|(key, text)| (key.to_owned(), Value::String(text)))
            .collect();
    egg.set("scripts", Value::Map(vec![("installation".to_owned(), installation)]));
}

fn config(template: &Template, format: Format) -> Value {
    let run = &template.run;
    let mut startup = Value::map();
    match run.ready.as_slice() {
        [] => {}
        [one] => startup.set("done", Value::from(one.as_str())),
        several => startup.set("done", texts(several)),
    }
    if let Some(strip) = run.strip_ansi {
        startup.set("strip_ansi", Value::Bool(strip));
    }
    let mut files = Value::map();
    for file in &template.config_files {
        files.set(&file.path, config_file(file, format));
    }
    let mut config = Value::map();
    config.set("files", files);
    config.set("startup", startup);
    config.set("logs", Value::map());
    config.set("stop", Value::String(stop::write(&run.stop)));
    for (key, extra) in template.extras.get("config").map(Value::entries).unwrap_or_default() {
        merge(&mut config, key, extra);
    }
    if format.json()
        && let Value::Map(entries) = &mut config
    {
        for (_, part) in
            entries.iter_mut().filter(|(key, _)| ["files", "startup", "logs"].contains(&key.as_str()))
        {
            // A string is kept: it was not valid JSON at the import.
            if !matches!(part, Value::String(_)) {
                let text = value::to_json(part);
                *part = Value::from(text.trim_end());
            }
        }
    }
    config
}

fn config_file(file: &ConfigFile, format: Format) -> Value {
    let mut find = Value::map();
    for setting in &file.set {
        let value = match &setting.value {
            Scalar::Bool(value) => Value::Bool(*value),
            Scalar::Int(value) => Value::Int(*value),
            Scalar::Float(value) => Value::Float(*value),
            Scalar::Text(text) if format.ptdl() => Value::String(legacy::old(text)),
            Scalar::Text(text) => Value::from(text.as_str()),
        };
        match &setting.when {
            None => find.set(&setting.key, value),
            Some(when) => {
                let mut all = find
                    .get(&setting.key)
                    .filter(|all| matches!(all, Value::Map(_)))
                    .cloned()
                    .unwrap_or(Value::map());
                all.set(when, value);
                find.set(&setting.key, all);
            }
        }
    }
    Value::Map(vec![("parser".to_owned(), Value::from(file.parser.name())), ("find".to_owned(), find)])
}

fn variable(variable: &Variable, extra: Option<&Value>, format: Format) -> Value {
    let rules = || {
        // A rule that contains `|` would be split at it.
        if format.ptdl() && !variable.rules.iter().any(|rule| rule.contains('|')) {
            return Value::String(variable.rules.join("|"));
        }
        texts(&variable.rules)
    };
    let mut value = Value::map();
    value.set("name", Value::from(variable.label.as_str()));
    value.set("description", Value::from(variable.description.as_str()));
    value.set("env_variable", Value::from(variable.name.as_str()));
    value.set("default_value", Value::from(variable.default.as_str()));
    value.set("user_viewable", Value::Bool(variable.viewable));
    value.set("user_editable", Value::Bool(variable.editable));
    value.set("rules", rules());
    if format.ptdl() {
        value.set("field_type", Value::from("text"));
    }
    if let Some(sort) = variable.sort {
        value.set("sort", Value::Int(sort));
    }
    for (key, extra) in extra.map(Value::entries).unwrap_or_default() {
        value.set(key, extra.clone());
    }
    value
}

fn texts(list: &[String]) -> Value {
    list.iter().map(|text| Value::from(text.as_str())).collect()
}

/// Restores a value of the extras at its original key.
fn merge(place: &mut Value, key: &str, extra: &Value) {
    let both_maps = matches!(extra, Value::Map(_)) && matches!(place.get(key), Some(Value::Map(_)));
    if !both_maps {
        place.set(key, extra.clone());
        return;
    }
    let Value::Map(entries) = place else { return };
    if let Some((_, inner)) = entries.iter_mut().rev().find(|(known, _)| known == key) {
        for (key, extra) in extra.entries() {
            merge(inner, key, extra);
        }
    }
}
