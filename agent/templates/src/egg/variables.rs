//! The variables of an egg.

use std::collections::BTreeSet;

use super::error::ImportError;
use super::reading::Reading;
use super::warning::Code;
use crate::model::{MAX_VARIABLES, Variable, valid_name};
use crate::rules::{self, Rules};
use crate::text;
use crate::value::Value;

/// Names that are set by the panel or the image (Pelican: `EggVariable::RESERVED_ENV_NAMES`).
const RESERVED: [&str; 19] = [
    "P_SERVER_UUID",
    "P_SERVER_ALLOCATION_LIMIT",
    "SERVER_MEMORY",
    "SERVER_IP",
    "SERVER_PORT",
    "ENV",
    "HOME",
    "USER",
    "STARTUP",
    "MODIFIED_STARTUP",
    "SERVER_UUID",
    "UUID",
    "INTERNAL_IP",
    "HOSTNAME",
    "TERM",
    "LANG",
    "PWD",
    "TZ",
    "TIMEZONE",
];

/// Key of the extras with the unusable variables.
pub(super) const UNUSABLE: &str = "variables";
/// Key of the extras with unknown keys of variables, by the variable's name.
pub(super) const KEYS: &str = "variable_keys";

const KNOWN: [&str; 9] = [
    "name",
    "description",
    "env_variable",
    "default_value",
    "user_viewable",
    "user_editable",
    "rules",
    "sort",
    "field_type",
];

/// The variables read from an egg.
pub(super) struct Variables {
    pub(super) list: Vec<Variable>,
    /// Renamed variables: old and new name.
    pub(super) renamed: Vec<(String, String)>,
}

pub(super) fn read(reading: &mut Reading<'_>) -> Result<Variables, ImportError> {
    let egg = reading.egg;
    let list: Vec<&Value> = match egg.get("variables") {
        Some(Value::List(list)) => list.iter().collect(),
        Some(Value::Map(entries)) => entries.iter().map(|(_, value)| value).collect(),
        None | Some(Value::Null) => Vec::new(),
        Some(other) => {
            return Err(ImportError::bad(
                "variables",
                format!("a list was expected, and it is {}", other.kind()),
            ));
        }
    };
    if list.len() > MAX_VARIABLES {
        return Err(ImportError::bad(
            "variables",
            format!("there are {}; {MAX_VARIABLES} are the most", list.len()),
        ));
    }
    let mut found = Variables { list: Vec::new(), renamed: Vec::new() };
    let mut names = BTreeSet::new();
    let mut unusable = Vec::new();
    for (index, value) in list.into_iter().enumerate() {
        let key = format!("variables.{index}");
        match variable(reading, value, &key, &mut found.renamed) {
            Some(variable) if names.insert(variable.name.clone()) => found.list.push(variable),
            Some(variable) => {
                let said = format!("there is another one named {}: this one is not used", variable.name);
                reading.warnings.add(Code::UnusableVariable, key, said);
                unusable.push(value.clone());
            }
            None => unusable.push(value.clone()),
        }
    }
    if !unusable.is_empty() {
        reading.keep(UNUSABLE, Value::List(unusable));
    }
    Ok(found)
}

fn variable(
    reading: &mut Reading<'_>,
    value: &Value,
    key: &str,
    renamed: &mut Vec<(String, String)>,
) -> Option<Variable> {
    let written = reading.text(value.get("env_variable"), &format!("{key}.env_variable"));
    let mut name = written.trim().to_owned();
    if RESERVED.contains(&name.as_str()) {
        let new = format!("SERVER_{name}");
        let said = format!("{name} is set by the panel: this one is called {new} now");
        reading.warnings.add(Code::Renamed, format!("{key}.env_variable"), said);
        renamed.push((name, new.clone()));
        name = new;
    }
    if !valid_name(&name) {
        let said =
            "it is no name for the environment (letters, digits, underscores): this variable is not used";
        reading.warnings.add(Code::UnusableVariable, format!("{key}.env_variable"), said);
        return None;
    }
    for (unknown, extra) in value.entries() {
        let plain = unknown == "field_type" && extra.as_str() == Some("text");
        if unknown == "field_type" && !plain || !KNOWN.contains(&unknown.as_str()) {
            reading.warnings.add(
                Code::UnknownKey,
                format!("{key}.{unknown}"),
                "it means nothing here, and is kept",
            );
            reading.keep_at(&[KEYS, &name, unknown], extra.clone());
        }
    }
    let label = reading.text(value.get("name"), &format!("{key}.name"));
    let description = reading.text(value.get("description"), &format!("{key}.description"));
    let found = Variable {
        label: reading.line(&label, &format!("{key}.name"), 191),
        description: text::block(&description, 16_384),
        default: reading.text(value.get("default_value"), &format!("{key}.default_value")),
        rules: rules(reading, value.get("rules"), &format!("{key}.rules")),
        viewable: truth(value.get("user_viewable")),
        editable: truth(value.get("user_editable")),
        secret: None,
        omit_empty: false,
        sort: match value.get("sort") {
            Some(Value::Int(sort)) => Some(*sort),
            _ => None,
        },
        name,
    };
    said_about_rules(reading, &found, key);
    Some(found)
}

/// Rules of a variable: a list, or a text that is split at `|`.
fn rules(reading: &mut Reading<'_>, value: Option<&Value>, key: &str) -> Vec<String> {
    match value {
        Some(Value::String(text)) => rules::split(text),
        other => reading.texts(other, key),
    }
}

fn said_about_rules(reading: &mut Reading<'_>, variable: &Variable, key: &str) {
    let rules = Rules::parse(&variable.rules);
    for unknown in rules.unknown() {
        let said = format!("the rule `{unknown}` is not known, and is not checked");
        reading.warnings.add(Code::UnknownRule, format!("{key}.rules"), said);
    }
    if let Err(broken) = rules.check(&variable.default) {
        let said = format!(
            "{} has to be set before the first start: its default {}",
            variable.name,
            broken.sentence()
        );
        reading.warnings.add(Code::DefaultBreaksRules, format!("{key}.default_value"), said);
    }
}

fn truth(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(truth)) => *truth,
        Some(Value::Int(number)) => *number != 0,
        Some(Value::String(text)) => matches!(text.as_str(), "1" | "true"),
        _ => false,
    }
}
