//! An enrolled node: the same binary as an agent, in its own process with its own folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::{Panel, binary, seconds, until};

/// An agent process. Killed when dropped.
pub(crate) struct Node {
    child: Child,
    kept: tempfile::TempDir,
    env: Vec<(String, String)>,
    wrapper: Vec<String>,
    /// Its node's id.
    pub(crate) id: String,
}

/// Configures a node.
pub(crate) struct NodeBuilder {
    env: Vec<(String, String)>,
    wrapper: Vec<String>,
    through: Option<String>,
}

impl NodeBuilder {
    /// Sets an environment variable of the process.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// A program that runs the binary, such as `ip netns exec NAME`.
    pub(crate) fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(ToString::to_string).collect();
        self
    }

    /// The address of the panel's agent port as seen from the node, such as a proxy's.
    pub(crate) fn through(mut self, address: impl Into<String>) -> Self {
        self.through = Some(address.into());
        self
    }

    /// Creates the node on the panel and starts its agent like the join command.
    pub(crate) async fn join(self, panel: &Panel, id: &str) -> Node {
        let made = panel.admin().post("/api/nodes", json!({ "id": id })).await.expect(201).json;
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        self.start(&panel.agents_address(), id, &secret)
    }

    /// Starts an agent with this secret.
    pub(crate) fn start(self, address: &str, id: &str, secret: &str) -> Node {
        let kept = tempfile::Builder::new().prefix("cap-agent-").tempdir().unwrap();
        let address = self.through.as_deref().unwrap_or(address);
        let mut env = self.env;
        env.extend([
            ("PANEL_URL".to_owned(), format!("ws://{address}")),
            ("NODE_ID".to_owned(), id.to_owned()),
            ("AGENT_SECRET".to_owned(), secret.to_owned()),
        ]);
        let child = spawn(&self.wrapper, &env, kept.path());
        Node { child, kept, env, wrapper: self.wrapper, id: id.to_owned() }
    }
}

impl Node {
    /// Configures a node.
    pub(crate) fn builder() -> NodeBuilder {
        NodeBuilder { env: Vec::new(), wrapper: Vec::new(), through: None }
    }

    /// An enrolled node that is online.
    pub(crate) async fn joined(panel: &Panel, id: &str) -> Self {
        let node = Self::builder().join(panel, id).await;
        online(panel, id, true, seconds(20)).await;
        node
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.kept.path().join("data")
    }

    /// Its output since the first start.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(log_of(self.kept.path())).unwrap_or_default()
    }

    /// Process id of the agent, or of the program that runs it.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Starts it again on the same folder.
    pub(crate) fn again(&mut self) {
        self.child = spawn(&self.wrapper, &self.env, self.kept.path());
    }

    /// Starts the same node with an empty folder.
    pub(crate) fn again_with_nothing(&mut self) {
        self.kept = tempfile::Builder::new().prefix("cap-agent-").tempdir().unwrap();
        self.again();
    }

    /// Sets the secret for later starts.
    pub(crate) fn set_secret(&mut self, secret: &str) {
        self.env.retain(|(name, _)| name != "AGENT_SECRET");
        self.env.push(("AGENT_SECRET".to_owned(), secret.to_owned()));
    }
}

fn log_of(folder: &Path) -> PathBuf {
    folder.join("agent.log")
}

fn spawn(wrapper: &[String], env: &[(String, String)], folder: &Path) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(log_of(folder)).unwrap();
    let mut words: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    words.push(binary());
    Command::new(words[0])
        .args(&words[1..])
        .arg("agent")
        .env("DATA_DIR", folder.join("data"))
        .env("BIND", "127.0.0.1")
        .env("HEALTH_PORT", "off")
        .env("LOG_LEVEL", "debug")
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the agent starts")
}

/// The node as shown by the panel's API.
pub(crate) async fn view(panel: &Panel, id: &str) -> Value {
    panel.admin().get(&format!("/api/nodes/{id}")).await.expect(200).json
}

/// Waits until the panel shows it online or offline.
pub(crate) async fn online(panel: &Panel, id: &str, online: bool, within: std::time::Duration) -> Value {
    until(&format!("{id} online: {online}"), within, async || {
        let node = view(panel, id).await;
        (node["online"] == online && (!online || node["engine"]["available"] == true)).then_some(node)
    })
    .await
}
