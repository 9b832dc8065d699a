//! Creates servers.

use std::time::Duration;

use protocol::{HostCheck, HostReport, NodeId, ToAgent, ToPanel};
use storage::servers::{Port, Protocol, Server};

use super::body::CreateRequest;
use super::draft::{Draft, Ports};
use super::placement::AUTO;
use super::ports::{Excluded, next_free};
use super::validate::ValidationErrors;
use super::views::ServerView;
use super::{Servers, template_runs, told_ports};
use crate::agents::port_message;
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::system::{clock, ids};

/// Time limit for asking the node which ports are free.
const HOST_CHECK: Duration = Duration::from_secs(3);
/// How many times other ports are tried if other programs use the proposed ones.
const PROPOSALS: usize = 8;

impl Servers {
    /// Creates a server. Its agent is sent the server after it was stored.
    pub async fn create(&self, admin: &Admin, request: CreateRequest) -> Result<ServerView, ApiError> {
        let mut faults = ValidationErrors::default();
        let draft = self.draft(&request, &mut faults)?;
        self.check_node(&draft, &mut faults)?;
        let mut draft = faults.or(draft)?;
        if let Some(terms) = &draft.eula {
            let sentence = format!("The {} ({}) has to be accepted first.", terms.name, terms.url);
            return Err(
                ApiError::new(Code::EulaRequired, sentence).with_field("acceptEula", "has to be true")
            );
        }
        if draft.node_id == AUTO {
            draft.node_id = self.place(&draft).await?;
        }
        self.check_takes_servers(&draft.node_id)?;
        let excluded = match &draft.ports {
            Ports::Given(ports) => {
                self.own_ports.check(&draft.node_id, ports)?;
                Excluded::new()
            }
            Ports::NextFree(wanted) => self.held_by_others(&draft.node_id, wanted).await?,
        };
        let own = self.own_ports.clone();
        let written = self.store.write(move |tx| {
            let ports = match &draft.ports {
                Ports::Given(ports) => ports.clone(),
                Ports::NextFree(wanted) => {
                    told_ports::follow(&draft, next_free(tx, &draft.node_id, wanted, &own, &excluded)?)
                }
            };
            let mut draft = draft;
            told_ports::tell(&mut draft, &ports);
            let server = draft.into_record(ids::short().into(), ports, clock::now());
            storage::servers::insert(tx, &server)?;
            Ok::<Server, ApiError>(server)
        });
        let server = written.await?;
        tracing::info!(
            server = %server.id,
            name = server.name,
            node = %server.node_id,
            by = %admin,
            "server made"
        );
        self.agents.place(&server.id, &server.node_id);
        self.agents.create(server.clone());
        if server.start_when_installed {
            self.start_when_installed(&server.id);
        }
        self.view(server, admin)
    }

    /// The draft that a request results in, with errors added to `faults`.
    pub(super) fn draft(
        &self,
        request: &CreateRequest,
        faults: &mut ValidationErrors,
    ) -> Result<Draft, ApiError> {
        let id = request.template_id.as_deref();
        let mut draft = Draft::new(request, self.template(id), faults);
        draft.native = id.map_or(Ok(None), |id| self.templates.native(id))?;
        Ok(draft)
    }

    /// Checks that the node exists and that its CPU can run the image.
    pub(super) fn check_node(&self, draft: &Draft, faults: &mut ValidationErrors) -> Result<(), ApiError> {
        if draft.node_id == AUTO {
            return Ok(());
        }
        let node_id = draft.node_id.clone();
        let there = self.store.read_now(|tx| storage::nodes::get(tx, &node_id))?.is_some();
        if !there {
            faults.add("nodeId", "is no node that is known here");
        } else if let Some(template) = &draft.template
            && !template_runs(&self.agents, template, &draft.node_id)
        {
            faults.add("templateId", "does not run on this node's CPU");
        }
        Ok(())
    }

    /// Refuses a node that is being drained, or whose agent cannot give a game access to its files.
    pub(super) fn check_takes_servers(&self, node_id: &NodeId) -> Result<(), ApiError> {
        if let Some(problem) = self.agents.node(node_id).no_host_path() {
            return Err(ApiError::new(Code::Conflict, format!("{} {}", problem.message, problem.hint)));
        }
        let node = self.store.read_now(|tx| storage::nodes::get(tx, node_id))?;
        match node.filter(|node| node.draining) {
            Some(node) => {
                let sentence = format!("{} is being drained: no new servers are placed there.", node.name);
                Err(ApiError::new(Code::Conflict, sentence))
            }
            None => Ok(()),
        }
    }

    /// Ports near the wanted ones that other programs use, as far as the node can tell. Only a hint: a start detects it
    /// reliably.
    pub(super) async fn held_by_others(
        &self,
        node_id: &NodeId,
        wanted: &[Port],
    ) -> Result<Excluded, ApiError> {
        let mut excluded = Excluded::new();
        if wanted.is_empty() {
            return Ok(excluded);
        }
        for _ in 0..PROPOSALS {
            let own = &self.own_ports;
            let proposed = self.store.read_now(|tx| next_free(tx, node_id, wanted, own, &excluded))?;
            let Some(report) = self.host_report(node_id, None, &proposed).await else { break };
            if report.ports_taken.is_empty() {
                break;
            }
            excluded.extend(report.ports_taken.iter().map(taken));
        }
        Ok(excluded)
    }

    /// What the node reports about an image and ports; `None` if it cannot be asked.
    pub(super) async fn host_report(
        &self,
        node_id: &NodeId,
        image: Option<&str>,
        ports: &[Port],
    ) -> Option<HostReport> {
        self.host_report_with(node_id, image, ports, false, HOST_CHECK).await
    }

    /// Like `host_report`, and may also ask the image's registry.
    pub(super) async fn host_report_with(
        &self,
        node_id: &NodeId,
        image: Option<&str>,
        ports: &[Port],
        registry: bool,
        deadline: Duration,
    ) -> Option<HostReport> {
        let check = HostCheck {
            registry,
            image: image.map(str::to_owned),
            ports: ports.iter().copied().map(port_message).collect(),
        };
        match self.agents.ask(node_id, ToAgent::HostCheck(check), deadline).await {
            Ok(ToPanel::HostReport(report)) => Some(report),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(node = %node_id, %error, "no host report");
                None
            }
        }
    }
}

pub(super) fn taken(port: &protocol::Port) -> (u16, Protocol) {
    let protocol = match port.protocol {
        protocol::Protocol::Tcp => Protocol::Tcp,
        protocol::Protocol::Udp => Protocol::Udp,
    };
    (port.external, protocol)
}
