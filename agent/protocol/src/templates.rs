//! The parts of a server's template that matter on its node: installation, configuration and ready lines.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::payload::{IMAGE, LINE, PATH, WORD, few, some, within};

/// Maximum number of entries per list.
const ENTRIES: usize = 1_000;
/// Maximum bytes of the install script, and of a value to set.
const SCRIPT: usize = 1 << 20;

/// Extension, for agents with the capability `templates`: the part of a template that is used where the server runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerTemplate {
    /// The variables and their rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<TemplateVariable>,
    /// Ready lines; like `behaviour.ready`, which is for agents that do not support this list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ready: Vec<String>,
    /// Config files that are set before each start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config_files: Vec<TemplateFile>,
    /// The installation, run once before the first start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install: Option<TemplateInstall>,
}

/// A variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateVariable {
    /// Its name in the environment.
    pub name: String,
    /// Display name; empty if it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Its default value.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default: String,
    /// The rules for its value, such as `required`, `between:1,64`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Whether it is left unset if its value is empty.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub omit_empty: bool,
}

/// A config file that is set before each start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateFile {
    /// Path relative to the server's folder.
    pub path: String,
    /// Its format, such as `properties`. The agent reports an unknown format in the console.
    pub parser: String,
    /// The values to set, in this order.
    pub set: Vec<TemplateSetting>,
}

/// A value to set in a config file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateSetting {
    /// Its key, in the parser's syntax.
    pub key: String,
    /// Only set it if the current value equals this, or matches the expression after `regex:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The new value: a text with placeholders, a number or a boolean.
    pub value: Value,
}

/// The installation, run once in a separate container before the first start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateInstall {
    /// The install container's image.
    pub image: String,
    /// The program that runs the script, such as `bash`.
    pub entrypoint: String,
    /// The script.
    pub script: String,
}

impl ServerTemplate {
    pub(super) fn bounded(&self) -> Result<(), String> {
        let Self { variables, ready, config_files, install } = self;
        few("template.variables", variables.len(), ENTRIES)?;
        for TemplateVariable { name, label, default, rules, omit_empty: _ } in variables {
            within("the name of a variable", name, WORD)?;
            within("the label of a variable", label, LINE)?;
            within("the default of a variable", default, SCRIPT)?;
            few("the rules of a variable", rules.len(), ENTRIES)?;
            rules.iter().try_for_each(|rule| within("a rule", rule, LINE))?;
        }
        few("template.ready", ready.len(), ENTRIES)?;
        ready.iter().try_for_each(|ready| within("ready", ready, LINE))?;
        few("template.configFiles", config_files.len(), ENTRIES)?;
        config_files.iter().try_for_each(TemplateFile::bounded)?;
        if let Some(TemplateInstall { image, entrypoint, script }) = install {
            within("the install image", image, IMAGE)?;
            within("the install entrypoint", entrypoint, WORD)?;
            within("the install script", script, SCRIPT)?;
        }
        Ok(())
    }
}

impl TemplateFile {
    fn bounded(&self) -> Result<(), String> {
        let Self { path, parser, set } = self;
        within("the path of a config file", path, PATH)?;
        within("the parser of a config file", parser, WORD)?;
        few("the settings of a config file", set.len(), ENTRIES)?;
        for TemplateSetting { key, when, value } in set {
            within("a key of a config file", key, LINE)?;
            some("a condition of a config file", when.as_deref(), LINE)?;
            match value {
                Value::String(text) => within("a value of a config file", text, SCRIPT)?,
                Value::Array(_) | Value::Object(_) => return Err("a value of a config file is a list".into()),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
        Ok(())
    }
}
