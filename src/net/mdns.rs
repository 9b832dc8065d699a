//! Announces the panel in the local network by mDNS: the name `http://HOST.local:3000`, and a service for service
//! browsers.
//!
//! Optional: where multicast does not work, the panel is still reachable by its addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agent::host::{self, Sources};
use mdns_sd::{DaemonEvent, HostnameResolutionEvent, IfKind, Receiver, ServiceDaemon, ServiceInfo};

use crate::system::shutdown::Tasks;

const SERVICE: &str = "_http._tcp.local.";
/// Interval of checks for changed addresses: Wi-Fi may come up later than the panel.
const LOOK: Duration = Duration::from_secs(60);
/// Time from an announcement to the first check; by then another owner of the name has objected (RFC 6762, 8.1: 750
/// ms).
const SETTLES: Duration = Duration::from_secs(3);
/// How long others may take to answer a query for a name.
const ANSWERS_WITHIN: Duration = Duration::from_millis(1500);
/// The responder's own interval for checking interfaces, in seconds. The panel checks itself, and knows which
/// interfaces to use. Not 0, which is documented as "never": set at run time, it means at every turn, a thousand times
/// a second.
const ITS_OWN_LOOK: u32 = 24 * 3600;
/// Time limit for the goodbye message.
const GOODBYE: Duration = Duration::from_millis(500);
/// Longest label of a name.
const LABEL: usize = 63;
/// Name for a machine without a host name.
const NAMELESS: &str = "ctrl-alt-play";

/// The announced name. Cheap to clone.
#[derive(Clone)]
pub struct Name(Arc<Mutex<State>>);

struct State {
    /// The name without a trailing dot, or why there is none.
    host: Result<String, &'static str>,
    port: u16,
}

impl Default for Name {
    fn default() -> Self {
        let state = State { host: Err("it is not announced yet"), port: 0 };
        Self(Arc::new(Mutex::new(state)))
    }
}

impl Name {
    /// The panel's URL by name, or why there is none.
    pub fn url(&self) -> Result<String, String> {
        let state = self.state();
        let port = state.port;
        state.host.as_ref().map(|host| format!("http://{host}:{port}")).map_err(|why| (*why).to_owned())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn silent(&self, why: &'static str) {
        self.state().host = Err(why);
    }
}

/// Announces the panel until the tasks are cancelled. `wanted` is the setting that enables it.
pub fn start(name: &Name, wanted: bool, bind: IpAddr, port: u16, tasks: &Tasks) {
    if !wanted {
        return name.silent("MDNS is off");
    }
    if bind.is_loopback() {
        return name.silent("the panel listens for this machine only");
    }
    let sources = Sources::default();
    if in_a_container_of_its_own(&sources) {
        return name.silent("the panel runs in a container with a network of its own");
    }
    let (name, token) = (name.clone(), tasks.token());
    // Before the task starts, so that the startup message contains the name.
    let mut now = Advertisement::look(&sources, bind);
    let mut said = announce(&name, &now, &sources, port, Probe::Yes);
    drop(tasks.spawn("mdns", async move {
        let mut wait = SETTLES;
        loop {
            tokio::select! {
                () = token.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
            wait = LOOK;
            let next = Advertisement::look(&sources, bind);
            let echo = match said.as_ref().and_then(|said| Some((said, said.other_name()?))) {
                Some((said, other)) => !said.yields(&name, &other).await,
                None => false,
            };
            if next != now || echo {
                goodbye(said.take()).await;
                let probe = if echo { Probe::No } else { Probe::Yes };
                said = announce(&name, &next, &sources, port, probe);
                now = next;
                if !echo {
                    wait = SETTLES;
                }
            }
        }
        goodbye(said).await;
    }));
}

/// Whether to probe for the name before using it.
#[derive(Clone, Copy, PartialEq)]
enum Probe {
    Yes,
    No,
}

/// A running responder.
struct Announced {
    daemon: ServiceDaemon,
    events: Receiver<DaemonEvent>,
    /// `HOST.local`.
    host: String,
    /// Whether another program on this machine answers for the host name.
    by_another: bool,
    own: Vec<IpAddr>,
}

impl Announced {
    /// The new name, if the responder has changed it because of a conflict.
    fn other_name(&self) -> Option<String> {
        let mut other = None;
        for event in self.events.try_iter() {
            match event {
                DaemonEvent::NameChange(change) if !self.by_another => {
                    let was = change.original.trim_end_matches('.').eq_ignore_ascii_case(&self.host);
                    if was {
                        other = Some(change.new_name.trim_end_matches('.').to_owned());
                    }
                }
                DaemonEvent::Error(cause) => tracing::debug!(%cause, "mDNS"),
                _ => {}
            }
        }
        other
    }

    /// Whether to leave the name to another machine. Where a reflector connects networks, as routers do for printers,
    /// the responder only conflicts with its own messages from the other network.
    async fn yields(&self, name: &Name, other: &str) -> bool {
        let (daemon, host, own) = (self.daemon.clone(), self.host.clone(), self.own.clone());
        let found = tokio::task::spawn_blocking(move || rival(&daemon, &host, &own)).await;
        let Ok(Ok(found)) = found else { return true };
        let Some(rival) = found else {
            tracing::debug!(name = self.host, "only our own answers have come back, by a reflector");
            return false;
        };
        tracing::info!(name = other, %rival, "another machine has this one's name; this is the panel's");
        name.state().host = Ok(other.to_owned());
        true
    }
}

/// An address of this name that is not one of our own. Blocks for [`ANSWERS_WITHIN`] if there is none.
fn rival(daemon: &ServiceDaemon, host: &str, own: &[IpAddr]) -> mdns_sd::Result<Option<IpAddr>> {
    let asked = format!("{host}.");
    let answers = daemon.resolve_hostname(&asked, None)?;
    let end = Instant::now() + ANSWERS_WITHIN;
    let mut rival = None;
    while rival.is_none() {
        match answers.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(HostnameResolutionEvent::AddressesFound(_, found)) => {
                let mut found = found.iter().map(mdns_sd::ScopedIp::to_ip_addr);
                rival = found.find(|address| !own.contains(address));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    let _ = daemon.stop_resolve_hostname(&asked);
    Ok(rival)
}

/// What is announced about this machine.
#[derive(PartialEq)]
struct Advertisement {
    host: String,
    /// Address by interface.
    interfaces: BTreeMap<String, IpAddr>,
}

impl Advertisement {
    fn look(sources: &Sources, bind: IpAddr) -> Self {
        let host = host::hostname(sources).unwrap_or_else(|| NAMELESS.to_owned());
        Self { host: label(&host), interfaces: facing(&host::networks(), bind) }
    }
}

/// Whether this is a container whose host name is just its id: it is on a bridge of its engine, where nobody would see
/// the name.
fn in_a_container_of_its_own(sources: &Sources) -> bool {
    let inside = [".dockerenv", "run/.containerenv"].iter().any(|mark| sources.path(mark).exists());
    let id = |name: &str| name.len() == 12 && name.chars().all(|c| c.is_ascii_hexdigit());
    inside && host::hostname(sources).is_some_and(|name| id(&name))
}

/// The addresses visible to other machines, by interface. Interfaces of containers are not included.
fn facing(networks: &BTreeMap<String, String>, bind: IpAddr) -> BTreeMap<String, IpAddr> {
    let all = networks.iter().filter(|(name, _)| *name != "default");
    let all = all.filter_map(|(name, address)| Some((name.clone(), address.parse().ok()?)));
    all.filter(|(_, address)| bind.is_unspecified() || *address == bind).collect()
}

fn announce(
    name: &Name,
    face: &Advertisement,
    sources: &Sources,
    port: u16,
    probe: Probe,
) -> Option<Announced> {
    if face.interfaces.is_empty() {
        name.silent("this machine is on no network");
        return None;
    }
    // If avahi is running, it answers for the host name. Two responders for one name interfere: our goodbye at the end
    // would also withdraw avahi's name. So the service gets another name of its own, which nobody has to type: users
    // open the host's name, and avahi answers.
    let by_another = sources.path("run/avahi-daemon/socket").exists();
    match register(face, by_another, port, probe) {
        Ok((daemon, events)) => {
            let host = format!("{}.local", face.host);
            *name.state() = State { host: Ok(host.clone()), port };
            let own = host::networks().into_values().filter_map(|address| address.parse().ok()).collect();
            Some(Announced { daemon, events, host, by_another, own })
        }
        Err(cause) => {
            tracing::debug!(%cause, "the panel is not announced by mDNS");
            name.silent("this machine lets nobody speak mDNS");
            None
        }
    }
}

fn register(
    face: &Advertisement,
    by_another: bool,
    port: u16,
    probe: Probe,
) -> mdns_sd::Result<(ServiceDaemon, Receiver<DaemonEvent>)> {
    let host = face.host.as_str();
    let own = if by_another { label(&format!("{NAMELESS}-{host}")) } else { host.to_owned() };
    let addresses: Vec<IpAddr> = face.interfaces.values().copied().collect();
    let instance = instance(host);
    let mut info = ServiceInfo::new(
        SERVICE,
        &instance,
        &format!("{own}.local."),
        &addresses[..],
        port,
        &[("path", "/")][..],
    )?;
    info.set_requires_probe(probe == Probe::Yes);
    let daemon = ServiceDaemon::new()?;
    daemon.set_ip_check_interval(ITS_OWN_LOOK)?;
    daemon.disable_interface(IfKind::All)?;
    daemon.enable_interface(
        face.interfaces.keys().map(|name| IfKind::Name(name.clone())).collect::<Vec<_>>(),
    )?;
    let events = daemon.monitor()?;
    daemon.register(info)?;
    Ok((daemon, events))
}

/// Announces that the service is gone, and ends the responder's thread.
async fn goodbye(said: Option<Announced>) {
    let Some(Announced { daemon, .. }) = said else { return };
    let end = move || daemon.shutdown().map(|status| status.recv_timeout(GOODBYE));
    if let Ok(Err(cause)) = tokio::task::spawn_blocking(end).await {
        tracing::debug!(%cause, "no goodbye by mDNS");
    }
}

/// The service's display name.
fn instance(host: &str) -> String {
    let text = format!("Ctrl-Alt-Play on {host}");
    text.chars().take(LABEL).collect()
}

/// Converts a host name to a label: up to the first dot, only letters, digits and dashes.
fn label(host: &str) -> String {
    let first = host.split('.').next().unwrap_or_default();
    let kept: String =
        first.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(LABEL).collect();
    let kept = kept.trim_matches('-');
    if kept.is_empty() { NAMELESS.to_owned() } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_all_sorts_of_hosts() {
        assert_eq!(label("raspberrypi"), "raspberrypi");
        assert_eq!(label("pi.home.example"), "pi");
        assert_eq!(label("my_box ü"), "my-box");
        assert_eq!(label("..."), NAMELESS);
        assert_eq!(label(&"x".repeat(100)).len(), LABEL);
        assert!(instance(&"x".repeat(63)).len() <= LABEL);
    }

    #[test]
    fn only_the_networks_that_the_panel_listens_on() {
        let networks = [("default", "192.168.1.2"), ("eth0", "192.168.1.2"), ("wlan0", "10.0.0.2")];
        let networks: BTreeMap<String, String> =
            networks.map(|(name, address)| (name.to_owned(), address.to_owned())).into();
        let names = |bind: &str| facing(&networks, bind.parse().unwrap()).into_keys().collect::<Vec<_>>();
        assert_eq!(names("0.0.0.0"), ["eth0", "wlan0"]);
        assert_eq!(names("10.0.0.2"), ["wlan0"]);
        assert_eq!(names("10.9.9.9"), Vec::<String>::new());
    }

    #[test]
    fn a_container_without_a_name_is_nobodys_neighbour() {
        let root = tempfile::tempdir().unwrap();
        let sources = Sources::below(root.path());
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("proc/sys/kernel/hostname", "3f2a9c01b7de\n");
        assert!(!in_a_container_of_its_own(&sources), "a host may be called so");
        write(".dockerenv", "");
        assert!(in_a_container_of_its_own(&sources));
        write("proc/sys/kernel/hostname", "raspberrypi\n");
        assert!(!in_a_container_of_its_own(&sources), "it has its host's network");
    }

    #[tokio::test]
    async fn nothing_is_announced_where_nobody_wants_or_could_use_it() {
        let tasks = Tasks::new();
        for (wanted, bind, why) in
            [(false, [0, 0, 0, 0], "MDNS is off"), (true, [127, 0, 0, 1], "this machine only")]
        {
            let name = Name::default();
            start(&name, wanted, bind.into(), 3000, &tasks);
            assert!(name.url().unwrap_err().contains(why));
        }
        assert!(tasks.left().is_empty());
    }
}
