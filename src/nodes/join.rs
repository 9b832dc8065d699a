//! How another machine becomes a node: the join command to copy, and the script that it fetches.

use std::net::IpAddr;

use crate::upgrades::binaries::Programs;

/// The script that the join command fetches: the general install script.
const SCRIPT: &str = include_str!("../../install.sh");

/// The panel's addresses and key, for machines that join.
#[derive(Clone, Debug)]
pub struct EnrollmentConfig {
    /// The page's public URL; `None` if it is not set.
    pub public_url: Option<String>,
    /// The page's port.
    pub page_port: u16,
    /// The agents' port.
    pub agents_port: u16,
    /// The machine's own address in its network, if the panel listens on all addresses. It replaces `localhost`, by
    /// which other machines cannot reach the panel.
    pub own_address: Option<IpAddr>,
    /// SHA-256 of the panel's public key as `sha256//BASE64`, if both ports use TLS with it.
    pub pin: Option<String>,
    /// This program's binaries for other machines.
    pub programs: Programs,
}

impl EnrollmentConfig {
    /// The join command for a new machine: it fetches the script, which installs the program and an engine, and starts
    /// the agent. `host` is the panel's host as the browser's request names it.
    fn line(&self, host: Option<&str>, node: &str, secret: &str) -> String {
        let public = self.public_url.as_deref().filter(|url| plain(url)).map(|url| url.trim_end_matches('/'));
        let host = public.and_then(|url| url.split_once("://")).map(|(_, rest)| rest).or(host);
        let host = self.host_for_others(&host_of(host.unwrap_or_default()));
        let secure = if self.pin.is_some() { "s" } else { "" };
        let page = public.map_or_else(|| format!("http{secure}://{host}:{}", self.page_port), str::to_owned);
        let mut line = format!(
            "curl -fsS{}{page}/install.sh | sh -s -- --agent --panel {page} --agents ws{secure}://{host}:{} --node {node} \
             --secret {secret}",
            match &self.pin {
                // The certificate is self-signed: the public key is checked instead.
                Some(pin) if public.is_none() => format!("k --pinnedpubkey '{pin}' "),
                _ => "L ".to_owned(),
            },
            self.agents_port,
        );
        if let Some(pin) = &self.pin {
            line.push_str(&format!(" --pin '{pin}'"));
            if public.is_some() {
                line.push_str(" --public");
            }
        }
        line
    }

    fn host_for_others(&self, host: &str) -> String {
        let ours = host == "localhost" || host.starts_with("127.") || host == "[::1]";
        match self.own_address.filter(|_| ours) {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            Some(address) => address.to_string(),
            None => host.to_owned(),
        }
    }
}

/// How the administrator's browser reaches the panel; a new machine uses the same host.
#[derive(Clone, Debug)]
pub struct Enrollment {
    /// The panel's addresses and key.
    pub joining: EnrollmentConfig,
    /// The panel's host as the browser's request names it.
    pub host: Option<String>,
}

impl Enrollment {
    /// The join command for the machine of this node.
    pub fn line(&self, node: &str, secret: &str) -> String {
        self.joining.line(self.host.as_deref(), node, secret)
    }
}

/// The host of `host:port/path`. `PANEL` if it is empty, or has characters with a meaning in a shell, since users paste
/// the command.
fn host_of(authority: &str) -> String {
    let authority = authority.split('/').next().unwrap_or("");
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    if host.is_empty() || !plain(host) { "PANEL".to_owned() } else { host.to_owned() }
}

fn plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '/' | '_'))
}

/// The install script.
pub fn script() -> &'static str {
    SCRIPT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joining() -> EnrollmentConfig {
        EnrollmentConfig {
            public_url: None,
            page_port: 3000,
            agents_port: 8080,
            own_address: Some(IpAddr::from([10, 0, 0, 2])),
            pin: Some("sha256//abc=".into()),
            programs: Programs::new(std::path::Path::new(""), None),
        }
    }

    #[test]
    fn the_line_pins_our_key_and_trusts_others_by_their_authority() {
        let mut joining = joining();
        assert_eq!(
            joining.line(Some("localhost:3000"), "attic", "5ecret"),
            "curl -fsSk --pinnedpubkey 'sha256//abc=' https://10.0.0.2:3000/install.sh | sh -s -- --agent --panel \
             https://10.0.0.2:3000 --agents wss://10.0.0.2:8080 --node attic --secret 5ecret --pin 'sha256//abc='"
        );
        joining.public_url = Some("https://panel.example/".into());
        assert_eq!(
            joining.line(Some("10.0.0.9"), "attic", "5ecret"),
            "curl -fsSL https://panel.example/install.sh | sh -s -- --agent --panel https://panel.example --agents \
             wss://panel.example:8080 --node attic --secret 5ecret --pin 'sha256//abc=' --public"
        );
        joining.pin = None;
        joining.public_url = None;
        let line = joining.line(Some("192.168.1.3:3000"), "attic", "5ecret");
        assert!(line.starts_with("curl -fsSL http://192.168.1.3:3000/install.sh | sh"), "{line}");
        assert!(line.contains("--agents ws://192.168.1.3:8080 ") && !line.contains("pin"), "{line}");
    }

    #[test]
    fn hosts_are_safe_to_paste() {
        for (given, host) in [
            ("panel.example:3000", "panel.example"),
            ("10.0.0.5", "10.0.0.5"),
            ("[fe80::1]:3000", "[fe80::1]"),
            ("panel.example/path", "panel.example"),
            ("$(id):80", "PANEL"),
            ("", "PANEL"),
        ] {
            assert_eq!(host_of(given), host, "{given}");
        }
    }
}
