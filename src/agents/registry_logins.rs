//! Sends registry logins to agents, before a message that makes them pull an image. No other message contains a login,
//! and only agents that declare to keep logins in memory get one.

use ::templates::model;
use protocol::{HostCheck, PowerAction, RegistryLogin, ToAgent, registry_of};
use storage::Store;
use storage::registries::Registry;
use storage::servers::Server;

/// Looks up logins for images.
pub(super) struct RegistryLogins {
    store: Store,
}

/// The images that a message may cause the agent to pull.
#[derive(Default)]
struct Fetched<'a> {
    image: Option<&'a str>,
    /// Id of a server whose images count: its own, and that of its install container.
    of_server: Option<&'a str>,
}

impl RegistryLogins {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// The messages to send before this one. Up to two, if the server's install container uses another registry.
    pub(super) fn before(&self, message: &ToAgent) -> Vec<ToAgent> {
        let fetched = fetched(message);
        if fetched.image.is_none() && fetched.of_server.is_none() {
            return Vec::new();
        }
        let logins = self.store.read_now(|tx| {
            let logins = storage::registries::list(tx)?;
            if logins.is_empty() {
                return Ok(logins);
            }
            let server = match fetched.of_server {
                Some(id) => storage::servers::get(tx, id)?,
                None => None,
            };
            let mut hosts: Vec<String> = fetched.image.map(registry_of).into_iter().collect();
            hosts.extend(server.iter().map(|server| registry_of(&server.image)));
            hosts.extend(server.and_then(|server| install_image(&server)).map(|image| registry_of(&image)));
            Ok::<_, storage::Error>(logins.into_iter().filter(|login| hosts.contains(&login.host)).collect())
        });
        // Without the login the pull fails with an error that says one is needed.
        let logins = logins.unwrap_or_else(|error| {
            tracing::warn!(%error, "the registry logins could not be read");
            Vec::new()
        });
        let message = |Registry { host, username, secret, .. }| {
            ToAgent::RegistryLogin(RegistryLogin { host, username, secret })
        };
        logins.into_iter().map(message).collect()
    }
}

fn install_image(server: &Server) -> Option<String> {
    let template: model::Template = serde_json::from_str(server.template.as_deref()?).ok()?;
    Some(template.install?.image)
}

fn fetched(message: &ToAgent) -> Fetched<'_> {
    let image = |image| Fetched { image: Some(image), of_server: None };
    let server = |id| Fetched { image: None, of_server: Some(id) };
    match message {
        ToAgent::ServerCreate(spec) => Fetched { image: Some(&spec.image), of_server: Some(&spec.server_id) },
        ToAgent::ServerUpdate(update) => update.image.as_deref().map(image).unwrap_or_default(),
        ToAgent::TransferPrepare(transfer) => image(&transfer.image),
        ToAgent::HostCheck(HostCheck { image: Some(asked), registry: true, .. }) => image(asked),
        // A start pulls the image if it is missing.
        ToAgent::ServerPower(power) if matches!(power.action, PowerAction::Start | PowerAction::Restart) => {
            server(&power.server_id)
        }
        ToAgent::ServerStart(of) | ToAgent::ServerRestart(of) => server(&of.server_id),
        ToAgent::ServerReinstall(of) => server(&of.server_id),
        _ => Fetched::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{ServerRef, TransferPrepare};

    #[tokio::test]
    async fn only_what_fetches_from_there_is_preceded_by_a_login() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let logins = RegistryLogins::new(store.clone());
        let prepare = |image: &str| {
            ToAgent::TransferPrepare(TransferPrepare { server_id: "s".into(), image: image.into() })
        };
        assert_eq!(logins.before(&prepare("ghcr.io/a/b")), []);
        let login = Registry {
            id: "1".into(),
            host: "ghcr.io".into(),
            username: "me".into(),
            secret: "s".into(),
            created_at: 1,
        };
        store.write(|tx| storage::registries::put(tx, login)).await.unwrap();
        let before = logins.before(&prepare("GHCR.io/a/b:1"));
        let [ToAgent::RegistryLogin(sent)] = before.as_slice() else { panic!("{before:?}") };
        assert_eq!(
            (sent.host.as_str(), sent.username.as_str(), sent.secret.as_str()),
            ("ghcr.io", "me", "s")
        );
        assert_eq!(logins.before(&prepare("busybox")), []);
        assert_eq!(logins.before(&ToAgent::ServerStop(ServerRef { server_id: "s".into() })), []);
        assert_eq!(logins.before(&ToAgent::ServerStart(ServerRef { server_id: "s".into() })), []);
        let check = |registry| {
            ToAgent::HostCheck(HostCheck {
                image: Some("ghcr.io/a".into()),
                registry,
                ..HostCheck::default()
            })
        };
        assert_eq!(logins.before(&check(false)), []);
        assert!(logins.before(&check(true)).len() == 1);
    }
}
