//! What the template of a server says that matters on its node: what is installed, configured and waited for there.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::payload::{IMAGE, LINE, PATH, WORD, few, some, within};

/// Entries of each list.
const ENTRIES: usize = 1_000;
/// Bytes of the install script, and of a value that is set.
const SCRIPT: usize = 1 << 20;

/// Part 2, for an agent that told of `templates`: the part of a template that is acted on where the server runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerTemplate {
    /// What may be set, and what a value has to be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<TemplateVariable>,
    /// Any of these says "running"; as `behaviour.ready`, which is for agents that do not know this list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ready: Vec<String>,
    /// Files that are set before each start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config_files: Vec<TemplateFile>,
    /// What is run once before the first start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install: Option<TemplateInstall>,
}

/// One thing that may be set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateVariable {
    /// Its name in the environment.
    pub name: String,
    /// What people call it; empty where it has no other name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Its value where none is set.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default: String,
    /// What a value has to be, such as `required`, `between:1,64`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// It is not set at all where it is empty.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub omit_empty: bool,
}

/// A file that is set before each start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateFile {
    /// Its path below the server's folder.
    pub path: String,
    /// Its form, such as `properties`. A form that the agent does not know is said in the console.
    pub parser: String,
    /// What is set in it, in this order.
    pub set: Vec<TemplateSetting>,
}

/// One thing that is set in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateSetting {
    /// Where, in the parser's way.
    pub key: String,
    /// Only where the present value is this, or matches what stands behind `regex:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What it becomes: a text with placeholders, a number, true or false.
    pub value: Value,
}

/// What is run once, in a container of its own, before the first start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateInstall {
    /// The image that it runs in.
    pub image: String,
    /// The program that gets the script, such as `bash`.
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
