//! Logins at image registries, kept in memory only, and only as long as the pull they were sent for may take.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use protocol::{RegistryLogin, registry_of};
use serde_json::json;
use tokio::time::Instant;

/// Time after which a login is dropped.
const KEPT: Duration = Duration::from_secs(3_600);
/// Maximum number of registries.
const MOST: usize = 64;

/// Logins by registry, with the time they were received.
#[derive(Default)]
pub(super) struct Logins(Mutex<BTreeMap<String, (RegistryLogin, Instant)>>);

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logins")
    }
}

impl Logins {
    /// Stores a login, replacing the one of the same registry.
    pub(super) fn keep(&self, login: RegistryLogin) {
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, since)| now < *since + KEPT);
        if known.len() < MOST || known.contains_key(&login.host) {
            known.insert(login.host.clone(), (login, now));
        }
    }

    /// The header with the login for this image, including its line end; empty if there is none.
    pub(super) fn header_for(&self, image: &str) -> String {
        let host = registry_of(image);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((login, since)) = known.get(&host) else { return String::new() };
        if Instant::now() >= *since + KEPT {
            return String::new();
        }
        // The engine's name for Docker's registry.
        let address = if host == "docker.io" { "https://index.docker.io/v1/" } else { host.as_str() };
        let auth = json!({ "username": login.username, "password": login.secret, "serveraddress": address });
        format!("X-Registry-Auth: {}\r\n", BASE64_URL_SAFE.encode(auth.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(host: &str, secret: &str) -> RegistryLogin {
        RegistryLogin { host: host.into(), username: "me".into(), secret: secret.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_counts_for_its_registry_and_an_hour() {
        let logins = Logins::default();
        logins.keep(login("ghcr.io", "one"));
        logins.keep(login("ghcr.io", "two\r\nX: y"));
        assert_eq!(logins.header_for("busybox"), "");
        let header = logins.header_for("GHCR.io/a/b:1");
        let value = header.strip_prefix("X-Registry-Auth: ").unwrap().strip_suffix("\r\n").unwrap();
        let told: serde_json::Value =
            serde_json::from_slice(&BASE64_URL_SAFE.decode(value).unwrap()).unwrap();
        assert_eq!(told, json!({ "username": "me", "password": "two\r\nX: y", "serveraddress": "ghcr.io" }));
        tokio::time::advance(KEPT).await;
        assert_eq!(logins.header_for("ghcr.io/a/b"), "");
        assert!(!format!("{logins:?}").contains("two"));
    }

    #[tokio::test]
    async fn there_are_not_endlessly_many() {
        let logins = Logins::default();
        for number in 0..200 {
            logins.keep(login(&format!("r{number}.example"), "s"));
        }
        assert_eq!(logins.0.lock().unwrap().len(), MOST);
    }
}
