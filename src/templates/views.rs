//! Templates as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use storage::servers::{ContainerUser, Port, Protocol, Stop};
use utoipa::ToSchema;

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
    /// What one should know.
    pub notes: String,
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
    /// `architectures_of` are the known nodes with their CPUs.
    pub fn new(template: &Template, architectures_of: &[(String, String)], builtin: bool) -> Self {
        let runs = architectures_of
            .iter()
            .map(|(node, architecture)| (node.clone(), super::runs_on(template, architecture)))
            .collect();
        Self {
            id: template.id.clone(),
            name: template.name.clone(),
            description: template.description.clone(),
            builtin,
            architectures: template.architectures.clone(),
            image: template.image.clone(),
            ports: template.ports.iter().map(TemplatePort::from).collect(),
            memory: template.memory,
            eula: template.eula.clone(),
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

impl TemplateView {
    /// `architectures_of` are the known nodes with their CPUs. Defaults that only some may read are for administrators.
    pub fn new(
        template: &Template,
        architectures_of: &[(String, String)],
        builtin: bool,
        admin: bool,
    ) -> Self {
        let behaviour = &template.behaviour;
        Self {
            summary: TemplateSummary::new(template, architectures_of, builtin),
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
            notes: template.notes.clone(),
        }
    }
}
