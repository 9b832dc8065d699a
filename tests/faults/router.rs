//! A real router program (Debian's miniupnpd) with its NAT in one network namespace, and an agent behind it in another.
//! Without miniupnpd the tests say so and end: `apt-get install miniupnpd-nftables`, or its path in `MINIUPNPD`.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::panel_at;
use crate::harness::netns::Network;
use crate::harness::node::Node;
use crate::harness::{Panel, docker, free_port, seconds, until};

/// The router's address in the internet. No packet goes there.
const EXTERNAL: &str = "5.6.7.8";

#[allow(clippy::print_stderr, reason = "a test that did not run says so")]
fn program() -> Option<PathBuf> {
    // Where tests/run puts it.
    let unpacked =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools/miniupnpd/usr/sbin/miniupnpd");
    let named = std::env::var_os("MINIUPNPD").map(PathBuf::from);
    let found =
        named.into_iter().chain([PathBuf::from("/usr/sbin/miniupnpd"), unpacked]).find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: miniupnpd is not installed");
    }
    found
}

/// A router: one cable to this machine, which stands for the internet, and one to the home.
struct Router {
    network: Network,
    program: PathBuf,
    child: Option<Child>,
    /// When it was switched on.
    since: Instant,
    folder: tempfile::TempDir,
}

impl Drop for Router {
    fn drop(&mut self) {
        self.off();
    }
}

impl Router {
    /// Makes it and switches it on; gives the home's own address too.
    fn new(home: &Network, program: PathBuf, protocols: &str) -> Self {
        let network = Network::new();
        let (_, lan) = home.joined_to(&network);
        home.ip(&["route", "add", "default", "via", &lan]);
        network.ip(&["addr", "add", &format!("{EXTERNAL}/32"), "dev", &network.uplink()]);
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "ext_ifname={}\next_ip={EXTERNAL}\nlistening_ip={}\nport=0\n{protocols}\nsecure_mode=yes\n\
             uuid=00000000-0000-0000-0000-0000000000{:02x}\nallow 1024-65535 10.214.0.0/16 1024-65535\n\
             deny 0-65535 0.0.0.0/0 0-65535\n",
            network.uplink(),
            network.far_cable(),
            crate::harness::run_number(),
        );
        std::fs::write(folder.path().join("router.conf"), config).unwrap();
        let mut this = Self { network, program, child: None, since: Instant::now(), folder };
        this.on();
        this
    }

    fn off(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Switches it on, with no mapping.
    fn on(&mut self) {
        self.network.run(&["nft", "flush", "ruleset"]);
        let rules = "table inet filter { chain miniupnpd { }; chain prerouting_miniupnpd { }; \
                     chain postrouting_miniupnpd { }; }";
        assert!(self.network.run(&["nft", rules]), "nft");
        let wrapper = self.network.wrapper();
        let child = Command::new(wrapper[0])
            .args(&wrapper[1..])
            .arg(&self.program)
            .args(["-d", "-f"])
            .arg(self.folder.path().join("router.conf"))
            .arg("-P")
            .arg(self.folder.path().join("pid"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        self.child = Some(child);
        self.since = Instant::now();
    }

    /// What it forwards, as its firewall has it.
    fn rules(&self) -> String {
        self.network.output(&["nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd"])
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    async fn forwards(&self, port: u16, expected: bool) {
        let what = format!("port {port} is {}forwarded", if expected { "" } else { "not " });
        let ask = async || (self.rules().contains(&format!("dport {port} ")) == expected).then_some(());
        if tokio::time::timeout(seconds(80), until(&what, seconds(79), ask)).await.is_err() {
            panic!("{what}: {}\n{}", self.rules(), self.log());
        }
    }
}

async fn reach(panel: &Panel, id: &str) -> Value {
    panel.admin().get(&format!("/api/servers/{id}/reach")).await.expect(200).json
}

async fn a_server_is_forwarded_while_it_runs(protocols: &str, via: &str) {
    let Some(program) = program() else { return };
    docker::image().await;
    let home = Network::new();
    let mut router = Router::new(&home, program, protocols);
    let agents = free_port();
    let panel = panel_at("0.0.0.0", agents).await;
    let admin = panel.admin();
    let mut node = Node::builder()
        .under(&home.wrapper())
        .through(format!("{}:{agents}", home.here))
        .join(&panel, "home")
        .await;
    let port = free_port();
    let body = json!({
        "name": "World", "nodeId": "home", "image": docker::BUSYBOX, "startup": "game",
        "ports": [{ "internal": 25565, "external": port, "protocol": "tcp" }],
    });
    let id = admin.post("/api/servers", body).await.expect(201).id();
    let server = format!("/api/servers/{id}");
    let is = async |status: &str| {
        let ask = async || (admin.get(&server).await.expect(200).json["status"] == status).then_some(());
        until(status, seconds(60), ask).await;
    };
    is("stopped").await;
    admin.post(&format!("{server}/power"), json!({ "action": "start" })).await.expect(202);
    is("running").await;
    let seen = reach(&panel, &id).await;
    assert_eq!((&seen["routerAllowed"], &seen["router"]), (&json!(false), &Value::Null), "off until allowed");
    // The engine holds the port in this machine's network, not in the agent's.
    assert_eq!(seen["ports"][0]["published"], Value::Null, "{seen}");
    assert_eq!(seen["ports"][0]["listening"], false, "this game listens to nothing: {seen}");
    assert!(!router.rules().contains("dport"), "{}", router.rules());

    admin.put(&format!("{server}/router"), json!({ "allow": true })).await.expect(204);
    router.forwards(port, true).await;
    let known = async || {
        let seen = reach(&panel, &id).await;
        (seen["ports"][0]["forwarded"] == true).then_some(seen)
    };
    let seen = until("the panel knows", seconds(20), known).await;
    let expected = json!({ "via": via, "external": EXTERNAL, "externalKind": "public", "problem": null });
    assert_eq!(seen["router"], expected, "{seen}");
    assert_eq!(
        router.rules().matches("dport").count(),
        1,
        "the game's port and no other: {}",
        router.rules()
    );

    // Switched off and on, the router has forgotten it. That is known by its count of seconds, so it has to have some.
    let old = async || (router.since.elapsed() > seconds(25)).then_some(());
    until("the router has been on for a while", seconds(30), old).await;
    router.off();
    router.on();
    router.forwards(port, true).await;

    admin.post(&format!("{server}/power"), json!({ "action": "stop" })).await.expect(202);
    is("stopped").await;
    router.forwards(port, false).await;
    admin.post(&format!("{server}/power"), json!({ "action": "start" })).await.expect(202);
    router.forwards(port, true).await;

    // A killed agent still knows what it began.
    node.kill().await;
    assert!(router.rules().contains(&format!("dport {port} ")), "{}", router.rules());
    node.again();
    let allowed = async || {
        let call = admin.put(&format!("{server}/router"), json!({ "allow": false })).await;
        (call.status == 204).then_some(())
    };
    until("the agent is back", seconds(30), allowed).await;
    router.forwards(port, false).await;
    admin.delete(&server).await.expect(204);
}

#[tokio::test]
async fn a_router_is_asked_by_pcp() {
    a_server_is_forwarded_while_it_runs("enable_natpmp=yes\nenable_upnp=no", "pcp").await;
}

#[tokio::test]
async fn a_router_is_asked_by_upnp() {
    a_server_is_forwarded_while_it_runs("enable_natpmp=no\nenable_upnp=yes", "upnp").await;
}
