//! Facts about an engine, for diagnosis.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::endpoint::Endpoint;
use super::hijack;

/// Maximum bytes of an answer.
const LONGEST: u64 = 1 << 20;

/// The limits that the engine can enforce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory limits.
    pub memory: bool,
    /// Swap limits.
    pub swap: bool,
    /// Limits of the number of processes.
    pub pids: bool,
    /// CPU limits.
    pub cpu: bool,
}

/// An engine that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineFacts {
    /// Its address.
    pub endpoint: String,
    /// Whether it is Podman.
    pub podman: bool,
    /// Its own version.
    pub version: String,
    /// The newest API version it supports.
    pub api_version: String,
    /// The limits it can enforce, if it reports them.
    pub limits: Option<Limits>,
    /// Storage driver, such as `overlay2`.
    pub driver: Option<String>,
    /// The folder of its data.
    pub root: Option<PathBuf>,
    /// Whether it runs without root.
    pub rootless: bool,
    /// Its own warnings.
    pub warnings: Vec<String>,
}

/// An engine that does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineAway {
    /// Its address.
    pub endpoint: String,
    /// The socket file, if the address is one.
    pub socket: Option<PathBuf>,
    /// The error message.
    pub cause: String,
}

/// Queries the engine within `deadline`. `host` is the value of `DOCKER_HOST`.
///
/// # Errors
/// [`EngineAway`].
pub async fn facts(host: Option<&str>, deadline: Duration) -> Result<EngineFacts, EngineAway> {
    let away = |endpoint: String, socket, cause| EngineAway { endpoint, socket, cause };
    let endpoint =
        Endpoint::of(host).map_err(|cause| away(host.unwrap_or_default().to_owned(), None, cause))?;
    let failed = |cause| away(endpoint.to_string(), endpoint.socket().map(Into::into), cause);
    match tokio::time::timeout(deadline, ask(&endpoint)).await {
        Ok(found) => found.map_err(failed),
        Err(_) => Err(failed(format!("it did not answer within {} s", deadline.as_secs()))),
    }
}

async fn ask(endpoint: &Endpoint) -> Result<EngineFacts, String> {
    let version = get(endpoint, "/version").await?;
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let api_version = text(&version, "ApiVersion").ok_or("what answers there is no container engine")?;
    // An engine may lack this endpoint; its other facts are still useful.
    let info = get(endpoint, "/info").await.unwrap_or_default();
    let holds = |key: &str| info.get(key).and_then(Value::as_bool);
    let limits = holds("MemoryLimit").map(|memory| Limits {
        memory,
        swap: holds("SwapLimit").unwrap_or(true),
        pids: holds("PidsLimit").unwrap_or(true),
        cpu: holds("CpuCfsQuota").unwrap_or(true),
    });
    let list = |key: &str| {
        let list = info.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    Ok(EngineFacts {
        endpoint: endpoint.to_string(),
        podman: version.get("Components").is_some_and(|parts| parts.to_string().contains("Podman")),
        version: text(&version, "Version").unwrap_or_default(),
        api_version,
        limits,
        driver: text(&info, "Driver"),
        root: text(&info, "DockerRootDir").map(Into::into),
        rootless: list("SecurityOptions").iter().any(|option| option.contains("rootless")),
        warnings: list("Warnings"),
    })
}

async fn get(endpoint: &Endpoint, path: &str) -> Result<Value, String> {
    let (read, _write) =
        hijack::open(endpoint, "GET", path, false, "ask the engine").await.map_err(|error| error.message)?;
    let mut body = Vec::new();
    read.take(LONGEST).read_to_end(&mut body).await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body).map_err(|_| "what answers there is no container engine".to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixListener;

    use super::*;

    /// Serves these bodies, one per connection.
    async fn engine(bodies: &[&str]) -> Result<EngineFacts, EngineAway> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let answers = async {
            for body in bodies {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 512];
                let _ = stream.read(&mut request).await.unwrap();
                let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(body.as_bytes()).await.unwrap();
            }
        };
        let host = path.display().to_string();
        tokio::join!(facts(Some(&host), Duration::from_secs(5)), answers).0
    }

    #[tokio::test]
    async fn an_engine_tells_of_itself() {
        let info = r#"{"MemoryLimit":true,"SwapLimit":false,"PidsLimit":true,"CpuCfsQuota":true,"Driver":"vfs",
            "DockerRootDir":"/var/lib/docker","Warnings":["WARNING: No swap limit support"],
            "SecurityOptions":["name=seccomp,profile=default","name=rootless"]}"#;
        let found = engine(&[r#"{"Version":"20.10.24","ApiVersion":"1.41"}"#, info]).await.unwrap();
        assert_eq!((found.version.as_str(), found.api_version.as_str()), ("20.10.24", "1.41"));
        assert_eq!(found.limits, Some(Limits { memory: true, swap: false, pids: true, cpu: true }));
        assert_eq!(found.driver.as_deref(), Some("vfs"));
        assert!(found.rootless && !found.podman);
        assert_eq!(found.warnings, ["WARNING: No swap limit support"]);
    }

    #[tokio::test]
    async fn podman_is_named_and_may_say_less() {
        let version = r#"{"Version":"4.3.1","ApiVersion":"1.41","Components":[{"Name":"Podman Engine"}]}"#;
        let found = engine(&[version, "{}"]).await.unwrap();
        assert!(found.podman);
        assert_eq!(found.limits, None);
    }

    #[tokio::test]
    async fn what_is_no_engine_is_away() {
        let away = engine(&["<html>"]).await.unwrap_err();
        assert!(away.cause.contains("no container engine"), "{away:?}");
        let away = facts(Some("/nonexistent/engine.sock"), Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(away.socket.as_deref(), Some(std::path::Path::new("/nonexistent/engine.sock")));
        assert!(facts(Some("ssh://x"), Duration::from_secs(5)).await.is_err());
    }
}
