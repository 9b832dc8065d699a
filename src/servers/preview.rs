//! Preview of a server: what creating it would do. Changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use ::templates::model::Template as Native;
use protocol::{HostReport, NodeId, capability};
use serde::Serialize;
use storage::servers::{Port, port_owner};
use utoipa::ToSchema;

use super::body::CreateRequest;
use super::conflicts::conflicts;
use super::create::taken;
use super::draft::{Draft, Ports};
use super::image::fit;
use super::placement::AUTO;
use super::ports::next_free;
use super::preview_template::{self, TemplatePreview, is_egg};
use super::run_settings::BehaviourView;
use super::validate::ValidationErrors;
use super::views::{LimitsView, PortView};
use super::{Servers, told_ports};
use crate::agents::local;
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::templates::Memory;

/// Memory in bytes for a server without a template.
const USUAL: Memory = Memory { minimum: 64 << 20, recommended: 1 << 30 };
/// Proposed memory is a multiple of this, in bytes.
const STEP: i64 = 64 << 20;
/// Time for the image's registry to answer; short, because a user is waiting for the preview.
const REGISTRY: Duration = Duration::from_secs(5);
static NOTHING: BTreeMap<String, String> = BTreeMap::new();

/// What would happen.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    node_id: String,
    #[serde(flatten)]
    image: PreviewImage,
    startup: String,
    environment: BTreeMap<String, String>,
    ports: Vec<PortView>,
    limits: LimitsView,
    block_lan: bool,
    behaviour: BehaviourView,
    memory: PreviewMemory,
    /// What its template would do on the node; absent where it has none that says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<TemplatePreview>,
    steps: Vec<String>,
    warnings: Vec<PreviewWarning>,
    blockers: Vec<PreviewBlocker>,
}

/// The image, as the node has it and as its registry does.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PreviewImage {
    image: String,
    image_present: bool,
    /// CPU architectures that its registry has it for; none where that is not known, or nothing is to be fetched.
    image_architectures: Vec<String>,
}

/// Bytes of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct PreviewMemory {
    recommended: i64,
    proposed: i64,
    free: i64,
    total: i64,
}

/// Something to know.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct PreviewWarning {
    code: &'static str,
    message: String,
}

/// Something that stands in the way.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct PreviewBlocker {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl Servers {
    /// The preview of a request.
    pub async fn preview(&self, _admin: &Admin, request: CreateRequest) -> Result<Preview, ApiError> {
        let mut faults = ValidationErrors::default();
        // The name is usually entered last, so a missing one is no error here.
        let named =
            CreateRequest { name: Some(request.name.clone().unwrap_or_else(|| "…".into())), ..request };
        let mut draft = self.draft(&named, &mut faults)?;
        self.check_node(&draft, &mut faults)?;
        let mut blockers: Vec<_> = faults
            .into_map()
            .into_iter()
            .map(|(path, problem)| PreviewBlocker {
                code: Code::Invalid.as_str(),
                message: format!("{path} {problem}."),
                field: Some(path),
            })
            .collect();
        if let Some(terms) = &draft.eula {
            blockers.push(PreviewBlocker {
                code: Code::EulaRequired.as_str(),
                message: format!("The {} has to be accepted first: {}", terms.name, terms.url),
                field: Some("acceptEula".into()),
            });
        }
        let anywhere = draft.node_id == AUTO;
        let placed = if anywhere { self.place(&draft).await } else { Ok(draft.node_id.clone()) };
        // If no node is suitable, the rest of the preview is based on the local node.
        draft.node_id = placed.as_ref().map_or_else(|_| local::NODE_ID, NodeId::clone);
        if let Err(error) = placed.and_then(|id| self.check_takes_servers(&id)) {
            blockers.push(PreviewBlocker {
                code: error.code().as_str(),
                message: error.message().to_owned(),
                field: Some("nodeId".into()),
            });
        }
        let online = self.agents.node(&draft.node_id).online;
        let ports = told_ports::follow(&draft, self.preview_ports(&draft, &mut blockers).await?);
        told_ports::tell(&mut draft, &ports);
        let image = Some(draft.image.as_str()).filter(|image| !image.is_empty());
        let report = if online { self.host_report(&draft.node_id, image, &ports).await } else { None };
        let memory =
            memory(draft.template.as_ref().map_or(USUAL, |template| template.memory), report.as_ref());
        let mut warnings = self.warnings(&draft, &ports, memory, online, report.as_ref());
        let present = report.as_ref().is_some_and(|report| report.image_present);
        let at_registry = match (image, &report) {
            (Some(image), Some(_)) if !present => {
                let asked = self.image_report(&draft.node_id, image);
                tokio::time::timeout(REGISTRY, asked).await.ok().flatten()
            }
            _ => None,
        };
        let at_registry = at_registry.and_then(|report| report.image).unwrap_or_default();
        let system = self.agents.node(&draft.node_id).system;
        let arch = system.as_ref().map_or("", |system| system.arch.as_str());
        warnings.extend(
            fit(&draft.image, arch, &at_registry).map(|(code, message)| PreviewWarning { code, message }),
        );
        Ok(Preview {
            template: preview_template::of(&draft, &ports),
            steps: steps(&draft, &self.node_name(&draft.node_id)?, anywhere, &ports, present, online),
            node_id: draft.node_id.into_string(),
            image: PreviewImage {
                image: draft.image,
                image_present: present,
                image_architectures: at_registry.architectures,
            },
            startup: draft.startup,
            environment: draft.environment,
            ports: ports.into_iter().map(PortView::from).collect(),
            limits: draft.limits.into(),
            block_lan: draft.block_lan,
            behaviour: BehaviourView::from(&draft.behaviour),
            memory,
            warnings,
            blockers,
        })
    }

    fn node_name(&self, id: &str) -> Result<String, ApiError> {
        let node = self.store.read_now(|tx| storage::nodes::get(tx, id))?;
        Ok(node.map_or_else(|| id.to_owned(), |node| node.name))
    }

    async fn preview_ports(
        &self,
        draft: &Draft,
        blockers: &mut Vec<PreviewBlocker>,
    ) -> Result<Vec<Port>, ApiError> {
        let in_use = |message: &str, field: String| PreviewBlocker {
            code: Code::PortInUse.as_str(),
            message: message.to_owned(),
            field: Some(field),
        };
        match &draft.ports {
            Ports::NextFree(wanted) => {
                let excluded = self.held_by_others(&draft.node_id, wanted).await?;
                let own = &self.own_ports;
                match self.store.read_now(|tx| next_free(tx, &draft.node_id, wanted, own, &excluded)) {
                    Ok(ports) => Ok(ports),
                    Err(error) => {
                        blockers.push(in_use(error.message(), "ports".into()));
                        Ok(wanted.clone())
                    }
                }
            }
            Ports::Given(ports) => {
                for (at, port) in ports.iter().enumerate() {
                    let field = format!("ports[{at}].external");
                    if let Err(error) = self.own_ports.check(&draft.node_id, &[*port]) {
                        blockers.push(in_use(error.message(), field));
                        continue;
                    }
                    let owner = self.store.read_now(|tx| {
                        let id = port_owner(tx, &draft.node_id, port.protocol, port.external)?;
                        id.map_or(Ok(None), |id| storage::servers::get(tx, &id))
                    })?;
                    if let Some(owner) = owner {
                        let message = format!(
                            "Port {}/{} belongs to the server \"{}\".",
                            port.external, port.protocol, owner.name
                        );
                        blockers.push(in_use(&message, field));
                    }
                }
                Ok(ports.clone())
            }
        }
    }

    fn warnings(
        &self,
        draft: &Draft,
        ports: &[Port],
        memory: PreviewMemory,
        online: bool,
        report: Option<&HostReport>,
    ) -> Vec<PreviewWarning> {
        let mut warnings = Vec::new();
        let mut warn = |code, message: String| warnings.push(PreviewWarning { code, message });
        if !online {
            warn("node_offline", "The node is offline: the server is made there once it is back.".into());
        } else if self.agents.node(&draft.node_id).engine_away() {
            let message = "The container engine does not answer: the server is made once it is back.";
            warn("engine_unavailable", message.into());
        }
        let limit = draft.limits.memory;
        if memory.total > 0 && limit > memory.total {
            let (limit, total) = (mebibytes(limit), mebibytes(memory.total));
            warn("memory_over", format!("{limit} MiB are more than the machine has ({total} MiB)."));
        } else if memory.total > 0 && limit > memory.free {
            let (limit, free) = (mebibytes(limit), mebibytes(memory.free));
            warn("memory_low", format!("{limit} MiB are more than is free at the moment ({free} MiB)."));
        }
        if let Some(template) = &draft.template
            && limit > 0
            && limit < template.memory.minimum
        {
            let least = mebibytes(template.memory.minimum);
            warn("memory_little", format!("{} hardly starts with less than {least} MiB.", template.name));
        }
        let taken_there = report.map(|report| report.ports_taken.as_slice()).unwrap_or_default();
        for port in ports {
            if taken_there.iter().any(|other| taken(other) == (port.external, port.protocol)) {
                let message = format!(
                    "Port {}/{} is held by another program at the moment.",
                    port.external, port.protocol
                );
                warn("port_in_use", message);
            }
        }
        let acts = |native: &Native| native.install.is_some() || !native.config_files.is_empty();
        if draft.native.as_ref().is_some_and(acts) && self.agents.lacks(&draft.node_id, capability::TEMPLATES)
        {
            let message = "The agent of this node is too old to run the template's install script and to set its config \
                           files. Update it first.";
            warn("template_not_run", message.into());
        }
        if draft.block_lan
            && let Some(problem) = self.agents.node(&draft.node_id).lan_problem()
        {
            warn("lan_not_blocked", format!("The local network would not be blocked. {problem}"));
        }
        // Eggs use the settings, so there is nothing to warn about.
        if is_egg(draft) {
            return warnings;
        }
        let of_image = report.map(|report| &report.image_environment).unwrap_or(&NOTHING);
        let (startup, limits) = (&draft.startup, &draft.limits);
        for message in conflicts(&draft.environment, of_image, startup, limits, ports) {
            warn("variable_conflict", message);
        }
        warnings
    }
}

fn mebibytes(bytes: i64) -> i64 {
    bytes >> 20
}

/// Memory to propose: the recommended amount if it fits into three quarters of the free memory, else what fits.
fn memory(wanted: Memory, report: Option<&HostReport>) -> PreviewMemory {
    let of = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let (free, total) = report.map_or((0, 0), |report| {
        (of(report.memory.total.saturating_sub(report.memory.used)), of(report.memory.total))
    });
    let room = free / 4 * 3 / STEP * STEP;
    let proposed =
        if total == 0 { wanted.recommended } else { wanted.recommended.min(room).max(wanted.minimum) };
    PreviewMemory { recommended: wanted.recommended, proposed, free, total }
}

fn steps(
    draft: &Draft,
    node: &str,
    anywhere: bool,
    ports: &[Port],
    present: bool,
    online: bool,
) -> Vec<String> {
    let mut steps = Vec::new();
    if anywhere {
        steps.push(format!("Put it on the node {node}: there most memory is promised to nobody."));
    }
    if !ports.is_empty() {
        let list: Vec<_> = ports.iter().map(|port| format!("{}/{}", port.external, port.protocol)).collect();
        let plural = if ports.len() == 1 { "port" } else { "ports" };
        steps.push(format!("Reserve the {plural} {} on the node {node}.", list.join(", ")));
    }
    let image = if draft.image.is_empty() { "that is chosen" } else { draft.image.as_str() };
    steps.push(if present {
        format!("Use the image {image}, which is there already.")
    } else if online {
        format!("Fetch the image {image} from its registry.")
    } else {
        format!("Fetch the image {image}, once the node is back.")
    });
    steps.push("Make an empty folder for its data.".to_owned());
    if let Some(install) = draft.native.as_ref().and_then(|native| native.install.as_ref()) {
        steps.push(format!("Run the template's install script there, in a container of {}.", install.image));
    }
    let last = if draft.start {
        "Start it as soon as its files are there."
    } else {
        "Leave it stopped: nothing runs until it is started."
    };
    steps.push(last.to_owned());
    steps
}

#[cfg(test)]
mod tests {
    use protocol::Space;

    use super::*;

    #[test]
    fn memory_is_proposed_by_what_is_free() {
        let report = |used: u64, total: u64| HostReport {
            memory: Space { used: used << 20, total: total << 20 },
            ..HostReport::default()
        };
        let wanted = Memory { minimum: 1 << 30, recommended: 4 << 30 };
        assert_eq!(memory(wanted, None).proposed, 4 << 30);
        assert_eq!(memory(wanted, Some(&report(1000, 16_000))).proposed, 4 << 30);
        let tight = memory(wanted, Some(&report(4000, 8000)));
        assert_eq!((tight.free >> 20, tight.proposed >> 20), (4000, 2944));
        assert_eq!(memory(wanted, Some(&report(7900, 8000))).proposed, 1 << 30, "never below what it needs");
    }
}
