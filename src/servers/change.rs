//! Changes of a server's settings, and its end.

use std::time::Duration;

use agent::protocol::{ServerRef, ToAgent};
use storage::servers::Server;

use super::Servers;
use super::body::ChangeRequest;
use super::validate::{self, Faults};
use super::views::ServerView;
use crate::agents::AskError;
use crate::auth::{Admin, Permit, need};
use crate::clock;
use crate::error::{ApiError, Code};

/// Beyond the time that its stop may take: for the engine, and for the removal of the data.
const DELETE_TAKES: Duration = Duration::from_secs(120);

impl Servers {
    /// Changes settings, in force at the next start. Left-out keys stay.
    pub async fn change(
        &self,
        permit: &Permit<need::Edit>,
        change: ChangeRequest,
    ) -> Result<ServerView, ApiError> {
        let id = permit.server_id().to_owned();
        self.moves.allows(&id)?;
        let own = self.own_ports.clone();
        let written = self.store.write(move |tx| {
            let before = storage::servers::get(tx, &id)?.ok_or_else(|| ApiError::not_found("server"))?;
            let mut server = merged(&before, change)?;
            if server.ports != before.ports {
                own.check(&server.node_id, &server.ports)?;
            }
            if server != before {
                server.updated_at = clock::now();
                storage::servers::update(tx, &server)?;
            }
            Ok::<Server, ApiError>(server)
        });
        let server = written.await?;
        tracing::info!(server = server.id, by = permit.caller().username(), "server changed");
        self.agents.changes().server(&server.id);
        // What is promised there may be another sum now.
        self.agents.node_changed(&server.node_id);
        self.agents.update(&server.id, &server.node_id).await;
        self.view(server, permit.caller())
    }

    /// Stops a server, removes its container and its data, and forgets it. With `force` it is forgotten even where its
    /// node can't be told.
    pub async fn delete(&self, admin: &Admin, id: &str, force: bool) -> Result<(), ApiError> {
        let server = self.record(id)?;
        self.moves.allows(id)?;
        let (servers, by) = (self.clone(), admin.username().to_owned());
        // To the end, also when the caller hangs up half-way: else a server without data would be left over.
        let work = self.tasks.spawn("server-delete", async move { servers.remove(server, force, &by).await });
        work.await.unwrap_or_else(|cut| Err(ApiError::internal("deleting a server", &cut)))
    }

    async fn remove(&self, server: Server, force: bool, by: &str) -> Result<(), ApiError> {
        let message = ToAgent::ServerDelete(ServerRef { server_id: server.id.clone() });
        let within = Duration::from_secs(u64::from(server.behaviour.stop_timeout_secs)) + DELETE_TAKES;
        match self.agents.ask(&server.node_id, message, within).await {
            Ok(_) => {}
            Err(AskError::Refused(report)) if report.code == Code::NotFound.as_str() => {}
            Err(error) if force => {
                tracing::warn!(server = server.id, node = server.node_id, %error, "forgotten without its node");
            }
            Err(error) => return Err(error.into()),
        }
        let id = server.id.clone();
        self.store.write(move |tx| storage::servers::delete(tx, &id)).await?;
        self.moves.forget(&server.id);
        self.agents.forget_server(&server.id);
        tracing::info!(server = server.id, name = server.name, by, "server deleted");
        Ok(())
    }
}

fn merged(before: &Server, change: ChangeRequest) -> Result<Server, ApiError> {
    let mut faults = Faults::default();
    let mut server = before.clone();
    if let Some(name) = change.name {
        validate::name(&name, &mut faults);
        server.name = name;
    }
    if let Some(image) = change.image {
        validate::image(&image, &mut faults);
        server.image = image;
    }
    if let Some(startup) = change.startup {
        validate::startup(&startup, &mut faults);
        server.startup = startup;
    }
    if let Some(environment) = change.environment {
        let template = server.template_id.as_deref().and_then(crate::templates::get);
        validate::environment(&environment, template, &mut faults);
        server.environment = environment;
    }
    if let Some(limits) = change.limits {
        server.limits = validate::limits(server.limits, &limits, &mut faults);
    }
    if let Some(ports) = change.ports {
        server.ports = validate::ports(&ports, &mut faults);
    }
    faults.or(server)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use storage::servers::{Behaviour, Limits, Port, Protocol};

    use super::*;

    fn server() -> Server {
        Server {
            id: "a".into(),
            name: "World".into(),
            node_id: "local".into(),
            template_id: None,
            image: "busybox".into(),
            startup: "game".into(),
            environment: BTreeMap::from([("A".into(), "1".into()), ("B".into(), "2".into())]),
            limits: Limits { memory: 64 << 20, cpu: 50, ..Limits::default() },
            ports: vec![Port { internal: 1, external: 2, protocol: Protocol::Udp }],
            suspended: false,
            created_at: 1,
            updated_at: 1,
            handed_over: false,
            behaviour: Behaviour::default(),
        }
    }

    fn change(json: &str) -> Result<Server, ApiError> {
        merged(&server(), crate::http::parse(json.as_bytes())?)
    }

    #[test]
    fn left_out_keys_stay() {
        assert_eq!(change("{}").unwrap(), server());
        let changed = change(r#"{"limits":{"cpu":75},"environment":{"C":"3"}}"#).unwrap();
        assert_eq!(changed.limits, Limits { cpu: 75, ..server().limits });
        assert_eq!(changed.environment, BTreeMap::from([("C".into(), "3".into())]));
        assert_eq!((changed.name, changed.ports), (server().name, server().ports));
        assert_eq!(change(r#"{"ports":[],"startup":""}"#).unwrap().ports, []);
    }

    #[test]
    fn what_can_not_change_is_named() {
        for (json, path) in [
            (r#"{"nodeId":"local"}"#, "nodeId"),
            (r#"{"templateId":"x"}"#, "templateId"),
            (r#"{"limits":{"memory":5}}"#, "limits.memory"),
            (r#"{"limits":{"ram":5}}"#, "limits.ram"),
            (r#"{"name":null}"#, "name"),
            (r#"{"ports":[{"internal":1,"external":65536,"protocol":"tcp"}]}"#, "ports[0].external"),
            (r#"{"environment":{"A":1}}"#, "environment.A"),
        ] {
            let error = change(json).unwrap_err();
            assert!(error.problems().contains_key(path), "{json}: {:?}", error.problems());
        }
    }
}
