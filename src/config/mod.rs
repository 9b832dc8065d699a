//! Settings. Flags take precedence over the environment, that over the file, that over defaults.

mod layer;
mod network;
mod secret;
mod upgrades;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use agent::LinkTimes;
use protocol::NodeId;

pub use layer::ConfigError;
use layer::{GUARDED, Layer, Setting, UPGRADE_TIMES};
use network::public_url;
pub use network::{NetworkSettings, Networks};
use secret::agent_secret;
pub use secret::{Secret, is_weak_agent_secret};
pub use upgrades::{UpgradeSettings, UpgradeTimes};

/// Defaults of an agent for its panel's URL and its node id.
const PANEL_URL: &str = "ws://localhost:8080";
const NODE_ID: &str = "node-1";
/// Undocumented setting for tests and service units.
const LINK_TIMES: &str = "link_times";

/// All settings, of `serve` and of `agent`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to bind all ports to.
    pub bind: IpAddr,
    /// Port of the page and the API; 0 for any free port.
    pub port: u16,
    /// Port for agents.
    pub websocket_port: u16,
    /// Health port of the local node; `None` if it is off.
    pub health_port: Option<u16>,
    /// SFTP port; `None` if it is off.
    pub sftp_port: Option<u16>,
    /// The data folder.
    pub data_dir: PathBuf,
    /// Secret that signs session tokens; created at the first start if not set.
    pub jwt_secret: Option<Secret>,
    /// Secret that admits any agent; without it only the secrets of single nodes are accepted.
    pub agent_secret: Option<Secret>,
    /// The panel's public URL: an additional allowed origin, and the base of links.
    pub public_url: Option<String>,
    /// Reverse proxies, allowed host names and networks that may be fetched from.
    pub network: NetworkSettings,
    /// Address of the container engine.
    pub docker_host: Option<String>,
    /// Whether `DATA_DIR/config.toml` contains a secret; then others must not be able to read it.
    pub secrets_in_file: bool,
    /// URL of an agent's panel, such as `ws://panel.example:8080`.
    pub panel_url: String,
    /// An agent's node id.
    pub node_id: NodeId,
    /// SHA-256 of the keys by which an agent verifies its panel (`sha256//BASE64=`, several separated by commas).
    pub panel_pin: Option<String>,
    /// Certificate chain that the panel serves instead of its own, a PEM file.
    pub tls_cert: Option<PathBuf>,
    /// Private key of that certificate, a PEM file.
    pub tls_key: Option<PathBuf>,
    /// PEM file with certificate authorities to trust beside the built-in ones, in place of the system's.
    pub ssl_cert_file: Option<PathBuf>,
    /// Bandwidth limit of a transfer to another node, in MiB per second.
    pub move_limit: Option<NonZeroU32>,
    /// Upgrades: where releases are published, and how they are installed.
    pub upgrades: UpgradeSettings,
    /// Whether the panel is announced in the local network by mDNS.
    pub mdns: bool,
    /// Whether to set firewall rules that keep games from this machine's other ports, if this process may.
    pub games_firewall: bool,
    /// Times of the link between panel and agents; tests use shorter ones.
    pub link_times: LinkTimes,
    /// What is logged: `info`, `debug`, or a filter like `info,ctrl_alt_play=debug`.
    pub log_level: String,
}

impl Config {
    /// Settings for tests: this folder, and any free ports on loopback.
    pub fn for_tests(data_dir: &Path) -> Self {
        Self {
            bind: IpAddr::from([127, 0, 0, 1]),
            port: 0,
            websocket_port: 0,
            health_port: Some(0),
            sftp_port: Some(0),
            data_dir: data_dir.to_owned(),
            jwt_secret: None,
            agent_secret: None,
            public_url: None,
            network: NetworkSettings::default(),
            docker_host: None,
            secrets_in_file: false,
            panel_url: PANEL_URL.to_owned(),
            node_id: NODE_ID.into(),
            panel_pin: None,
            tls_cert: None,
            tls_key: None,
            ssl_cert_file: None,
            move_limit: None,
            upgrades: UpgradeSettings::default(),
            mdns: false,
            games_firewall: false,
            link_times: LinkTimes::default(),
            log_level: "info".to_owned(),
        }
    }
}

/// The names of a setting.
struct Key {
    name: &'static str,
    variables: &'static [&'static str],
}

/// All settings. Flags are the names with dashes.
const KEYS: &[Key] = &[
    Key { name: "bind", variables: &["BIND"] },
    Key { name: "port", variables: &["PORT"] },
    Key { name: "websocket_port", variables: &["WEBSOCKET_PORT", "AGENT_PORT"] },
    Key { name: "health_port", variables: &["HEALTH_PORT"] },
    Key { name: "sftp_port", variables: &["SFTP_PORT"] },
    Key { name: "data_dir", variables: &["DATA_DIR"] },
    Key { name: "jwt_secret", variables: &["JWT_SECRET"] },
    Key { name: "agent_secret", variables: &["AGENT_SECRET"] },
    Key { name: "agent_secret_file", variables: &["AGENT_SECRET_FILE"] },
    Key { name: "public_url", variables: &["PUBLIC_URL"] },
    Key { name: "trusted_proxies", variables: &["TRUSTED_PROXIES"] },
    Key { name: "allowed_hosts", variables: &["ALLOWED_HOSTS"] },
    Key { name: "fetch_allow", variables: &["FETCH_ALLOW"] },
    Key { name: "panel_url", variables: &["PANEL_URL"] },
    Key { name: "node_id", variables: &["NODE_ID"] },
    Key { name: "panel_pin", variables: &["PANEL_PIN"] },
    Key { name: "tls_cert", variables: &["TLS_CERT"] },
    Key { name: "tls_key", variables: &["TLS_KEY"] },
    Key { name: "ssl_cert_file", variables: &["SSL_CERT_FILE"] },
    Key { name: "move_limit", variables: &["MOVE_LIMIT"] },
    Key { name: "download", variables: &["CTRL_ALT_PLAY_DOWNLOAD"] },
    Key { name: "download_key", variables: &["CTRL_ALT_PLAY_KEY"] },
    Key { name: "upgrade_check", variables: &["UPGRADE_CHECK"] },
    Key { name: GUARDED, variables: &["CTRL_ALT_PLAY_GUARDED"] },
    Key { name: UPGRADE_TIMES, variables: &["UPGRADE_TIMES"] },
    Key { name: "mdns", variables: &["MDNS"] },
    Key { name: "games_firewall", variables: &["GAMES_FIREWALL"] },
    Key { name: LINK_TIMES, variables: &["LINK_TIMES"] },
    Key { name: "docker_host", variables: &["DOCKER_HOST"] },
    Key { name: "log_level", variables: &["LOG_LEVEL"] },
];

/// Flags of the command line, and the path of the settings file. No `Debug`, because they may contain secrets.
#[derive(Clone, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// Name (with underscores) and value of each flag.
    pub given: Vec<(&'static str, String)>,
    /// Whether the settings are for an agent. It does not choose its secret, so a weak one only causes a warning.
    pub of_agent: bool,
}

impl Config {
    /// Merges and validates all sources of settings.
    pub fn load(flags: Flags, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut found = Layer::new();
        for (name, value) in flags.given {
            let from = format!("--{}", name.replace('_', "-"));
            found.insert(name, Setting { value, from });
        }
        for key in KEYS {
            for name in key.variables {
                // An empty variable counts as not set.
                if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
                    found.entry(key.name).or_insert(Setting { value, from: (*name).to_owned() });
                }
            }
        }
        let data_dir = match found.get("data_dir").map(|given| PathBuf::from(&given.value)) {
            Some(given) => std::path::absolute(&given)
                .map_err(|source| ConfigError::Unreadable { path: given, source })?,
            None => default_data_dir(variable)?,
        };
        let (path, must_exist) = match flags.config {
            Some(path) => (path, true),
            None => (data_dir.join("config.toml"), false),
        };
        let mut secret_in_file = false;
        for (name, value) in read_file(&path, must_exist)? {
            secret_in_file |= name.ends_with("_secret");
            let from = format!("{} in {}", name, path.display());
            found.entry(name).or_insert(Setting { value, from });
        }
        let data_dir = match found.get("data_dir") {
            Some(given) => PathBuf::from(&given.value),
            None => data_dir,
        };
        let data_dir = std::path::absolute(&data_dir).unwrap_or(data_dir);
        let mut config = Self::assemble(&found, data_dir, flags.of_agent)?;
        config.secrets_in_file = secret_in_file && path == config.data_dir.join("config.toml");
        Ok(config)
    }

    fn assemble(found: &Layer, data_dir: PathBuf, of_agent: bool) -> Result<Self, ConfigError> {
        let from_file = match (found.get("agent_secret"), found.get("agent_secret_file")) {
            (None, Some(file)) => Some(secret_in(file)?),
            _ => None,
        };
        let agent_secret = match found.get("agent_secret").or(from_file.as_ref()) {
            Some(given) if of_agent => Some(Secret::new(given.value.as_str())),
            Some(given) => Some(agent_secret(given)?),
            None => None,
        };
        let file = |name| found.get(name).map(|given| PathBuf::from(&given.value));
        let link_times = found
            .get(LINK_TIMES)
            .map(|given| LinkTimes::parse(&given.value).map_err(|problem| given.bad(problem)));
        Ok(Self {
            bind: match found.get("bind") {
                Some(given) => given.value.trim_matches(['[', ']']).parse().map_err(|_| {
                    given.bad("has to be an IP address, such as 0.0.0.0 or 127.0.0.1".to_owned())
                })?,
                None => IpAddr::from([0, 0, 0, 0]),
            },
            port: port(found, "port", 3000)?,
            websocket_port: port(found, "websocket_port", 8080)?,
            health_port: optional_port(found, "health_port", 8081)?,
            sftp_port: optional_port(found, "sftp_port", 2022)?,
            data_dir,
            jwt_secret: found.get("jwt_secret").map(|given| Secret::new(given.value.as_str())),
            agent_secret,
            public_url: found.get("public_url").map(public_url).transpose()?,
            network: NetworkSettings::of(found)?,
            secrets_in_file: false,
            panel_url: text(found, "panel_url", PANEL_URL),
            node_id: text(found, "node_id", NODE_ID).into(),
            panel_pin: found.get("panel_pin").map(|given| given.value.clone()),
            tls_cert: file("tls_cert"),
            tls_key: file("tls_key"),
            ssl_cert_file: file("ssl_cert_file"),
            move_limit: found.get("move_limit").map(move_limit).transpose()?,
            upgrades: UpgradeSettings::of(found)?,
            mdns: found.get("mdns").map_or(Ok(true), on_or_off)?,
            games_firewall: found.get("games_firewall").map_or(Ok(true), on_or_off)?,
            link_times: link_times.transpose()?.unwrap_or_default(),
            docker_host: found.get("docker_host").map(|given| given.value.clone()),
            log_level: text(found, "log_level", "info"),
        })
    }
}

fn text(found: &Layer, name: &str, default: &str) -> String {
    found.get(name).map_or(default, |given| &given.value).to_owned()
}

fn port(found: &Layer, name: &str, default: u16) -> Result<u16, ConfigError> {
    let Some(given) = found.get(name) else { return Ok(default) };
    given.value.trim().parse().map_err(|_| {
        given.bad(format!(
            "\"{}\" is no port: it has to be a number from 0 (any free port) to 65535",
            given.value
        ))
    })
}

fn optional_port(found: &Layer, name: &str, default: u16) -> Result<Option<u16>, ConfigError> {
    match found.get(name) {
        Some(given) if matches!(given.value.as_str(), "off" | "none" | "false") => Ok(None),
        _ => port(found, name, default).map(Some),
    }
}

fn on_or_off(given: &Setting) -> Result<bool, ConfigError> {
    match given.value.as_str() {
        "on" | "true" | "yes" => Ok(true),
        "off" | "false" | "no" | "none" => Ok(false),
        other => Err(given.bad(format!("\"{other}\" has to be on or off"))),
    }
}

fn move_limit(given: &Setting) -> Result<NonZeroU32, ConfigError> {
    let problem = format!("\"{}\" has to be a whole number of MiB a second, 1 or more", given.value);
    given.value.trim().parse().map_err(|_| given.bad(problem))
}

/// Reads a secret from a file of its own.
fn secret_in(file: &Setting) -> Result<Setting, ConfigError> {
    let path = PathBuf::from(&file.value);
    let text = std::fs::read_to_string(&path)
        .map_err(|source| file.bad(format!("{} can't be read: {source}", path.display())))?;
    let value = text.trim().to_owned();
    if value.is_empty() {
        return Err(file.bad(format!("{} is empty", path.display())));
    }
    Ok(Setting { value, from: file.from.clone() })
}

fn default_data_dir(variable: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, ConfigError> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/ctrl-alt-play"));
    }
    let folder = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_DATA_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("ctrl-alt-play"))
        .ok_or_else(|| ConfigError::Bad {
            from: "DATA_DIR".to_owned(),
            problem: "is not given, and neither XDG_DATA_HOME nor HOME says where data goes".to_owned(),
        })
}

fn read_file(path: &Path, must_exist: bool) -> Result<Vec<(&'static str, String)>, ConfigError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound && !must_exist => return Ok(Vec::new()),
        Err(source) => return Err(ConfigError::Unreadable { path: path.to_owned(), source }),
    };
    let table: toml::Table = text.parse().map_err(|problem: toml::de::Error| ConfigError::NotToml {
        path: path.to_owned(),
        problem: problem.message().to_owned(),
    })?;
    let mut values = Vec::new();
    for (name, value) in table {
        let from = || format!("{name} in {}", path.display());
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            let names: Vec<_> = KEYS
                .iter()
                .map(|key| key.name)
                .filter(|name| ![LINK_TIMES, UPGRADE_TIMES, GUARDED].contains(name))
                .collect();
            let problem = format!("is no setting; there are {}", names.join(", "));
            return Err(ConfigError::Bad { from: from(), problem });
        };
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(yes) => yes.to_string(),
            toml::Value::Array(items) if items.iter().all(toml::Value::is_str) => {
                items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",")
            }
            _ => {
                let problem = "has to be text, a number or a list of texts".to_owned();
                return Err(ConfigError::Bad { from: from(), problem });
            }
        };
        values.push((key.name, value));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(
        flags: &[(&'static str, &str)],
        environment: &[(&str, &str)],
        file: &str,
    ) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), file).unwrap();
        let mut given: Vec<_> = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        given.push(("data_dir", folder.path().to_str().unwrap().to_owned()));
        let variable = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Config::load(Flags { config: None, given, of_agent: false }, &variable)
    }

    #[test]
    fn each_layer_goes_before_the_next() {
        let file = "port = 1\nbind = \"127.0.0.3\"\nhealth_port = \"off\"";
        let config =
            load(&[("port", "3")], &[("PORT", "2"), ("BIND", "127.0.0.2"), ("AGENT_PORT", "9")], file)
                .unwrap();
        assert_eq!((config.port, config.bind.to_string().as_str()), (3, "127.0.0.2"));
        assert_eq!((config.health_port, config.websocket_port), (None, 9));
        let defaults = load(&[], &[("PORT", "")], "").unwrap();
        assert_eq!((defaults.port, defaults.websocket_port, defaults.health_port), (3000, 8080, Some(8081)));
    }

    #[test]
    fn bad_values_are_named_with_their_source() {
        let message = |result: Result<Config, ConfigError>| result.unwrap_err().to_string();
        assert!(message(load(&[("port", "65536")], &[], "")).starts_with("--port"));
        assert!(message(load(&[], &[("WEBSOCKET_PORT", "x")], "")).starts_with("WEBSOCKET_PORT"));
        assert!(message(load(&[], &[("MDNS", "maybe")], "")).starts_with("MDNS"));
        assert!(message(load(&[], &[], "prot = 1")).starts_with("prot in "));
        assert!(message(load(&[], &[], "port = ")).starts_with("settings file"));
        assert!(message(load(&[], &[("PUBLIC_URL", "panel.example")], "")).starts_with("PUBLIC_URL"));
        assert!(message(load(&[], &[("TRUSTED_PROXIES", "nginx")], "")).starts_with("TRUSTED_PROXIES"));
        let file = "allowed_hosts = [\"nas\", \"a:1\"]";
        assert!(message(load(&[], &[], file)).starts_with("allowed_hosts in "));
    }

    #[test]
    fn weak_agent_secrets_are_refused() {
        for weak in ["short", "agent-secret", "CHANGE_ME_PLEASE", "your-secret-key-here", "aaaaaaaaaaaaaaaa"]
        {
            assert!(load(&[], &[("AGENT_SECRET", weak)], "").is_err(), "{weak}");
        }
        let config = load(&[], &[("AGENT_SECRET", "Xk29-ehc1-qq0z")], "").unwrap();
        assert!(!format!("{config:?}").contains("Xk29"), "Debug shows the secret");
    }
}
