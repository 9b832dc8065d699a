//! Settings on the command line, and whose they are: a flag goes before the environment, that before the settings of the
//! service on this machine, where it is the one that is meant.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{Config, ConfigError, Flags};
use crate::system::service::Service;
use crate::system::service::installed::{AGENT, has_own_folder};

/// The same names stand in the environment (in capitals) and in the settings file (with underscores). Without `Debug`:
/// there are secrets among them.
#[derive(Clone, Default, Args)]
pub(super) struct Settings {
    /// Settings file instead of DATA_DIR/config.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on [default: 0.0.0.0].
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<String>,
    /// Port of the page and the API [default: 3000].
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Port for agents [default: 8080].
    #[arg(long, value_name = "PORT", alias = "agent-port")]
    websocket_port: Option<String>,
    /// Port of the local node's health, or off [default: 8081].
    #[arg(long, value_name = "PORT")]
    health_port: Option<String>,
    /// Port of servers' files by SFTP, or off [default: 2022].
    #[arg(long, value_name = "PORT")]
    sftp_port: Option<String>,
    /// Folder for everything that is kept; beside a service the other commands take the service's.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Signs session tokens; made at the first start when not given. Others on the machine see flags: prefer the
    /// environment.
    #[arg(long, value_name = "SECRET", hide = true)]
    jwt_secret: Option<String>,
    /// Lets every agent in that knows it. Others on the machine see flags: prefer the environment.
    #[arg(long, value_name = "SECRET", hide = true)]
    agent_secret: Option<String>,
    /// A file that holds that secret.
    #[arg(long, value_name = "FILE")]
    agent_secret_file: Option<String>,
    /// Certificate to serve instead of the panel's own, a PEM file.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// The key of that certificate, a PEM file.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// MiB a second that one move of a server takes of the network at most [default: no limit].
    #[arg(long, value_name = "MIB")]
    move_limit: Option<String>,
    /// on or off: whether the panel is found in the local network as HOST.local [default: on].
    #[arg(long, value_name = "on|off")]
    mdns: Option<String>,
    /// Address under which the panel is reached from outside, such as `https://panel.example.org`.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Reverse proxies whose X-Forwarded-For, -Proto, -Host and Forwarded count: addresses and networks such as
    /// 172.18.0.0/16, with commas between [default: none].
    #[arg(long, value_name = "ADDRESSES")]
    trusted_proxies: Option<String>,
    /// More names by which the panel may be called, with commas between; .example.org is all below it.
    #[arg(long, value_name = "NAMES")]
    allowed_hosts: Option<String>,
    /// Addresses and networks beside public ones that templates may be fetched from, such as 192.168.1.0/24 [default:
    /// none].
    #[arg(long, value_name = "ADDRESSES")]
    fetch_allow: Option<String>,
    /// An agent's panel [default: ws://localhost:8080].
    #[arg(long, value_name = "URL")]
    panel_url: Option<String>,
    /// An agent's node id [default: node-1].
    #[arg(long, value_name = "ID")]
    node_id: Option<String>,
    /// SHA-256 of the key by which an agent knows its panel, as sha256//BASE64=; more than one with commas between.
    #[arg(long, value_name = "PIN")]
    panel_pin: Option<String>,
    /// The engine's address [default: unix:///var/run/docker.sock].
    #[arg(long, value_name = "URL")]
    docker_host: Option<String>,
    /// What to log: error, warn, info, debug or a filter [default: info].
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

/// Whether a command is useful without access to the service's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    IsFine,
    IsNot,
}

impl Settings {
    pub(super) fn load(self, of_agent: bool) -> Result<Box<Config>, ConfigError> {
        self.load_with(of_agent, &|name| std::env::var(name).ok())
    }

    /// Settings of the panel's service, overridden by those of the caller.
    pub(super) fn load_of(
        self,
        service: Option<Service>,
        closed: Closed,
    ) -> Result<Box<Config>, ConfigError> {
        let service = service.filter(|service| self.means(service, has_own_folder()));
        let config = self.load_as(false, service.as_ref(), closed)?;
        let Some(service) = service.filter(|_| closed == Closed::IsNot) else { return Ok(config) };
        match service.closed {
            // An unreadable settings file may name another data folder than the one where no database was found.
            Some(path) if !config.data_dir.join("panel.redb").exists() => Err(ConfigError::Closed { path }),
            _ => Ok(config),
        }
    }

    /// Settings of the service that runs this program and will be upgraded.
    pub(super) fn load_for_upgrade(
        mut self,
        agent: bool,
        service: Option<Service>,
    ) -> Result<(Box<Config>, Option<Service>), ConfigError> {
        let service = service.filter(Service::runs_us);
        match (&service, self.named_folder()) {
            (Some(service), Some(named)) if !service.keeps(Path::new(&named)) => {
                let from = if self.data_dir.is_some() { "--data-dir" } else { "DATA_DIR" }.to_owned();
                let own = service.variable("DATA_DIR").unwrap_or_default();
                let problem =
                    format!("the service {} runs this program, and its folder is {own}", service.name);
                return Err(ConfigError::Bad { from, problem });
            }
            (None, None) if agent && rustix::process::geteuid().is_root() => {
                self.data_dir = Some(format!("/var/lib/{AGENT}"));
            }
            _ => {}
        }
        let config = self.load_as(agent, service.as_ref(), Closed::IsFine)?;
        Ok((config, service))
    }

    /// Whether the caller means this service: they named no other folder or settings file, and have no panel of their
    /// own.
    fn means(&self, service: &Service, own: bool) -> bool {
        match self.named_folder() {
            Some(named) => service.keeps(Path::new(&named)),
            None => self.config.is_none() && !own,
        }
    }

    fn named_folder(&self) -> Option<String> {
        let variable = || std::env::var("DATA_DIR").ok().filter(|folder| !folder.is_empty());
        self.data_dir.clone().or_else(variable)
    }

    fn load_as(
        self,
        of_agent: bool,
        service: Option<&Service>,
        closed: Closed,
    ) -> Result<Box<Config>, ConfigError> {
        let own = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let theirs = |name: &str| service.and_then(|service| service.variable(name));
        let variable = |name: &str| own(name).or_else(|| theirs(name));
        match self.clone().load_with(of_agent, &variable) {
            Err(ConfigError::Unreadable { path, source })
                if source.kind() == ErrorKind::PermissionDenied && self.config.is_none() =>
            {
                match closed {
                    // The panel's settings file cannot be read, so continue without it.
                    Closed::IsFine => {
                        Self { config: Some("/dev/null".into()), ..self }.load_with(of_agent, &variable)
                    }
                    Closed::IsNot => Err(ConfigError::Closed { path }),
                }
            }
            Err(ConfigError::Bad { from, problem }) => {
                let of = service.filter(|_| own(&from).is_none() && theirs(&from).is_some());
                let of = of.map(|service| format!(" of the service {}", service.name)).unwrap_or_default();
                Err(ConfigError::Bad { from: from + &of, problem })
            }
            loaded => loaded,
        }
    }

    fn load_with(
        self,
        of_agent: bool,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Box<Config>, ConfigError> {
        let given = [
            ("bind", self.bind),
            ("port", self.port),
            ("websocket_port", self.websocket_port),
            ("health_port", self.health_port),
            ("sftp_port", self.sftp_port),
            ("data_dir", self.data_dir),
            ("jwt_secret", self.jwt_secret),
            ("agent_secret", self.agent_secret),
            ("agent_secret_file", self.agent_secret_file),
            ("tls_cert", self.tls_cert),
            ("tls_key", self.tls_key),
            ("move_limit", self.move_limit),
            ("mdns", self.mdns),
            ("public_url", self.public_url),
            ("trusted_proxies", self.trusted_proxies),
            ("allowed_hosts", self.allowed_hosts),
            ("fetch_allow", self.fetch_allow),
            ("panel_url", self.panel_url),
            ("node_id", self.node_id),
            ("panel_pin", self.panel_pin),
            ("docker_host", self.docker_host),
            ("log_level", self.log_level),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Config::load(Flags { config: self.config, given, of_agent }, variable).map(Box::new)
    }
}
