//! Reads `config`: config files, ready lines, stop command, and the unused `logs`. In JSON eggs, its parts are strings
//! that contain JSON.

use super::reading::Reading;
use super::warning::Code;
use super::{legacy, stop};
use crate::model::{ConfigFile, Parser, Run, Scalar, Setting, Stop, valid_path};
use crate::text;
use crate::value::{self, Limits, Value};

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 16, nodes: 100_000 };

pub(super) fn read(reading: &mut Reading<'_>) -> (Vec<ConfigFile>, Run) {
    let egg = reading.egg;
    let nothing = Value::Null;
    let config = egg.get("config").unwrap_or(&nothing);
    for (key, value) in config.entries() {
        if !["files", "startup", "stop", "logs"].contains(&key.as_str()) {
            reading.warnings.add(
                Code::UnknownKey,
                format!("config.{key}"),
                "it means nothing here, and is kept",
            );
            reading.keep_at(&["config", key], value.clone());
        }
    }
    let files = part(reading, config, "files");
    let startup = part(reading, config, "startup");
    let logs = part(reading, config, "logs");
    if !logs.is_empty() {
        reading.warnings.add(
            Code::IgnoredKey,
            "config.logs",
            "nothing reads it any more, here or elsewhere; it is kept",
        );
        reading.keep_at(&["config", "logs"], logs);
    }
    let (ready, strip_ansi) = ready(reading, &startup);
    let run = Run {
        ready,
        strip_ansi,
        stop: stop(reading, config),
        file_denylist: reading.texts(egg.get("file_denylist"), "file_denylist"),
        features: reading.texts(egg.get("features"), "features"),
        ..Run::default()
    };
    (config_files(reading, &files), run)
}

/// A part of `config`: a map, or a string that contains JSON.
fn part(reading: &mut Reading<'_>, config: &Value, key: &str) -> Value {
    let path = format!("config.{key}");
    match config.get(key) {
        None | Some(Value::Null) => Value::Null,
        Some(Value::String(text)) if text.trim().is_empty() => Value::Null,
        Some(Value::String(text)) => value::from_json(text, &LIMITS).unwrap_or_else(|error| {
            let said = format!("it should hold JSON, and does not: {}", error.message);
            reading.warnings.add(Code::WrongKind, path.as_str(), said);
            reading.keep_at(&["config", key], Value::from(text.as_str()));
            Value::Null
        }),
        Some(other) => other.clone(),
    }
}

fn ready(reading: &mut Reading<'_>, startup: &Value) -> (Vec<String>, Option<bool>) {
    for (key, value) in startup.entries() {
        if !["done", "strip_ansi"].contains(&key.as_str()) {
            let code = if key == "userInteraction" { Code::IgnoredKey } else { Code::UnknownKey };
            reading.warnings.add(code, format!("config.startup.{key}"), "nothing reads it; it is kept");
            reading.keep_at(&["config", "startup", key], value.clone());
        }
    }
    let done = reading.texts(startup.get("done"), "config.startup.done");
    for pattern in done.iter().filter_map(|text| text.strip_prefix("regex:")) {
        if regex_lite::Regex::new(pattern).is_err() {
            let said = "this expression cannot be read, so the game is never seen to be ready by it";
            reading.warnings.add(Code::BadPattern, "config.startup.done", said);
        }
    }
    let strip = match startup.get("strip_ansi") {
        Some(Value::Bool(strip)) => Some(*strip),
        _ => None,
    };
    (done, strip)
}

fn stop(reading: &mut Reading<'_>, config: &Value) -> Stop {
    let written = reading.text(config.get("stop"), "config.stop");
    let (stop, told) = stop::read(&text::line(&written, 4_000));
    if let Some(said) = told {
        reading.warnings.add(Code::StopKills, "config.stop", said);
    }
    stop
}

fn config_files(reading: &mut Reading<'_>, files: &Value) -> Vec<ConfigFile> {
    let mut list = Vec::new();
    for (path, file) in files.entries() {
        match config_file(reading, path, file) {
            Ok(file) => list.push(file),
            Err(why) => {
                reading.warnings.add(Code::SkippedFile, format!("config.files.{path}"), why);
                reading.keep_at(&["config", "files", path], file.clone());
            }
        }
    }
    list
}

fn config_file(reading: &mut Reading<'_>, path: &str, file: &Value) -> Result<ConfigFile, String> {
    if !valid_path(path) {
        return Err("it is not a path below the server's folder: this file is not set".into());
    }
    let name = file.get("parser").and_then(Value::as_str).unwrap_or_default();
    let Some(parser) = Parser::named(name) else {
        return Err(format!("the parser `{name}` is not known: this file is not set"));
    };
    let Some(find) = file.get("find").filter(|find| matches!(find, Value::Map(_))) else {
        return Err("it has no `find`, so nothing is set in it".into());
    };
    for (key, value) in file.entries() {
        if !["parser", "find"].contains(&key.as_str()) {
            reading.warnings.add(
                Code::UnknownKey,
                format!("config.files.{path}.{key}"),
                "it means nothing here, and is kept",
            );
            reading.keep_at(&["config", "files", path, key], value.clone());
        }
    }
    let mut set = Vec::new();
    for (key, value) in find.entries() {
        settings(reading, path, key, value, &mut set);
    }
    Ok(ConfigFile { path: path.to_owned(), parser, set })
}

fn settings(reading: &mut Reading<'_>, path: &str, key: &str, value: &Value, set: &mut Vec<Setting>) {
    if let Some(value) = scalar(value) {
        set.push(Setting { key: key.to_owned(), when: None, value });
        return;
    }
    let place = format!("config.files.{path}.find.{key}");
    if !matches!(value, Value::Map(_)) {
        reading.warnings.add(
            Code::WrongKind,
            place,
            format!("a value was expected, and it is {}", value.kind()),
        );
        reading.keep_at(&["config", "files", path, "find", key], value.clone());
        return;
    }
    for (when, value) in value.entries() {
        if let Some(pattern) = when.strip_prefix("regex:")
            && regex_lite::Regex::new(pattern).is_err()
        {
            reading.warnings.add(
                Code::BadPattern,
                place.as_str(),
                "this expression cannot be read: nothing is set by it",
            );
        }
        match scalar(value) {
            Some(value) => set.push(Setting { key: key.to_owned(), when: Some(when.clone()), value }),
            None => {
                reading.warnings.add(Code::WrongKind, place.as_str(), "a condition must lead to a value");
                reading.keep_at(&["config", "files", path, "find", key, when], value.clone());
            }
        }
    }
}

fn scalar(value: &Value) -> Option<Scalar> {
    Some(match value {
        Value::String(text) => Scalar::Text(legacy::modern(text)),
        Value::Bool(value) => Scalar::Bool(*value),
        Value::Int(value) => Scalar::Int(*value),
        Value::Float(value) => Scalar::Float(*value),
        Value::Null => Scalar::Text(String::new()),
        Value::List(_) | Value::Map(_) => return None,
    })
}
