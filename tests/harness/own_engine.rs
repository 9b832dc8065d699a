//! A separate container engine, in its own network next to a LAN and an internet, so that firewall rules and networks
//! of games do not affect others. Needs root.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::docker;
use super::netns::Network;

/// The port of [`Echo`].
pub(crate) const PORT: u16 = 7777;
/// An address on the internet.
pub(crate) const INTERNET: &str = "203.0.113.5";
pub(crate) const INTERNET_V6: &str = "2001:db8:99::5";
/// Addresses on the LAN, in addition to that of its cable: private, shared, link-local, and public ones of neighbours.
pub(crate) const NEIGHBOURS: [&str; 8] = [
    "172.31.9.9",
    "192.168.99.9",
    "100.64.9.9",
    "169.254.9.9",
    "198.51.100.2",
    "fd77::2",
    "fd99::9",
    "2001:db8:1::2",
];
/// This machine's own addresses on the LAN, in addition to that of its cable.
pub(crate) const HOST: [&str; 3] = ["198.51.100.1", "fd77::1", "2001:db8:1::1"];

/// The engine, its machine's network, and the neighbouring network.
pub(crate) struct OwnEngine {
    host: Network,
    lan: Network,
    /// The machine's address on the cable, and its neighbour's.
    pub(crate) ends: (String, String),
    folder: tempfile::TempDir,
    engine: Child,
    _answers: [Echo; 2],
    _names: Names,
}

impl OwnEngine {
    /// Starts an engine with the games' image, and with IPv6 on our networks.
    pub(crate) async fn start() -> Self {
        docker::image().await;
        let (host, lan) = (Network::new(), Network::new());
        let ends = host.joined_to(&lan);
        let (here, there) = (ends.0.as_str(), ends.1.as_str());
        let cables = (host.cable(), lan.far_cable());
        host.ip(&["addr", "add", "198.51.100.1/24", "dev", &cables.0]);
        lan.ip(&["addr", "add", "198.51.100.2/24", "dev", &cables.1]);
        for (address, net, cable) in [
            ("fd77::1/64", &host, &cables.0),
            ("2001:db8:1::1/64", &host, &cables.0),
            ("fd77::2/64", &lan, &cables.1),
            ("2001:db8:1::2/64", &lan, &cables.1),
        ] {
            net.ip(&["-6", "addr", "add", address, "dev", cable, "nodad"]);
        }
        for address in [INTERNET, "172.31.9.9", "192.168.99.9", "100.64.9.9", "169.254.9.9"] {
            lan.ip(&["addr", "add", &format!("{address}/32"), "dev", "lo"]);
        }
        for address in [INTERNET_V6, "fd99::9"] {
            lan.ip(&["-6", "addr", "add", &format!("{address}/128"), "dev", "lo", "nodad"]);
        }
        host.ip(&["route", "add", "default", "via", there]);
        host.ip(&["-6", "route", "add", "default", "via", "fd77::2"]);
        lan.ip(&["-6", "route", "add", "fd88::/16", "via", "fd77::1"]);
        assert!(host.run(&["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"]), "sysctl");
        let folder = tempfile::Builder::new().prefix("cap-eng-").tempdir().unwrap();
        std::fs::write(folder.path().join("resolv.conf"), format!("nameserver {there}\n")).unwrap();
        let of_lan: Vec<IpAddr> = NEIGHBOURS
            .iter()
            .chain(&[INTERNET, INTERNET_V6, there])
            .map(|address| address.parse().unwrap())
            .collect();
        let of_host: Vec<IpAddr> =
            HOST.iter().chain(&[here]).map(|address| address.parse().unwrap()).collect();
        let answers = [Echo::start(&lan.path(), &of_lan), Echo::start(&host.path(), &of_host)];
        let names = Names::start(&lan.path(), there.parse().unwrap());
        let engine = engine(&host, folder.path());
        let this = Self { host, lan, ends, folder, engine, _answers: answers, _names: names };
        this.ready().await;
        this
    }

    async fn ready(&self) {
        super::until("the engine answers", super::seconds(60), async || {
            self.docker_done(&["version"]).await.then_some(())
        })
        .await;
        let image = self.folder.path().join("image.tar");
        let image = image.to_str().unwrap();
        docker::docker(&["save", "-o", image, docker::BUSYBOX]).await;
        self.docker(&["load", "-q", "-i", image]).await;
        for (name, bridge, subnet) in [
            ("ctrl-alt-play", "ctrl-alt-play0", "fd88:0:0:1::/64"),
            ("ctrl-alt-play-no-lan", "ctrl-alt-play1", "fd88:0:0:2::/64"),
        ] {
            let bridge = format!("com.docker.network.bridge.name={bridge}");
            let alone = "com.docker.network.bridge.enable_icc=false";
            self.docker(&[
                "network", "create", "--ipv6", "--subnet", subnet, "-o", &bridge, "-o", alone, name,
            ])
            .await;
        }
    }

    /// Its `DOCKER_HOST`.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}/docker.sock", self.folder.path().display())
    }

    /// The machine's address as seen by the test.
    pub(crate) fn reached_at(&self) -> &str {
        &self.host.there
    }

    /// Command prefix that runs a program on that machine. `without` are programs that it must not find there.
    pub(crate) fn wrapper(&self, without: &[&str]) -> Vec<String> {
        wrapper(&self.host, self.folder.path(), without)
    }

    /// Runs a program there; its output if it succeeded.
    pub(crate) fn there(&self, words: &[&str]) -> Option<String> {
        let output = Command::new("nsenter")
            .arg(format!("--net={}", self.host.path().display()))
            .args(words)
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs `docker ARGS`; returns its output.
    pub(crate) async fn docker(&self, args: &[&str]) -> String {
        let address = self.address();
        docker::docker(&[&["-H", &address], args].concat()).await
    }

    async fn docker_done(&self, args: &[&str]) -> bool {
        let address = self.address();
        let mut command = tokio::process::Command::new("docker");
        command.args(["-H", &address]).args(args).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.is_ok_and(|status| status.success())
    }

    /// The network namespace of a running game.
    pub(crate) async fn inside(&self, server: &str) -> PathBuf {
        let name = format!("ctrl-alt-play-{server}");
        let pid = self.docker(&["inspect", "-f", "{{.State.Pid}}", &name]).await;
        assert_ne!(pid, "0", "{name} does not run");
        format!("/proc/{pid}/ns/net").into()
    }

    /// The network namespace of the neighbours.
    pub(crate) fn lan(&self) -> PathBuf {
        self.lan.path()
    }
}

impl Drop for OwnEngine {
    #[allow(
        clippy::disallowed_methods,
        reason = "the engine's end is waited for, and nothing here may be async"
    )]
    fn drop(&mut self) {
        let address = self.address();
        let script = "docker -H \"$0\" ps -aq | xargs -r docker -H \"$0\" rm -f -v";
        let _ = Command::new("sh").args(["-c", script, &address]).stdout(Stdio::null()).status();
        let _ = Command::new("kill").arg(self.engine.id().to_string()).status();
        let end = Instant::now() + Duration::from_secs(15);
        while self.engine.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.engine.kill();
        let _ = self.engine.wait();
    }
}

fn engine(host: &Network, folder: &Path) -> Child {
    let words = wrapper(host, folder, &[]);
    let log = File::create(folder.join("log")).unwrap();
    let at = |name: &str| folder.join(name).display().to_string();
    Command::new(&words[0])
        .args(&words[1..])
        .args(["dockerd", "--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")])
        .args(["-H", &format!("unix://{}", at("docker.sock"))])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect("nsenter, unshare and dockerd")
}

/// Runs with the network's own `/sys` including all control groups, and its resolver.
fn wrapper(host: &Network, folder: &Path, without: &[&str]) -> Vec<String> {
    let mut script = "set -e; mkdir -p \"$0/cgroup\"; mount --rbind /sys/fs/cgroup \"$0/cgroup\"; mount -t sysfs sysfs /sys; \
                      mount --rbind \"$0/cgroup\" /sys/fs/cgroup; \
                      mount --bind \"$0/resolv.conf\" \"$(readlink -f /etc/resolv.conf)\"; "
        .to_owned();
    for program in without {
        script += &format!(
            "for f in /usr/sbin/{program} /sbin/{program}; do if [ -e $f ]; then mount --bind /dev/null $f; fi; done; "
        );
    }
    script += "exec \"$@\"";
    let net = format!("--net={}", host.path().display());
    ["nsenter", &net, "unshare", "-m", "sh", "-c", &script, &folder.display().to_string()]
        .map(ToOwned::to_owned)
        .to_vec()
}

/// Runs `work` in another network namespace.
pub(crate) fn within<T: Send + 'static>(
    network: &Path,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let network = File::open(network).unwrap_or_else(|error| panic!("{}: {error}", network.display()));
    std::thread::spawn(move || {
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), Some(LinkNameSpaceType::Network))
            .expect("root");
        work()
    })
}

/// Which of these addresses answer there, over TCP and UDP (`ADDRESS:PORT/tcp`), all probed in parallel.
pub(crate) fn answering(from: &Path, addresses: &[SocketAddr]) -> Vec<String> {
    let asked: Vec<_> = addresses
        .iter()
        .flat_map(|&address| [(address, "tcp"), (address, "udp")])
        .map(|(address, protocol)| {
            let answers = move || if protocol == "tcp" { by_tcp(address) } else { by_udp(address) };
            (format!("{address}/{protocol}"), within(from, answers))
        })
        .collect();
    asked.into_iter().filter_map(|(name, answers)| answers.join().unwrap().then_some(name)).collect()
}

const PATIENCE: Duration = Duration::from_millis(1500);

fn by_tcp(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, PATIENCE) else { return false };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = [0; 4];
    stream.read_exact(&mut said).is_ok() && said == *b"here"
}

fn by_udp(address: SocketAddr) -> bool {
    let any: SocketAddr = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().unwrap();
    let socket = UdpSocket::bind(any).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // An unreachable network fails here.
    if socket.connect(address).is_err() || socket.send(b"who").is_err() {
        return false;
    }
    let mut said = [0; 4];
    socket.recv(&mut said).is_ok() && said == *b"here"
}

/// Answers on [`PORT`] of these addresses, over TCP and UDP, until it is dropped.
pub(crate) struct Echo {
    stop: Arc<AtomicBool>,
}

impl Echo {
    #[allow(clippy::disallowed_methods, reason = "a thread of its own, which ends with the test")]
    pub(crate) fn start(network: &Path, addresses: &[IpAddr]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let addresses = addresses.to_vec();
        let sockets = within(network, move || {
            let at = |address: &IpAddr| SocketAddr::new(*address, PORT);
            let tcp: Vec<_> = addresses.iter().map(|a| TcpListener::bind(at(a)).unwrap()).collect();
            let udp: Vec<_> = addresses.iter().map(|a| UdpSocket::bind(at(a)).unwrap()).collect();
            (tcp, udp)
        });
        let (tcp, udp) = sockets.join().unwrap();
        tcp.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
        udp.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
        let ends = Arc::clone(&stop);
        std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                for listener in &tcp {
                    while let Ok((mut stream, _)) = listener.accept() {
                        let _ = stream.write_all(b"here");
                    }
                }
                for socket in &udp {
                    while let Ok((_, from)) = socket.recv_from(&mut [0; 64]) {
                        let _ = socket.send_to(b"here", from);
                    }
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { stop }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A DNS server that answers every name with [`INTERNET`].
struct Names {
    stop: Arc<AtomicBool>,
}

impl Names {
    fn start(network: &Path, address: IpAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let socket = within(network, move || UdpSocket::bind((address, 53)).unwrap()).join().unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let ends = Arc::clone(&stop);
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while !ends.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut query) else { continue };
                if let Some(answer) = answer(&query[..length]) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { stop }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The response to a query: the question and, for an IPv4 address, the answer.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let end = 12 + query.get(12..)?.iter().position(|&byte| byte == 0)? + 5;
    let question = query.get(12..end)?;
    let wants_v4 = question.get(question.len() - 4..)? == [0, 1, 0, 1];
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(wants_v4), 0, 0, 0, 0]);
    answer.extend(question);
    if wants_v4 {
        let address: std::net::Ipv4Addr = INTERNET.parse().unwrap();
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}
