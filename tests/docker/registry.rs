//! A local image registry on loopback: one that never answers, or one that serves an image at a given speed.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::harness::{seconds, until};

/// A registry. When dropped, it stops, and the image it served is removed.
pub(crate) struct Registry {
    port: u16,
    task: JoinHandle<()>,
    gave: bool,
    asked: Arc<AtomicBool>,
    login: Login,
}

/// Required value of `Authorization: Basic`; `None` if no login is needed.
type Login = Arc<Mutex<Option<String>>>;

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
        if self.gave {
            let _ = std::process::Command::new("docker").args(["rmi", "-f", &self.image("game")]).output();
        }
    }
}

/// Responses: path to media type and bytes.
type Things = BTreeMap<String, (&'static str, Vec<u8>)>;

impl Registry {
    /// Accepts every connection and never answers.
    pub(crate) async fn stalling() -> Self {
        Self::open(None).await
    }

    /// Serves `…/game:latest`, whose only layer of `megabytes` takes about `takes` to download.
    pub(crate) async fn giving(megabytes: usize, takes: Duration) -> Self {
        let own = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        Self::giving_for(own, megabytes, takes).await
    }

    /// The same for a CPU of this architecture.
    pub(crate) async fn giving_for(architecture: &str, megabytes: usize, takes: Duration) -> Self {
        let (tar, layer) = layer(megabytes).await;
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Cmd": ["/bin/sh"] },
            "rootfs": { "type": "layers", "diff_ids": [digest(&tar).await] },
            "history": [],
        });
        let config = config.to_string().into_bytes();
        let (config_digest, layer_digest) = (digest(&config).await, digest(&layer).await);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": "application/vnd.docker.container.image.v1+json", "size": config.len(), "digest": config_digest },
            "layers": [{ "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": layer.len(), "digest": layer_digest }],
        });
        let manifest = manifest.to_string().into_bytes();
        let mut things = Things::new();
        for name in ["latest", &digest(&manifest).await] {
            things.insert(format!("/v2/game/manifests/{name}"), (MANIFEST, manifest.clone()));
        }
        let bytes = "application/octet-stream";
        things.insert(format!("/v2/game/blobs/{config_digest}"), (bytes, config));
        things.insert(format!("/v2/game/blobs/{layer_digest}"), (bytes, layer));
        things.insert("/v2/".to_owned(), ("application/json", b"{}".to_vec()));
        Self::open(Some((Arc::new(things), takes))).await
    }

    /// From now on requires this name and password; `None` for no login.
    pub(crate) fn ask_for(&self, login: Option<(&str, &str)>) {
        use base64::Engine as _;
        let basic = |(name, password)| base64::prelude::BASE64_STANDARD.encode(format!("{name}:{password}"));
        *self.login.lock().unwrap() = login.map(basic);
    }

    /// `HOST:PORT` of the registry.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Image reference for the engine.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("127.0.0.1:{}/{name}:latest", self.port)
    }

    /// Waits until a client requests something, so that a pull is in progress.
    pub(crate) async fn is_asked(&self) {
        until("the engine asks the registry", seconds(20), async || {
            self.asked.load(Ordering::SeqCst).then_some(())
        })
        .await;
    }

    async fn open(gives: Option<(Arc<Things>, Duration)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let gave = gives.is_some();
        let asked = Arc::new(AtomicBool::new(false));
        let note = Arc::clone(&asked);
        let login = Login::default();
        let wanted = Arc::clone(&login);
        let task = super::beside(async move {
            let mut held = Vec::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                note.store(true, Ordering::SeqCst);
                match &gives {
                    None => held.push(super::beside(hold(stream))),
                    Some((things, takes)) => {
                        drop(super::beside(answer(stream, things.clone(), *takes, wanted.clone())));
                    }
                }
            }
        });
        Self { port, task, gave, asked, login }
    }
}

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The engine tries TLS first, and treats a closed connection as "no TLS here".
async fn is_tls(stream: &TcpStream) -> bool {
    let mut first = [0; 1];
    matches!(stream.peek(&mut first).await, Ok(1)) && first[0] == 0x16
}

async fn hold(mut stream: TcpStream) {
    if is_tls(&stream).await {
        return;
    }
    let mut buffer = [0; 1024];
    while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
}

async fn answer(mut stream: TcpStream, things: Arc<Things>, takes: Duration, login: Login) {
    if is_tls(&stream).await {
        return;
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let wanted = login.lock().unwrap().clone();
    if wanted.is_some_and(|wanted| !head.contains(&format!("Basic {wanted}"))) {
        let refusal = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"games\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(refusal.as_bytes()).await;
        return;
    }
    let Some((kind, body)) = things.get(path) else {
        let _ = stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .await;
        return;
    };
    let mut reply = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Distribution-Api-Version: registry/2.0\r\n",
        body.len()
    );
    if path.contains("/manifests/") {
        reply.push_str(&format!("Docker-Content-Digest: {}\r\n", digest(body).await));
    }
    reply.push_str("Connection: close\r\n\r\n");
    let _ = stream.write_all(reply.as_bytes()).await;
    if method == "HEAD" {
        return;
    }
    let pieces = body.len().div_ceil(FRAME_BYTES);
    for piece in body.chunks(FRAME_BYTES) {
        if stream.write_all(piece).await.is_err() {
            return;
        }
        if pieces > 1 {
            tokio::time::sleep(takes / u32::try_from(pieces).unwrap()).await;
        }
    }
    let _ = stream.shutdown().await;
}

const FRAME_BYTES: usize = 128 << 10;

async fn digest(bytes: &[u8]) -> String {
    let sum = filter("sha256sum", &[], bytes).await;
    format!("sha256:{}", String::from_utf8_lossy(&sum[..64]))
}

/// A tar of random data, which neither compresses nor is already known to the engine; plain and compressed.
async fn layer(megabytes: usize) -> (Vec<u8>, Vec<u8>) {
    use std::io::Read;
    let folder = tempfile::tempdir().unwrap();
    let mut noise = vec![0; megabytes << 20];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    std::fs::write(folder.path().join("noise"), noise).unwrap();
    let tar = Command::new("tar").args(["-c", "-C"]).arg(folder.path()).arg("noise").output().await.unwrap();
    assert!(tar.status.success());
    let packed = filter("gzip", &["-1", "-n"], &tar.stdout).await;
    (tar.stdout, packed)
}

async fn filter(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child =
        Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = super::beside(async move {
        let _ = stdin.write_all(&input).await;
    });
    let output = child.wait_with_output().await.unwrap();
    writing.await.unwrap();
    assert!(output.status.success(), "{program}");
    output.stdout
}
