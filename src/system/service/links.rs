//! The addresses that a user opens in the browser once the service runs.

use std::fmt::Write as _;
use std::net::IpAddr;

use agent::host::{self, Sources};

use super::layout::Layout;

/// The closing message of an installation: addresses, log, and how to stop the service.
pub(super) fn text(layout: &Layout, version: &str) -> String {
    let mut text = String::new();
    if layout.agent {
        let setting = |name| layout.setting(name).unwrap_or_default();
        let _ = writeln!(
            text,
            "\n{} is a node of the panel at {}: it shows under Nodes, and new servers can be placed on it.",
            setting("NODE_ID"),
            setting("PANEL_URL")
        );
    } else {
        let token = std::fs::read_to_string(layout.data_dir.join("setup-token")).unwrap_or_default();
        let (path, advice) = match token.trim() {
            "" => ("/".to_owned(), ""),
            token => (format!("/setup#token={token}"), " Open one of these links and make your account:"),
        };
        let _ = writeln!(
            text,
            "\nCtrl-Alt-Play {version} runs{}\n",
            if advice.is_empty() { ":" } else { "." }.to_owned() + advice
        );
        let port = layout.setting("PORT").unwrap_or_else(|| "3000".to_owned());
        let bind = layout.setting("BIND").unwrap_or_default();
        let mdns = layout.setting("MDNS").is_none_or(|mdns| mdns != "off");
        let name = host::hostname(&Sources::default());
        let names =
            addresses(&bind, &host::addresses()).into_iter().chain(local_name(&bind, name.filter(|_| mdns)));
        for name in names {
            let _ = writeln!(text, "    http://{name}:{port}{path}");
        }
    }
    if let Some(manager) = layout.manager {
        let stop = manager.stop_line(layout.name);
        let _ = writeln!(text, "\nIts log: {}      Stop it: {stop} (games go on)", layout.log());
    }
    text
}

/// The bind address, or all addresses of the machine if it binds to all.
fn addresses(bind: &str, machine: &[IpAddr]) -> Vec<String> {
    let shown = |ip: &IpAddr| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
    let bound = bind.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let found: Vec<String> = match bound {
        Some(one) if !one.is_unspecified() => vec![shown(&one)],
        Some(IpAddr::V6(_)) => machine.iter().map(shown).collect(),
        _ => machine.iter().filter(|ip| ip.is_ipv4()).map(shown).collect(),
    };
    if found.is_empty() { vec!["localhost".to_owned()] } else { found }
}

/// The name for the local network; `None` if there is none.
fn local_name(bind: &str, machine: Option<String>) -> Option<String> {
    if bind.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
        return None;
    }
    let name = machine?;
    let name = name.split('.').next().unwrap_or_default();
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (plain && name != "localhost").then(|| format!("{name}.local"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_that_a_panel_listens_on() {
        let machine: Vec<IpAddr> = ["192.168.1.20", "fd00::2"].iter().map(|ip| ip.parse().unwrap()).collect();
        assert_eq!(addresses("", &machine), ["192.168.1.20"]);
        assert_eq!(addresses("0.0.0.0", &machine), ["192.168.1.20"]);
        assert_eq!(addresses("[::]", &machine), ["192.168.1.20", "[fd00::2]"]);
        assert_eq!(addresses("10.0.0.1", &machine), ["10.0.0.1"]);
        assert_eq!(addresses("fd00::9", &machine), ["[fd00::9]"]);
        assert_eq!(addresses("", &[]), ["localhost"]);
    }

    #[test]
    fn the_name_in_the_local_network() {
        let name = |bind, machine: &str| local_name(bind, Some(machine.to_owned()));
        assert_eq!(name("", "attic.example.org").as_deref(), Some("attic.local"));
        assert_eq!((name("127.0.0.1", "attic"), name("", "a_b"), name("", "localhost")), (None, None, None));
        assert_eq!(local_name("", None), None);
    }
}
