//! A real agent, as a separate process with its own data folder.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running agent. Killed when dropped.
pub(crate) struct AgentProcess {
    _child: Child,
    log: Arc<Mutex<String>>,
    _folder: tempfile::TempDir,
}

impl AgentProcess {
    /// Starts an agent with these environment variables.
    #[allow(clippy::disallowed_methods, reason = "a test's task ends with it")]
    pub(crate) fn start(env: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("cap-agent-").tempdir().unwrap();
        let mut child = Command::new(crate::harness::binary())
            .arg("agent")
            .env("DATA_DIR", folder.path())
            .env("HEALTH_PORT", "off")
            .env_remove("PANEL_PIN")
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            let (mut out, mut err) = (BufReader::new(out).lines(), BufReader::new(err).lines());
            loop {
                let line = tokio::select! {
                    Ok(Some(line)) = out.next_line() => line,
                    Ok(Some(line)) = err.next_line() => line,
                    else => return,
                };
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { _child: child, log, _folder: folder }
    }

    /// The agent's output.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}
