//! The measured binary: a separate process with its own folder and real ports.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command as AsyncCommand};

use crate::Result;

/// Any error that can be sent between threads.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The image of all servers in the benchmark.
pub(crate) const IMAGE: &str = "cap-bench/busybox";

/// The account of the benchmark.
pub(crate) const USERNAME: &str = "bench";
pub(crate) const PASSWORD: &str = "benchmark password";

/// Path of the measured program: `PANEL_BINARY` if it is set, otherwise that of this build.
pub(crate) fn binary() -> String {
    std::env::var("PANEL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_ctrl-alt-play").to_owned())
}

/// A running panel with one account.
pub(crate) struct Panel {
    child: Child,
    folder: tempfile::TempDir,
    env: Vec<(&'static str, String)>,
    /// `127.0.0.1:PORT` of the page.
    pub(crate) address: String,
    /// Bearer token of the administrator.
    pub(crate) token: String,
    client: reqwest::Client,
}

/// Imports the busybox image if it does not exist.
pub(crate) fn make_image() -> Result<()> {
    let mut have = Command::new("docker");
    have.args(["image", "inspect", IMAGE]).stdout(Stdio::null()).stderr(Stdio::null());
    if have.status()?.success() {
        return Ok(());
    }
    let script = format!(
        "set -e; d=$(mktemp -d); mkdir -p $d/bin $d/tmp $d/home/container $d/etc; cp $(command -v busybox) $d/bin/; \
         for a in $(busybox --list); do [ $a = busybox ] || ln -s busybox $d/bin/$a; done; \
         tar -C $d -c . | docker import - {IMAGE} >/dev/null; rm -r $d"
    );
    if !Command::new("sh").args(["-c", &script]).status()?.success() {
        return Err("could not make the image: is busybox-static installed, does the engine run?".into());
    }
    Ok(())
}

/// Size of the binary in bytes.
pub(crate) fn binary_size() -> Result<u64> {
    Ok(std::fs::metadata(binary())?.len())
}

async fn spawn(folder: &Path, env: &[(&str, String)]) -> Result<(Child, String, Duration)> {
    let began = Instant::now();
    let mut child = AsyncCommand::new(binary())
        .args(["serve"])
        .env("DATA_DIR", folder)
        .env("BIND", "127.0.0.1")
        .env("PORT", "0")
        .env("WEBSOCKET_PORT", "0")
        .env("HEALTH_PORT", "off")
        .env("SFTP_PORT", "off")
        .env("LOG_LEVEL", "warn")
        // As in the service file.
        .env("MALLOC_ARENA_MAX", "1")
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0")
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no stdout")?;
    let mut lines = BufReader::new(stdout).lines();
    let mut address = None;
    while let Some(line) = lines.next_line().await? {
        if let Some(at) = line.find("Listening on http://") {
            let rest = &line[at + "Listening on http://".len()..];
            let host = rest.split(['/', ' ']).next().unwrap_or_default();
            address = Some(host.to_owned());
            break;
        }
    }
    let address = address.ok_or("the panel ended before it listened")?;
    let answer = crate::http::get(&address, "/health", None).await?;
    let took = began.elapsed();
    if !answer.starts_with("HTTP/1.1 200") {
        return Err(format!("/health: {answer}").into());
    }
    crate::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, address, took))
}

impl Panel {
    /// Starts the panel with an empty folder and creates the account.
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same with these settings.
    pub(crate) async fn start_with(env: &[(&'static str, String)]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("cap-bench-").tempdir()?;
        let (child, address, _) = spawn(folder.path(), env).await?;
        let setup = std::fs::read_to_string(folder.path().join("setup-token"))?;
        let client = reqwest::Client::new();
        let answer: Value = client
            .post(format!("http://{address}/api/setup"))
            .json(&json!({ "setupToken": setup.trim(), "username": USERNAME, "password": PASSWORD }))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let token = answer["token"].as_str().ok_or("no token")?.to_owned();
        Ok(Self { child, folder, env: env.to_vec(), address, token, client })
    }

    /// Process id of the panel.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// The data folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Stops it with SIGTERM and starts it again. Returns the time from exec to the first answer.
    pub(crate) async fn restart(&mut self) -> Result<Duration> {
        self.terminate().await?;
        self.again().await
    }

    /// Kills it with SIGKILL.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Starts it again. Returns the time from exec to the first answer.
    pub(crate) async fn again(&mut self) -> Result<Duration> {
        let (child, address, took) = spawn(self.folder.path(), &self.env).await?;
        self.child = child;
        self.address = address;
        Ok(took)
    }

    /// A separate client for concurrent calls.
    pub(crate) fn caller(&self) -> Caller {
        Caller { address: self.address.clone(), token: self.token.clone(), client: self.client.clone() }
    }

    async fn terminate(&mut self) -> Result<()> {
        Command::new("kill").arg(self.pid().to_string()).status()?;
        tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await??;
        Ok(())
    }

    /// Stops the panel.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.terminate().await
    }

    /// Makes an API call.
    pub(crate) async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        self.caller().call(method, path, body).await
    }

    /// Creates a server that runs `startup`, and waits until its image is there.
    pub(crate) async fn server(&self, name: &str, startup: &str) -> Result<String> {
        let body = json!({ "name": name, "image": IMAGE, "startup": startup });
        let server = self.call(reqwest::Method::POST, "/api/servers", Some(body)).await?;
        let id = server["id"].as_str().ok_or("no id")?.to_owned();
        self.wait(&id, "stopped").await?;
        Ok(id)
    }

    /// Starts it and waits until it runs.
    pub(crate) async fn run(&self, id: &str) -> Result<()> {
        self.call(
            reqwest::Method::POST,
            &format!("/api/servers/{id}/power"),
            Some(json!({ "action": "start" })),
        )
        .await?;
        self.wait(id, "running").await
    }

    /// Waits for a state, at most 30 s.
    pub(crate) async fn wait(&self, id: &str, state: &str) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let server = self.call(reqwest::Method::GET, &format!("/api/servers/{id}"), None).await?;
            if server["status"] == state {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("{id} is not {state}: {server}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Deletes all servers.
    pub(crate) async fn remove_servers(&self) -> Result<()> {
        let all = self.call(reqwest::Method::GET, "/api/servers", None).await?;
        for server in all.as_array().into_iter().flatten() {
            let id = server["id"].as_str().unwrap_or_default();
            self.call(reqwest::Method::DELETE, &format!("/api/servers/{id}"), None).await?;
        }
        Ok(())
    }
}

/// A client with the administrator's token.
pub(crate) struct Caller {
    address: String,
    token: String,
    client: reqwest::Client,
}

impl Caller {
    /// Makes an API call.
    pub(crate) async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        let mut request =
            self.client.request(method, format!("http://{}{path}", self.address)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            return Err(format!("{path}: {status} {text}").into());
        }
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }
}
