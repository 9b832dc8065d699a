//! Resolves differences between a node and the panel: creates a server again, adopts it, removes it from the node, or
//! sends its settings again.

use std::time::Duration;

use protocol::{self as wire, NodeId, ServerDescription, ServerId};
use storage::servers::Server;

use super::body::{self, LimitsRequest, PortRequest};
use super::deletions::not_deleting;
use super::validate::{self, ValidationErrors};
use super::{Servers, behaviour};
use crate::agents::{behaviour_record, template_record};
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::system::clock;
use crate::templates;

/// Time for removing a server whose stop timeout is not known.
const REMOVAL_TAKES: Duration = Duration::from_secs(300);
/// How many errors the message of a refusal contains. Its fields contain all of them.
const NAMED_FAULTS: usize = 3;

impl Servers {
    /// Creates a server that its node has lost again, with an empty folder.
    pub async fn recreate(&self, admin: &Admin, node_id: &NodeId, id: &ServerId) -> Result<(), ApiError> {
        let server = self.of_node(node_id, id)?;
        not_deleting(&server)?;
        self.moves.allows(id)?;
        self.agents.recreate(&server).await?;
        tracing::info!(server = %id, node = %node_id, by = %admin, "a lost server was made again");
        Ok(())
    }

    /// Sends settings again that the node refused before.
    pub async fn apply_again(&self, admin: &Admin, node_id: &NodeId, id: &ServerId) -> Result<(), ApiError> {
        let server = self.of_node(node_id, id)?;
        not_deleting(&server)?;
        self.agents.apply(&server).await?;
        tracing::info!(server = %id, node = %node_id, by = %admin, "settings were applied again");
        Ok(())
    }

    /// Deletes a server on a node that is unknown to the panel.
    pub async fn remove_unknown(
        &self,
        admin: &Admin,
        node_id: &NodeId,
        id: &ServerId,
    ) -> Result<(), ApiError> {
        // It may be the copy of a server that is being transferred to this node.
        self.moves.allows(id)?;
        let (servers, node, id) = (self.clone(), node_id.to_owned(), id.to_owned());
        let by = admin.to_string();
        // Runs to its end even if the caller disconnects.
        let work = self.tasks.spawn("unknown-delete", async move {
            servers.agents.remove_unknown(&node, &id, REMOVAL_TAKES).await?;
            tracing::info!(server = %id, %node, by, "an unknown server was removed from its node");
            Ok(())
        });
        work.await.unwrap_or_else(|cut| Err(ApiError::internal("removing a server", &cut)))
    }

    /// Adds a server that exists on a node but is unknown to the panel, with the settings that its agent reports.
    pub async fn adopt(&self, admin: &Admin, node_id: &NodeId, id: &ServerId) -> Result<(), ApiError> {
        let described = self.agents.describe(node_id, id).await?.ok_or_else(|| {
            ApiError::new(
                Code::Conflict,
                "The agent of this node cannot describe its servers: it is a legacy agent.",
            )
        })?;
        let server = record(described, node_id)?;
        self.own_ports.check(node_id, &server.ports)?;
        let name = server.name.clone();
        self.store.write(move |tx| storage::servers::insert(tx, &server)).await?;
        tracing::info!(server = %id, name, node = %node_id, by = %admin, "server adopted");
        self.agents.adopted(id, node_id);
        Ok(())
    }

    fn of_node(&self, node_id: &NodeId, id: &ServerId) -> Result<Server, ApiError> {
        let server = self.record(id)?;
        if server.node_id == node_id { Ok(server) } else { Err(ApiError::not_found("server")) }
    }
}

/// The record for a server as an agent describes it. The settings are validated like those from a user.
fn record(described: ServerDescription, node_id: &NodeId) -> Result<Server, ApiError> {
    let ServerDescription { spec, suspended } = described;
    let mut faults = ValidationErrors::default();
    if !spec.server_id.is_valid() {
        faults.add("serverId", "is no id of a server");
    }
    // Containers of other agents have no name.
    let name = spec.name.unwrap_or_else(|| spec.server_id.to_string());
    validate::name(&name, &mut faults);
    validate::image(&spec.image, &mut faults);
    validate::startup(&spec.startup, &mut faults);
    validate::environment(&spec.environment, None, &mut faults);
    let limits = LimitsRequest {
        memory: Some(spec.limits.memory),
        swap: Some(spec.limits.swap),
        disk: Some(spec.limits.disk),
        io: Some(spec.limits.io),
        cpu: Some(spec.limits.cpu),
        processes: Some(spec.limits.processes),
    };
    let limits = validate::limits(storage::servers::Limits::default(), &limits, &mut faults);
    let ports: Vec<_> = spec.ports.iter().map(port).collect();
    let ports = validate::ports(&ports, &mut faults);
    let behaviour = behaviour_record(spec.behaviour.unwrap_or_default());
    behaviour::check(&behaviour, &mut faults);
    let template = spec.template.and_then(|kept| {
        template_record(&name, &spec.image, *kept)
            .map_err(|(key, problem)| faults.add(format!("template.{key}"), problem))
            .ok()
    });
    refuse_faults(faults)?;
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
        block_lan: spec.block_lan,
        handed_over: true,
        deleting: None,
        template: template.as_ref().map(templates::kept),
        start_when_installed: false,
    })
}

/// 422 with all errors in its fields, and the first ones in the message.
fn refuse_faults(faults: ValidationErrors) -> Result<(), ApiError> {
    let faults = faults.into_map();
    if faults.is_empty() {
        return Ok(());
    }
    let mut named: Vec<_> =
        faults.iter().take(NAMED_FAULTS).map(|(path, problem)| format!("{path} {problem}")).collect();
    if faults.len() > NAMED_FAULTS {
        named.push(format!("and {} more", faults.len() - NAMED_FAULTS));
    }
    let sentence = format!("This server cannot be adopted as its node describes it: {}.", named.join("; "));
    let refusal = ApiError::new(Code::Invalid, sentence);
    Err(faults.into_iter().fold(refusal, |refusal, (path, problem)| refusal.with_field(path, problem)))
}

fn port(port: &wire::Port) -> PortRequest {
    PortRequest {
        internal: port.internal.into(),
        external: port.external.into(),
        protocol: match port.protocol {
            wire::Protocol::Tcp => body::Protocol::Tcp,
            wire::Protocol::Udp => body::Protocol::Udp,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(json: &str) -> Result<Server, ApiError> {
        record(serde_json::from_str(json).unwrap(), &"attic".into())
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
        // Little is known about the container of a legacy agent.
        let bare = described(r#"{"spec":{"serverId":"b","image":"busybox"},"suspended":true}"#).unwrap();
        assert_eq!((bare.name.as_str(), bare.suspended), ("b", true));
    }

    /// What an agent was told of a template comes back as it was sent: the next settings would change it otherwise.
    #[test]
    fn its_template_is_kept() {
        let sent = r#"{"variables":[{"name":"SLOTS","label":"Slots","default":"4","rules":["integer","between:1,64"]}],
            "ready":["Ready"],"configFiles":[{"path":"server.ini","parser":"ini","set":[{"key":"a","value":1},
            {"key":"b","when":"x","value":"{{env.SLOTS}}"},{"key":"c","value":true}]}],
            "install":{"image":"i:1","entrypoint":"bash","script":"true"}}"#;
        let server =
            described(&format!(r#"{{"spec":{{"serverId":"a","image":"busybox","template":{sent}}}}}"#))
                .unwrap();
        let again = crate::agents::create_message(&server).template.unwrap();
        assert_eq!(*again, serde_json::from_str::<wire::ServerTemplate>(sent).unwrap());
        assert!(described(r#"{"spec":{"serverId":"a","image":"busybox"}}"#).unwrap().template.is_none());
    }

    #[test]
    fn what_nobody_could_have_asked_for_is_not_taken() {
        let spec = |more: serde_json::Value| {
            let mut spec = serde_json::json!({ "serverId": "a", "image": "x" });
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            described(&serde_json::json!({ "spec": spec }).to_string())
        };
        let behaviour = |more: serde_json::Value| spec(serde_json::json!({ "behaviour": more }));
        for (got, field) in [
            (spec(serde_json::json!({ "name": "\u{7}" })), "name"),
            (spec(serde_json::json!({ "name": "" })), "name"),
            (spec(serde_json::json!({ "serverId": "../x", "name": "a" })), "serverId"),
            (spec(serde_json::json!({ "image": "a b" })), "image"),
            (spec(serde_json::json!({ "startup": "a\0" })), "startup"),
            (spec(serde_json::json!({ "environment": { "1A": "" } })), "environment.1A"),
            (spec(serde_json::json!({ "limits": { "memory": 5 } })), "limits.memory"),
            (spec(serde_json::json!({ "limits": { "io": 9 } })), "limits.io"),
            (
                spec(serde_json::json!({ "ports": [{ "internal": 0, "external": 1, "protocol": "tcp" }] })),
                "ports[0].internal",
            ),
            (behaviour(serde_json::json!({ "user": { "fixed": "0:0" } })), "user"),
            (behaviour(serde_json::json!({ "dataPath": "/etc" })), "dataPath"),
            (behaviour(serde_json::json!({ "workingDir": "x" })), "workingDir"),
            (behaviour(serde_json::json!({ "stop": { "command": "stop\nop eve" } })), "stop"),
            (behaviour(serde_json::json!({ "stopTimeout": 100_000 })), "stopTimeout"),
            (behaviour(serde_json::json!({ "ready": "regex:(" })), "ready"),
            (
                spec(
                    serde_json::json!({ "template": { "configFiles": [{ "path": "../x", "parser": "ini", "set": [] }] } }),
                ),
                "template.config_files.0.path",
            ),
            (
                spec(
                    serde_json::json!({ "template": { "configFiles": [{ "path": "x", "parser": "ink", "set": [] }] } }),
                ),
                "template.config_files.0.parser",
            ),
            (
                spec(serde_json::json!({ "template": { "variables": [{ "name": "1A" }] } })),
                "template.variables.0.name",
            ),
        ] {
            let error = got.unwrap_err();
            assert_eq!(error.code(), Code::Invalid, "{field}");
            assert_eq!(error.problems().keys().collect::<Vec<_>>(), [field]);
            assert!(error.message().contains(field), "{error}");
        }
        let many: Vec<_> = (1..=101)
            .map(|n| serde_json::json!({ "internal": 1, "external": n, "protocol": "tcp" }))
            .collect();
        assert!(spec(serde_json::json!({ "ports": many })).unwrap_err().problems().contains_key("ports"));
    }
}
