//! The panel's mDNS name: found from another machine, not announced on engines' bridges, withdrawn at shutdown, and
//! given up to a machine that had it first. All in separate networks that are not connected to this machine.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mdns_sd::{HostnameResolutionEvent, ServiceDaemon, ServiceEvent};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::harness::netns::Network;
use crate::harness::{Panel, binary, seconds, until};

const BRIDGE: &str = "172.31.77.1";

/// The host name, which every namespace of this machine has.
fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let name = name.trim().split('.').next().unwrap().to_owned();
    if matches!(name.as_str(), "" | "(none)" | "localhost") { "ctrl-alt-play".into() } else { name }
}

/// Another machine that browses the network: this test binary, in its namespace. Prints what it finds until it is
/// killed.
struct Browser {
    _child: Child,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Browser {
    #[allow(clippy::disallowed_methods)]
    fn on(network: &Network) -> Self {
        let wrapper = network.wrapper();
        let mut child = Command::new(wrapper[0])
            .args(&wrapper[1..])
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "faults::mdns::looks_around", "--nocapture"])
            .env("LOOKS_AROUND", hostname())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut lines, into) = (BufReader::new(child.stdout.take().unwrap()).lines(), seen.clone());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                into.lock().unwrap().push(line);
            }
        });
        Self { _child: child, seen }
    }

    async fn sees(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        until(what, seconds(30), async || self.seen.lock().unwrap().iter().find(|line| wanted(line)).cloned())
            .await
    }

    fn all(&self) -> String {
        self.seen.lock().unwrap().join("\n")
    }
}

/// Not a test: [`Browser`] runs it on the other machine.
#[test]
#[ignore = "run by the tests of mDNS in a network of its own"]
fn looks_around() {
    let Ok(host) = std::env::var("LOOKS_AROUND") else { return };
    let daemon = ServiceDaemon::new().unwrap();
    let services = daemon.browse("_http._tcp.local.").unwrap();
    let names = daemon.resolve_hostname(&format!("{host}.local."), None).unwrap();
    let end = Instant::now() + Duration::from_secs(120);
    while Instant::now() < end {
        if let Ok(event) = services.recv_timeout(Duration::from_millis(50)) {
            match event {
                ServiceEvent::ServiceResolved(service) => println!(
                    "FOUND {} at {} {:?} port {}",
                    service.get_fullname(),
                    service.get_hostname(),
                    service.get_addresses_v4(),
                    service.get_port()
                ),
                ServiceEvent::ServiceRemoved(_, name) => println!("GONE {name}"),
                _ => {}
            }
        }
        for event in names.try_iter() {
            if let HostnameResolutionEvent::AddressesFound(name, addresses) = event {
                println!("NAME {name} {addresses:?}");
            }
        }
    }
}

/// How often the responder's thread has been woken.
fn wakeups(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten().map(|task| task.path());
    let text = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let responder = tasks.into_iter().find(|task| text(task.join("comm")).trim() == "mDNS_daemon");
    let status = text(responder.expect("the responder's thread").join("status"));
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

async fn panel_in(network: &Network) -> Panel {
    let panel = Panel::builder().env("BIND", "0.0.0.0").env("MDNS", "on").under(&network.wrapper());
    panel.fresh().await
}

/// Waits for this text in the panel's output, which is not complete when the panel is ready.
async fn says(panel: &Panel, text: &str) {
    until(&format!("it says {text}"), seconds(10), async || panel.log().contains(text).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panel_is_found_by_name_and_says_goodbye() {
    let (home, other) = (Network::alone(), Network::alone());
    let (address, _) = home.joined_to(&other);
    home.bridge("docker0", BRIDGE);
    let browser = Browser::on(&other);
    let mut panel = panel_in(&home).await;
    let (host, port) = (hostname(), panel.address.rsplit(':').next().unwrap().to_owned());
    says(&panel, &format!("Found in your network as http://{host}.local:{port}\n")).await;
    says(&panel, &format!("http://{host}.local:{port}/setup#token=")).await;

    let found = browser.sees("the panel is found", |line| line.starts_with("FOUND Ctrl-Alt-Play on ")).await;
    assert!(found.contains(&format!("at {host}.local.")), "{found}");
    assert!(found.contains(&address) && found.ends_with(&format!("port {port}")), "{found}");
    browser.sees("its name is found", |line| line.starts_with("NAME ") && line.contains(&address)).await;

    // Regression test: the responder used to wake up constantly.
    let woken = wakeups(panel.pid());
    tokio::time::sleep(seconds(3)).await;
    let woken = wakeups(panel.pid()) - woken;
    assert!(woken < 100, "woken {woken} times in 3 s");

    panel.stop().await;
    browser.sees("it has said goodbye", |line| line.starts_with("GONE Ctrl-Alt-Play on ")).await;
    assert!(!browser.all().contains(BRIDGE), "a container's network is nobody else's: {}", browser.all());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_second_takes_another_name() {
    let (first, second) = (Network::alone(), Network::alone());
    first.joined_to(&second);
    let _kept = panel_in(&first).await;
    // The first panel must have its name before the second one asks for it.
    let browser = Browser::on(&second);
    browser.sees("the first is found", |line| line.starts_with("FOUND ")).await;
    let late = panel_in(&second).await;
    let other = format!("{}-2.local:", hostname());
    until("the check-up shows the other name", seconds(20), async || {
        addresses(&late).await?.contains(&other).then_some(())
    })
    .await;
}

/// Addresses of a running panel in the doctor's report.
async fn addresses(panel: &Panel) -> Option<String> {
    let said = Command::new(binary())
        .args(["doctor", "--json"])
        .env("DATA_DIR", panel.folder())
        .env("PORT", "0")
        .output()
        .await
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    let all = report["findings"].as_array().unwrap();
    let found = all.iter().find(|finding| finding["code"] == "addresses")?;
    found["detail"].as_str().map(str::to_owned)
}

/// A router that reflects mDNS between two networks, as many do for printers, and nothing else.
const REFLECTOR: &str = r#"
mkdir -p /run/avahi-daemon
mount -t tmpfs avahi /run/avahi-daemon
printf '[server]\nhost-name=router-of-a-test\nuse-ipv6=no\nenable-dbus=no\n[reflector]\nenable-reflector=yes\n' \
    >/run/avahi-daemon/conf
PATH=$AVAHI/usr/sbin:$PATH LD_LIBRARY_PATH=$AVAHI/usr/lib/$(uname -m)-linux-gnu exec avahi-daemon --no-drop-root \
    --no-chroot --no-rlimits -f /run/avahi-daemon/conf
"#;

/// A machine in two networks receives its own announcements from one in the other. They must not count as a name
/// conflict.
#[allow(clippy::disallowed_methods)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reflector_that_brings_its_own_words_back_is_no_rival() {
    let (home, router) = (Network::alone(), Network::alone());
    let (address, _) = home.joined_to(&router);
    router.joined_to(&home);
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/avahi");
    let mut wrapper = router.wrapper();
    wrapper.extend(["unshare", "--mount", "sh", "-c", REFLECTOR]);
    let mut reflector = Command::new(wrapper[0])
        .args(&wrapper[1..])
        .env("AVAHI", tools)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(reflector.stderr.take().unwrap()).lines();
    let up = async { while !said.next_line().await.unwrap().unwrap().contains("startup complete") {} };
    tokio::time::timeout(seconds(20), up).await.expect("the reflector runs");
    let browser = Browser::on(&home);
    let panel = panel_in(&home).await;
    browser.sees("its name is found", |line| line.starts_with("NAME ") && line.contains(&address)).await;
    let (own, other) = (format!("{}.local:", hostname()), format!("{}-2.local:", hostname()));
    // Long enough to receive the reflected messages, and to check them.
    let end = Instant::now() + seconds(8);
    let mut last = String::new();
    while Instant::now() < end {
        last = addresses(&panel).await.unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(last.contains(&own) && !last.contains(&other), "{last}\n{}", panel.log());
    assert!(!panel.log().contains("another machine has this one's name"), "{}", panel.log());
}

/// Runs avahi, which most desktop machines have, in the namespace, together with the given command.
const AVAHI: &str = r#"
mkdir -p /run/avahi-daemon
mount -t tmpfs avahi /run/avahi-daemon
printf '[server]\nuse-ipv6=no\nenable-dbus=no\n' >/run/avahi-daemon/conf
avahi() { PATH=$AVAHI/usr/sbin:$PATH LD_LIBRARY_PATH=$AVAHI/usr/lib/$(uname -m)-linux-gnu setpriv --pdeathsig KILL avahi-daemon --no-drop-root --no-chroot --no-rlimits -f /run/avahi-daemon/conf >>"$AVAHI_LOG" 2>&1; }
if [ "$AVAHI_COMES" = first ]; then
    avahi &
    until grep -q 'startup complete' "$AVAHI_LOG"; do sleep 0.1; done
else
    (until [ -e "$AVAHI_LOG.now" ]; do sleep 0.1; done; avahi) &
fi
exec "$@"
"#;

/// A panel next to avahi, in either order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_avahi_the_hosts_name_stays_avahis() {
    for comes in ["first", "second"] {
        let (home, other) = (Network::alone(), Network::alone());
        let (address, _) = home.joined_to(&other);
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("avahi.log");
        std::fs::write(&log, "").unwrap();
        let said = || std::fs::read_to_string(&log).unwrap();
        let mut wrapper = home.wrapper();
        wrapper.extend(["unshare", "--mount", "sh", "-c", AVAHI, "sh"]);
        let panel = Panel::builder().env("BIND", "0.0.0.0").env("MDNS", "on").env("AVAHI_COMES", comes);
        // Avahi is unpacked and not installed, since an installed one would claim this machine's name.
        let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/avahi");
        let panel = panel.env("AVAHI_LOG", log.to_str().unwrap()).env("AVAHI", tools).under(&wrapper);
        let mut panel = panel.fresh().await;
        let (host, port) = (hostname(), panel.address.rsplit(':').next().unwrap().to_owned());
        says(&panel, &format!("Found in your network as http://{host}.local:{port}\n")).await;
        if comes == "second" {
            let browser = Browser::on(&other);
            browser.sees("the panel is found", |line| line.starts_with("FOUND ")).await;
            std::fs::write(folder.path().join("avahi.log.now"), "").unwrap();
        }
        until("avahi has a name", seconds(30), async || said().contains("startup complete").then_some(()))
            .await;
        let browser = Browser::on(&other);
        let found =
            browser.sees("the panel is found", |line| line.starts_with("FOUND Ctrl-Alt-Play on ")).await;
        assert!(found.contains(&address) && found.ends_with(&format!("port {port}")), "{found}");
        browser.sees("its name is found", |line| line.starts_with("NAME ") && line.contains(&address)).await;
        // If avahi was there first, the panel leaves the name to it, and does not withdraw it at shutdown either.
        let ours = if comes == "first" { format!("at ctrl-alt-play-{host}.") } else { format!("at {host}.") };
        assert!(found.contains(&ours), "{comes}: {found}");
        panel.stop().await;
        browser.sees("it has said goodbye", |line| line.starts_with("GONE Ctrl-Alt-Play on ")).await;
        let later = Browser::on(&other);
        later.sees("the name is there", |line| line.starts_with("NAME ") && line.contains(&address)).await;
        assert!(!said().contains("conflict"), "{comes}: {}", said());
    }
}

#[tokio::test]
async fn nothing_is_said_where_it_is_turned_off() {
    let home = Network::new();
    let panel = Panel::builder().env("BIND", "0.0.0.0").under(&home.wrapper()).fresh().await;
    assert!(!panel.log().contains("in your network"), "{}", panel.log());
    let setup = std::process::Command::new("ip")
        .args(home.wrapper()[1..].iter())
        .args(["cat", "/proc/net/igmp", "/proc/net/udp"])
        .output()
        .unwrap();
    let joined = String::from_utf8(setup.stdout).unwrap();
    // 224.0.0.251 and port 5353, in the kernel's notation.
    assert!(joined.contains("local_address"), "{joined}");
    assert!(!joined.contains("FB0000E0") && !joined.contains(":14E9"), "{joined}");
}
