//! Checks whether a service responds, and runs the program with its service's settings.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::layout::Layout;
use super::tools::command;

const PATIENCE: Duration = Duration::from_secs(3);
/// Longest answer of `/health`, in bytes.
const LONGEST: u64 = 4096;
/// Default health port of an agent.
const HEALTH_PORT: &str = "8081";

/// A command for the program, with its service's settings in the environment.
pub(super) fn program(layout: &Layout) -> Command {
    let binary = layout.binary();
    let mut program = command(&binary.to_string_lossy());
    if let Some(found) = &layout.found {
        program.envs(found.variables().filter(|(name, _)| !name.starts_with("CTRL_ALT_PLAY_GUARDED")));
    }
    program.env("DATA_DIR", &layout.data_dir);
    program
}

/// Whether the service's panel responds, or its agent as the expected node.
pub(super) fn answers(layout: &Layout) -> bool {
    if !layout.agent {
        let asked = program(layout).arg("healthcheck").stdout(Stdio::null()).stderr(Stdio::null()).status();
        return asked.is_ok_and(|status| status.success());
    }
    let port = layout.setting("HEALTH_PORT").unwrap_or_else(|| HEALTH_PORT.to_owned());
    // Without a health port, all that can be checked is whether the agent is running.
    let Ok(port) = port.parse() else { return layout.runs() };
    let node = layout.setting("NODE_ID").unwrap_or_default();
    health(port).is_some_and(|answer| answer.contains(&format!("\"nodeId\":\"{node}\"")))
}

fn health(port: u16) -> Option<String> {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
