//! The connection to an engine, and the result of its last probe.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker};
use tokio::io::AsyncReadExt;
use tokio_util::task::TaskTracker;

use super::create;
use super::endpoint::Endpoint;
use super::logins::Logins;
use super::{errors, hijack, network, own_container, transport};
use crate::config::AgentConfig;
use crate::host::hostpath::KnownPaths;
use crate::runtime::{Container, EngineError, EngineInfo, Fault};

/// Maximum bytes of the list of containers.
pub(super) const LIST_BYTES: u64 = 4 << 20;

/// A container engine at an address.
#[derive(Debug)]
pub struct Engine {
    /// The address as given; `None` to look for the usual sockets at each probe.
    host: Option<String>,
    /// Distinguishes our containers from those of another agent on the same engine.
    pub(super) data_dir: PathBuf,
    pub(super) paths: KnownPaths,
    pub(super) networks: network::Networks,
    pub(super) logins: Logins,
    pub(super) link: Mutex<Option<Arc<Link>>>,
    /// Connection tasks; each lives as long as its request.
    connections: TaskTracker,
}

/// The result of a probe.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: Docker,
    pub(super) endpoint: Endpoint,
    /// Path prefix with the API version, such as `/v1.41`.
    pub(super) prefix: String,
    pub(super) podman: bool,
    /// Whether the terminal's size can be set at creation.
    pub(super) sizes: bool,
}

impl Engine {
    /// Connects at the first probe. `data_dir` is the canonical path of the one in `config`.
    #[must_use]
    pub fn new(config: &AgentConfig, data_dir: PathBuf) -> Self {
        let networks = network::Networks::new(config.networks.clone(), !config.no_firewall);
        let (host, paths) = (config.docker_host.clone(), KnownPaths::default());
        Self {
            host,
            data_dir,
            paths,
            networks,
            logins: Logins::default(),
            link: Mutex::new(None),
            connections: TaskTracker::new(),
        }
    }

    /// Paths of our files on the engine's host; known after the first probe.
    #[must_use]
    pub fn paths(&self) -> KnownPaths {
        self.paths.clone()
    }

    /// Translates one of our paths to the host's.
    pub(super) fn on_host(&self, path: &Path, action: &str) -> Result<PathBuf, EngineError> {
        let paths = self.paths.get();
        let paths =
            paths.ok_or_else(|| EngineError::new(Fault::Away, action, "the engine has not answered yet"))?;
        paths.on_host(path).map_err(|error| EngineError::new(Fault::Refused, action, error.to_string()))
    }

    /// The folders of a container, as the host has them.
    pub(super) fn places(&self, container: &Container, action: &str) -> Result<create::Places, EngineError> {
        let files = container.files.iter();
        Ok(create::Places {
            data_dir: self.on_host(&self.data_dir, action)?,
            server: self.on_host(&container.data_dir, action)?,
            files: files
                .filter_map(|one| Some((self.on_host(&one.file, action).ok()?, one.place.clone())))
                .collect(),
        })
    }

    pub(super) fn link(&self, action: &str) -> Result<Arc<Link>, EngineError> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner).clone();
        link.ok_or_else(|| EngineError::new(Fault::Away, action, "the engine has not answered yet"))
    }

    pub(super) async fn connect(&self) -> Result<(Link, EngineInfo), EngineError> {
        let action = "reach the container engine";
        let endpoint = Endpoint::of(self.host.as_deref())
            .map_err(|error| EngineError::new(Fault::Away, action, error))?;
        let at =
            |error: EngineError| EngineError { message: format!("{} ({endpoint})", error.message), ..error };
        // No version in the path, since an older engine would refuse it.
        let (mut read, _write) =
            hijack::open(&endpoint, "GET", "/version", false, action).await.map_err(at)?;
        let mut body = Vec::new();
        (&mut read)
            .take(1 << 20)
            .read_to_end(&mut body)
            .await
            .map_err(|error| at(EngineError::new(Fault::Away, action, error.to_string())))?;
        let value: serde_json::Value = serde_json::from_slice(&body).map_err(|_| {
            at(EngineError::new(Fault::Away, action, "what answers there is no container engine"))
        })?;
        let text = |key: &str| value.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        let version = agreed(&text("ApiVersion"))
            .ok_or_else(|| at(EngineError::new(Fault::Away, action, "it does not name its API version")))?;
        let components = value.get("Components").map(ToString::to_string).unwrap_or_default();
        let client = transport::client(&endpoint, &version, &self.connections)
            .map_err(|error| at(errors::failed(action, &error)))?;
        if self.paths.get().is_none() {
            self.paths.learn(own_container::host_paths(&client).await.map_err(at)?);
        }
        let api_version = version.to_string();
        let link = Link {
            client,
            prefix: format!("/v{api_version}"),
            podman: components.contains("Podman"),
            sizes: version.minor_version >= 42 || version.major_version > 1,
            endpoint,
        };
        Ok((link, EngineInfo { version: text("Version"), api_version }))
    }
}

/// The lower of the engine's version and ours.
fn agreed(theirs: &str) -> Option<ClientVersion> {
    let (major, minor) = theirs.split_once('.')?;
    let theirs = ClientVersion { major_version: major.parse().ok()?, minor_version: minor.parse().ok()? };
    let ours = API_DEFAULT_VERSION;
    let lower = if theirs < *ours { &theirs } else { ours };
    Some(ClientVersion { major_version: lower.major_version, minor_version: lower.minor_version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_version_is_agreed_on() {
        let version = |theirs: &str| agreed(theirs).map(|version| version.to_string());
        assert_eq!(version("1.41").as_deref(), Some("1.41"));
        assert_eq!(version("1.99"), Some(API_DEFAULT_VERSION.to_string()));
        assert_eq!(version("rubbish"), None);
    }
}
