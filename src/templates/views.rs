//! Templates as JSON.

use std::collections::BTreeMap;

use ::templates::egg::{Code as WarningCode, Warning};
use ::templates::model::{NO_IMAGE, Template as Native};
use protocol::NodeId;
use serde::Serialize;
use storage::servers::{ContainerUser, Port, Protocol, Stop};
use utoipa::ToSchema;

use super::catalog::Added;
use super::difference::Change;
use super::imports::{ImportedFile, Preview};
use super::template::{Eula, Memory, Template, Variable};

/// A template in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateSummary {
    /// Never changes.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// One or two sentences.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// It comes with the program.
    pub builtin: bool,
    /// CPU architectures of its image in Docker's words; none for any.
    pub architectures: Vec<String>,
    /// The container image.
    pub image: String,
    /// What it listens on by itself.
    pub ports: Vec<TemplatePort>,
    /// What it needs.
    pub memory: Memory,
    /// What has to be accepted first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eula: Option<Eula>,
    /// Whether it has a picture: `GET /api/templates/{id}/icon`.
    pub icon: bool,
    /// Whether each known node's CPU can run it.
    pub runs: BTreeMap<String, bool>,
}

/// A whole template.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Template)]
pub struct TemplateView {
    #[serde(flatten)]
    #[allow(missing_docs)]
    pub summary: TemplateSummary,
    /// Which state of it this is, for `If-Match`; absent for those that come with the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The images that one may choose from, the usual one first.
    pub images: Vec<ImageView>,
    /// The startup commands that one may choose from, the usual one first.
    pub startups: Vec<StartupView>,
    /// What its console is to be watched for, such as `eula` or `java_version`.
    pub features: Vec<String>,
    /// Whether it has an install script.
    pub installs: bool,
    /// The startup line; empty for the image's own command.
    pub startup: String,
    /// Whether the permission `startup` is enough to change that line.
    pub startup_editable: bool,
    /// How it is asked to stop.
    pub stop: StopView,
    /// Seconds that it may take over that.
    pub stop_timeout: u32,
    /// What its console says once players can join.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// What may be set.
    pub variables: Vec<Variable>,
    /// Where its data is mounted.
    pub data_path: String,
    /// Whom it runs as: `agent`, `image`, or `uid:gid`.
    pub user: String,
    /// Processes and threads that a new server of it may have at once; absent for the usual number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<i64>,
    /// What one should know.
    pub notes: String,
}

/// An image to choose.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TemplateImage)]
pub struct ImageView {
    /// What it is called in the choice.
    pub label: String,
    /// What a server's `image` is.
    pub reference: String,
}

/// A startup command to choose.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TemplateStartup)]
pub struct StartupView {
    /// What it is called in the choice.
    pub name: String,
    /// What a server's `startup` is.
    pub command: String,
}

/// How a game is asked to stop: one of the two.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TemplateStop)]
pub struct StopView {
    /// A line on its console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// A signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
}

/// A port as the game has it by itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TemplatePort {
    /// Inside the container.
    pub internal: u16,
    /// On the node, where it is free.
    pub external: u16,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
}

impl From<&Port> for TemplatePort {
    fn from(port: &Port) -> Self {
        let protocol = match port.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        Self { internal: port.internal, external: port.external, protocol }
    }
}

impl TemplateSummary {
    /// `architectures_of` are the known nodes and their CPU architectures.
    pub fn new(template: &Template, architectures_of: &[(NodeId, String)], builtin: bool) -> Self {
        let runs = architectures_of
            .iter()
            .map(|(node, architecture)| (node.to_string(), super::runs_on(template, architecture)))
            .collect();
        Self {
            id: template.id.clone(),
            name: template.name.clone(),
            description: template.description.clone(),
            tags: template.tags.clone(),
            builtin,
            architectures: template.architectures.clone(),
            image: template.image.clone(),
            ports: template.ports.iter().map(TemplatePort::from).collect(),
            memory: template.memory,
            eula: template.eula.clone(),
            icon: template.icon,
            runs,
        }
    }
}

fn shown(variable: &Variable, admin: bool) -> Variable {
    let mut shown = variable.clone();
    if variable.secret && !admin {
        shown.default_value.clear();
    }
    shown
}

fn images(template: &Template, native: Option<&Native>) -> Vec<ImageView> {
    let image =
        |label: &str, reference: &str| ImageView { label: label.to_owned(), reference: reference.to_owned() };
    match native {
        Some(native) => {
            let some = native.images.iter().filter(|one| one.reference != NO_IMAGE);
            some.map(|one| image(&one.label, &one.reference)).collect()
        }
        None if template.image.is_empty() => Vec::new(),
        None => vec![image(&template.image, &template.image)],
    }
}

fn startups(template: &Template, native: Option<&Native>) -> Vec<StartupView> {
    let startup =
        |name: &str, command: &str| StartupView { name: name.to_owned(), command: command.to_owned() };
    match native {
        Some(native) => native.startup.iter().map(|one| startup(&one.name, &one.command)).collect(),
        None if template.startup.is_empty() => Vec::new(),
        None => vec![startup("Default", &template.startup)],
    }
}

impl TemplateView {
    /// `architectures_of` are the known nodes and their CPU architectures. Default values that only some may read are
    /// included for administrators only. `native` is the template's native form, if it has one.
    pub fn new(
        template: &Template,
        native: Option<&Native>,
        architectures_of: &[(NodeId, String)],
        builtin: bool,
        admin: bool,
    ) -> Self {
        let behaviour = &template.behaviour;
        Self {
            summary: TemplateSummary::new(template, architectures_of, builtin),
            revision: None,
            images: images(template, native),
            startups: startups(template, native),
            features: native.map(|native| native.run.features.clone()).unwrap_or_default(),
            installs: native.is_some_and(|native| native.install.is_some()),
            startup: template.startup.clone(),
            startup_editable: template.startup_editable,
            stop: match &behaviour.stop {
                Stop::Command(line) => StopView { command: Some(line.clone()), signal: None },
                Stop::Signal(name) => StopView { command: None, signal: Some(name.clone()) },
            },
            stop_timeout: behaviour.stop_timeout_secs,
            ready: behaviour.ready.clone(),
            variables: template.variables.iter().map(|variable| shown(variable, admin)).collect(),
            data_path: behaviour.data_path.clone(),
            user: match &behaviour.user {
                ContainerUser::Agent => "agent".to_owned(),
                ContainerUser::Image => "image".to_owned(),
                ContainerUser::Fixed(pair) => pair.clone(),
            },
            processes: template.processes,
            notes: template.notes.clone(),
        }
    }
}

/// A template that was added.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateAdded)]
pub struct AddedView {
    /// Where it is.
    id: String,
    /// What people call it.
    name: String,
    /// What was not understood, or means something else here.
    warnings: Vec<WarningView>,
}

/// Something that should be known about a template that was added.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateWarning)]
pub(super) struct WarningView {
    /// Which kind of thing, for programs.
    #[schema(value_type = String)]
    code: WarningCode,
    /// The key in the file, as a path.
    key: String,
    /// What it means.
    message: String,
}

impl From<Warning> for WarningView {
    fn from(Warning { code, key, message }: Warning) -> Self {
        Self { code, key, message }
    }
}

impl From<Added> for AddedView {
    fn from(Added { id, name, warnings }: Added) -> Self {
        Self { id, name, warnings: warnings.into_iter().map(WarningView::from).collect() }
    }
}

/// What became of one file of an archive: it has an id, or an error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateFile)]
pub(super) struct FileView {
    /// Its path in the archive.
    file: String,
    /// Where its template is.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// What was not understood, or means something else here.
    warnings: Vec<WarningView>,
    /// Why it was not taken, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<ImportedFile> for FileView {
    fn from(ImportedFile { file, outcome }: ImportedFile) -> Self {
        match outcome {
            Ok(added) => {
                let AddedView { id, name, warnings } = AddedView::from(added);
                Self { file, id: Some(id), name: Some(name), warnings, error: None }
            }
            Err(error) => {
                let mut sentence = error.message().to_owned();
                for (key, problem) in error.problems().iter().take(5) {
                    sentence.push_str(&format!(" {key}: {problem}."));
                }
                Self { file, id: None, name: None, warnings: Vec::new(), error: Some(sentence) }
            }
        }
    }
}

/// What a file would change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateImportPreview)]
pub(super) struct PreviewView {
    /// The name in the file.
    name: String,
    /// The template whose place it would take; null where it would be a new one.
    existing: Option<String>,
    /// The keys whose values differ, 200 at most.
    changes: Vec<ChangeView>,
    /// What was not understood, or means something else here.
    warnings: Vec<WarningView>,
}

/// A key whose values differ.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateChange)]
pub struct ChangeView {
    /// The key in the native form, as a path; things of a list by their names.
    key: String,
    /// The present value; null where there is none.
    before: Option<String>,
    /// The value in the file; null where there is none.
    after: Option<String>,
}

impl From<Change> for ChangeView {
    fn from(Change { key, before, after }: Change) -> Self {
        Self { key, before, after }
    }
}

impl From<Preview> for PreviewView {
    fn from(Preview { name, existing, changes, warnings }: Preview) -> Self {
        Self {
            name,
            existing,
            changes: changes.into_iter().map(ChangeView::from).collect(),
            warnings: warnings.into_iter().map(WarningView::from).collect(),
        }
    }
}
