//! Logins at image registries: stored by the panel, known to an agent only for as long as a pull may take.

use std::fmt;

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::payload::{Payload, WORD, within};

/// Maximum bytes of a registry's password or token.
const SECRET: usize = 16 * 1024;

/// `registry_login`: the login for pulls requested by the next messages.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryLogin {
    /// The registry, as returned by [`registry_of`].
    pub host: String,
    /// User name.
    pub username: String,
    /// The password or token.
    pub secret: String,
}

impl fmt::Debug for RegistryLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryLogin").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Payload for RegistryLogin {
    fn bound(&mut self) -> Result<(), String> {
        let Self { host, username, secret } = self;
        within("host", host, WORD)?;
        within("username", username, WORD)?;
        within("secret", secret, SECRET)
    }

    fn server_id(&self) -> Option<&ServerId> {
        None
    }
}

/// The registry of an image, in lower case: `docker.io` if its reference names none.
#[must_use]
pub fn registry_of(image: &str) -> String {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => registry_host(first),
        _ => registry_host("docker.io"),
    }
}

/// The canonical name of a registry with several names.
#[must_use]
pub fn registry_host(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" | "hub.docker.com" => {
            "docker.io".into()
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_that_which_the_engine_asks() {
        for (image, host) in [
            ("busybox", "docker.io"),
            ("itzg/minecraft-server:latest", "docker.io"),
            ("docker.io/library/busybox", "docker.io"),
            ("Index.Docker.io/a/b", "docker.io"),
            ("ghcr.io/owner/name@sha256:00", "ghcr.io"),
            ("127.0.0.1:5000/game", "127.0.0.1:5000"),
            ("localhost/game", "localhost"),
            ("Registry.Example:443/a/b:1", "registry.example:443"),
        ] {
            assert_eq!(registry_of(image), host, "{image}");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let login = RegistryLogin { host: "h".into(), username: "me".into(), secret: "s3cret".into() };
        let shown = format!("{login:?} {:?}", crate::ToAgent::RegistryLogin(login.clone()));
        assert!(!shown.contains("s3cret") && !shown.contains("me\""), "{shown}");
    }
}
