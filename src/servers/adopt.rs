//! Servers about which a node and the panel do not agree: made again, adopted, removed there, told again.

use std::time::Duration;

use agent::protocol::{self as wire, ServerDescription};
use storage::servers::Server;

use super::Servers;
use super::body::{LimitsRequest, PortRequest, ProtocolWord};
use super::validate::{self, Faults};
use crate::agents::behaviour_record;
use crate::auth::Admin;
use crate::clock;
use crate::error::{ApiError, Code};

/// For a server of which we do not know how long its stop may take.
const REMOVAL_TAKES: Duration = Duration::from_secs(300);
/// Longest text of an agent about how an image is run.
const BEHAVIOUR_BYTES: usize = 1024;

impl Servers {
    /// Makes a server that its node has lost again, with nothing in its folder.
    pub async fn recreate(&self, admin: &Admin, node_id: &str, id: &str) -> Result<(), ApiError> {
        let server = self.of_node(node_id, id)?;
        self.moves.allows(id)?;
        self.agents.recreate(&server).await?;
        tracing::info!(server = id, node = node_id, by = admin.username(), "a lost server was made again");
        Ok(())
    }

    /// Gives a node settings that it would not take before.
    pub async fn apply_again(&self, admin: &Admin, node_id: &str, id: &str) -> Result<(), ApiError> {
        let server = self.of_node(node_id, id)?;
        self.agents.apply(&server).await?;
        tracing::info!(server = id, node = node_id, by = admin.username(), "settings were applied again");
        Ok(())
    }

    /// Has a node delete a server that is unknown here.
    pub async fn remove_unknown(&self, admin: &Admin, node_id: &str, id: &str) -> Result<(), ApiError> {
        // It may be the copy of one that is just moving there.
        self.moves.allows(id)?;
        let (servers, node, id) = (self.clone(), node_id.to_owned(), id.to_owned());
        let by = admin.username().to_owned();
        // To the end, also when the caller hangs up half-way.
        let work = self.tasks.spawn("unknown-delete", async move {
            servers.agents.remove_unknown(&node, &id, REMOVAL_TAKES).await?;
            tracing::info!(server = id, node, by, "an unknown server was removed from its node");
            Ok(())
        });
        work.await.unwrap_or_else(|cut| Err(ApiError::internal("removing a server", &cut)))
    }

    /// Takes a server that a node has and nobody here knows into the books, as its agent describes it.
    pub async fn adopt(&self, admin: &Admin, node_id: &str, id: &str) -> Result<(), ApiError> {
        let described = self.agents.describe(node_id, id).await?.ok_or_else(|| {
            ApiError::new(
                Code::Conflict,
                "The agent of this node cannot describe its servers: it is of another make.",
            )
        })?;
        let server = record(described, node_id)?;
        self.own_ports.check(node_id, &server.ports)?;
        let name = server.name.clone();
        self.store.write(move |tx| storage::servers::insert(tx, &server)).await?;
        tracing::info!(server = id, name, node = node_id, by = admin.username(), "server adopted");
        self.agents.adopted(id, node_id);
        Ok(())
    }

    fn of_node(&self, node_id: &str, id: &str) -> Result<Server, ApiError> {
        let server = self.record(id)?;
        if server.node_id == node_id { Ok(server) } else { Err(ApiError::not_found("server")) }
    }
}

/// An agent's word, held to what a person's would be held to.
fn record(described: ServerDescription, node_id: &str) -> Result<Server, ApiError> {
    let ServerDescription { spec, suspended } = described;
    let mut faults = Faults::default();
    let mut unnamed = Faults::default();
    let name = spec.name.unwrap_or_default();
    validate::name(&name, &mut unnamed);
    let name = unnamed.or(name).unwrap_or_else(|_| spec.server_id.clone());
    validate::image(&spec.image, &mut faults);
    validate::startup(&spec.startup, &mut faults);
    validate::environment(&spec.environment, None, &mut faults);
    let limits = LimitsRequest {
        memory: Some(spec.limits.memory),
        swap: Some(spec.limits.swap),
        disk: Some(spec.limits.disk),
        io: Some(spec.limits.io),
        cpu: Some(spec.limits.cpu),
    };
    let limits = validate::limits(storage::servers::Limits::default(), &limits, &mut faults);
    let ports: Vec<_> = spec.ports.iter().take(1000).map(port).collect();
    let ports = validate::ports(&ports, &mut faults);
    let behaviour = behaviour_record(spec.behaviour.unwrap_or_default());
    let texts = [Some(&behaviour.data_path), behaviour.working_dir.as_ref(), behaviour.ready.as_ref()];
    if texts.into_iter().flatten().any(|text| text.len() > BEHAVIOUR_BYTES) {
        faults.add("behaviour", format!("must have texts of at most {BEHAVIOUR_BYTES} bytes"));
    }
    let faults = faults.into_map();
    if let Some((path, problem)) = faults.first_key_value() {
        let sentence = format!("What the node says of this server can't be taken over: {path} {problem}.");
        return Err(ApiError::new(Code::Conflict, sentence));
    }
    let now = clock::now();
    Ok(Server {
        id: spec.server_id,
        name,
        node_id: node_id.to_owned(),
        template_id: None,
        image: spec.image,
        startup: spec.startup,
        environment: spec.environment,
        limits,
        ports,
        suspended,
        created_at: now,
        updated_at: now,
        behaviour,
        handed_over: true,
    })
}

fn port(port: &wire::Port) -> PortRequest {
    PortRequest {
        internal: port.internal.into(),
        external: port.external.into(),
        protocol: match port.protocol {
            wire::Protocol::Tcp => ProtocolWord::Tcp,
            wire::Protocol::Udp => ProtocolWord::Udp,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(json: &str) -> Result<Server, ApiError> {
        record(serde_json::from_str(json).unwrap(), "attic")
    }

    #[test]
    fn a_server_is_taken_as_its_agent_tells() {
        let server = described(
            r#"{"spec":{"serverId":"a","name":"World","image":"busybox","startup":"game","environment":{"A":"1"},
                "limits":{"memory":67108864,"cpu":50},"ports":[{"internal":1,"external":2,"protocol":"udp"}]}}"#,
        )
        .unwrap();
        assert_eq!(
            (server.id.as_str(), server.name.as_str(), server.node_id.as_str()),
            ("a", "World", "attic")
        );
        assert_eq!((server.limits.memory, server.limits.cpu, server.ports.len()), (64 << 20, 50, 1));
        assert!(server.handed_over && !server.suspended);
        // Of a container of another make little is known.
        let bare = described(r#"{"spec":{"serverId":"b","image":"busybox"},"suspended":true}"#).unwrap();
        assert_eq!((bare.name.as_str(), bare.suspended), ("b", true));
    }

    #[test]
    fn what_nobody_could_have_asked_for_is_not_taken() {
        for bad in [
            r#"{"spec":{"serverId":"a","image":"a b"}}"#,
            r#"{"spec":{"serverId":"a","image":"x","startup":"a\u0000"}}"#,
            r#"{"spec":{"serverId":"a","image":"x","environment":{"1A":""}}}"#,
            r#"{"spec":{"serverId":"a","image":"x","limits":{"memory":5}}}"#,
        ] {
            assert_eq!(described(bad).unwrap_err().code(), Code::Conflict, "{bad}");
        }
        let odd = described(r#"{"spec":{"serverId":"a","name":"\u0007","image":"x"}}"#).unwrap();
        assert_eq!(odd.name, "a", "a bad name is none");
    }
}
