//! A panel under test.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::{Client, PASSWORD, seconds, until};

/// The binary to test: the one of this build, or `PANEL_BINARY`, which may be a script that runs it in an emulator (it
/// must `exec` that, so that signals arrive).
pub(crate) fn binary() -> &'static str {
    static BINARY: LazyLock<String> = LazyLock::new(|| {
        std::env::var("PANEL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_ctrl-alt-play").to_owned())
    });
    &BINARY
}

/// The file of the program under test, also if `PANEL_BINARY` is a script.
pub(crate) fn program() -> String {
    std::env::var("PANEL_PROGRAM").unwrap_or_else(|_| binary().to_owned())
}

/// Configures a panel.
pub(crate) struct Builder {
    env: Vec<(String, String)>,
    args: Vec<String>,
    folder: Option<PathBuf>,
    wrapper: Vec<String>,
}

/// A running panel. Killed when dropped.
pub(crate) struct Panel {
    child: Child,
    env: Vec<(String, String)>,
    args: Vec<String>,
    wrapper: Vec<String>,
    folder: PathBuf,
    kept: Option<tempfile::TempDir>,
    log: Arc<Mutex<String>>,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    admin: Option<Client>,
}

impl Builder {
    /// Sets an environment variable of the process.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Adds a command line argument.
    #[allow(dead_code)]
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Uses a folder that outlives the panel.
    pub(crate) fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// A program that runs the binary, such as `faketime`.
    #[allow(dead_code)]
    pub(crate) fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(ToString::to_string).collect();
        self
    }

    /// Starts it without any account.
    pub(crate) async fn fresh(self) -> Panel {
        let kept = match &self.folder {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("cap-test-").tempdir().unwrap()),
        };
        let folder = self.folder.unwrap_or_else(|| kept.as_ref().unwrap().path().to_owned());
        let (child, log, address) = spawn(&self.wrapper, &folder, &self.env, &self.args).await;
        Panel {
            child,
            env: self.env,
            args: self.args,
            wrapper: self.wrapper,
            folder,
            kept,
            log,
            address,
            admin: None,
        }
    }

    /// Starts it and creates the account `admin`.
    pub(crate) async fn start(self) -> Panel {
        let mut panel = self.fresh().await;
        panel.set_up().await;
        panel
    }
}

/// The command, with settings that isolate tests from each other.
pub(crate) fn command(
    wrapper: &[String],
    folder: &Path,
    env: &[(String, String)],
    args: &[String],
) -> Command {
    let mut words: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    words.push(binary());
    let serve = ["serve".to_owned()];
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .args(if args.is_empty() { &serve } else { args })
        .env("DATA_DIR", folder)
        .env("BIND", "127.0.0.1")
        .env("PORT", "0")
        .env("WEBSOCKET_PORT", "0")
        .env("HEALTH_PORT", "off")
        .env("SFTP_PORT", "off")
        .env("MDNS", "off")
        .env("LOG_LEVEL", "debug")
        .env_remove("AGENT_SECRET")
        .env_remove("JWT_SECRET")
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

#[allow(clippy::disallowed_methods)]
fn collect(stream: impl AsyncRead + Unpin + Send + 'static, log: Arc<Mutex<String>>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
}

async fn spawn(
    wrapper: &[String],
    folder: &Path,
    env: &[(String, String)],
    args: &[String],
) -> (Child, Arc<Mutex<String>>, String) {
    let mut child = command(wrapper, folder, env, args).spawn().expect("the binary starts");
    let log = Arc::new(Mutex::new(String::new()));
    collect(child.stdout.take().unwrap(), log.clone());
    collect(child.stderr.take().unwrap(), log.clone());
    let address = until("the panel listens", seconds(20), async || {
        let text = log.lock().unwrap().clone();
        if let Some(status) = child.try_wait().unwrap() {
            panic!("the panel ended with {status}:\n{text}");
        }
        address_in(&text)
    })
    .await;
    (child, log, address)
}

fn address_in(log: &str) -> Option<String> {
    announced(log, "Listening on http://")
}

/// The address announced in a log line, as reached from here.
fn announced(log: &str, line: &str) -> Option<String> {
    let (_, rest) = log.split_once(line)?;
    let (host, rest) = rest.split_once(':')?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    // A name means that it listens on all addresses of this machine.
    let host = if host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| !ip.is_unspecified()) {
        host
    } else {
        "127.0.0.1"
    };
    rest.contains('\n').then(|| format!("{host}:{port}"))
}

impl Panel {
    /// Configures a panel.
    pub(crate) fn builder() -> Builder {
        Builder { env: Vec::new(), args: Vec::new(), folder: None, wrapper: Vec::new() }
    }

    /// Starts a panel in a new folder, with the account `admin`.
    pub(crate) async fn start() -> Self {
        Self::builder().start().await
    }

    /// The data folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The address for agents.
    pub(crate) fn agents_address(&self) -> String {
        announced(&self.log(), "Listening on ws://").expect("the agents' port is announced")
    }

    /// Its SFTP port.
    pub(crate) fn sftp_port(&self) -> u16 {
        let address = announced(&self.log(), "Listening on sftp://").expect("the port for SFTP is announced");
        address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Its output.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Resident memory of the process in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// The setup token on disk.
    pub(crate) fn setup_token(&self) -> String {
        std::fs::read_to_string(self.folder.join("setup-token")).expect("a setup token").trim().to_owned()
    }

    /// Creates the first account.
    pub(crate) async fn set_up(&mut self) {
        let body = json!({ "setupToken": self.setup_token(), "username": "admin", "password": PASSWORD });
        let answer = self.anonymous().post("/api/setup", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let token = answer.json["token"].as_str().unwrap().to_owned();
        self.admin = Some(Client::new(&self.address, Some(token)));
    }

    /// A client that is not signed in.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(&self.address, None)
    }

    /// A client signed in as the first account.
    pub(crate) fn admin(&self) -> Client {
        let admin = self.admin.clone().expect("set up");
        Client::new(&self.address, admin.token)
    }

    /// Creates an account with the role `user` and signs it in.
    pub(crate) async fn user(&self, name: &str) -> Client {
        self.account(name, "user").await
    }

    /// Creates an account with this role and signs it in.
    pub(crate) async fn account(&self, name: &str, role: &str) -> Client {
        let body = json!({ "username": name, "password": PASSWORD, "role": role });
        self.admin().post("/api/users", body).await.expect(201);
        self.sign_in(name).await
    }

    /// Signs an account in.
    pub(crate) async fn sign_in(&self, name: &str) -> Client {
        let body = json!({ "username": name, "password": PASSWORD });
        let answer = self.anonymous().post("/api/session", body).await.expect(200);
        Client::new(&self.address, Some(answer.json["token"].as_str().unwrap().to_owned()))
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let status =
            std::process::Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap();
        assert!(status.success(), "kill -s {name}");
    }

    /// Waits for it to exit.
    pub(crate) async fn ended(&mut self, within: Duration) -> ExitStatus {
        match tokio::time::timeout(within, self.child.wait()).await {
            Ok(status) => status.unwrap(),
            Err(_) => panic!("still running after {within:?}:\n{}", self.log()),
        }
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended(seconds(30)).await
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Starts it again on the same folder.
    pub(crate) async fn again(&mut self) {
        let (child, log, address) = spawn(&self.wrapper, &self.folder, &self.env, &self.args).await;
        self.child = child;
        self.log = log;
        self.address = address;
    }

    /// Keeps the folder from being removed with the panel.
    #[allow(dead_code)]
    pub(crate) fn keep(&mut self) {
        if let Some(kept) = self.kept.take() {
            let _ = kept.keep();
        }
    }
}
