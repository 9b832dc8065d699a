//! Access to the container engine by its command line.

use std::process::Stdio;
use std::sync::LazyLock;

use serde_json::Value;
use tokio::process::Command;

/// Image of busybox with a few small games, made by `tests/images/make busybox`.
pub(crate) const BUSYBOX: &str = "cap-test/busybox";

/// Builds the test image; the script does nothing if it exists.
pub(crate) async fn image() {
    static ONCE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    ONCE.get_or_init(|| async {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/make");
        let made =
            Command::new("bash").args([script, "busybox"]).stdout(Stdio::null()).status().await.unwrap();
        assert!(made.success(), "tests/images/make busybox: is a Docker engine running?");
    })
    .await;
}

/// Runs `docker ARGS`; returns its output.
pub(crate) async fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().await.unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The address of this machine on the engine's default network, where containers reach it.
pub(crate) fn gateway() -> &'static str {
    static GATEWAY: LazyLock<String> = LazyLock::new(|| {
        let inspect = |format| said("docker", &["network", "inspect", "-f", format, "bridge"]);
        let gateway = inspect("{{(index .IPAM.Config 0).Gateway}}");
        if gateway.parse::<std::net::Ipv4Addr>().is_ok() {
            return gateway;
        }
        // An engine of 20.10 does not list it before its second start.
        let bridge = inspect("{{index .Options \"com.docker.network.bridge.name\"}}");
        let shown = said("ip", &["-o", "-4", "addr", "show", &bridge]);
        let address = shown.split_whitespace().skip_while(|word| *word != "inet").nth(1);
        address.and_then(|address| address.split('/').next()).expect("the bridge has an address").to_owned()
    });
    &GATEWAY
}

/// Runs a command and returns its output, for tests without a runtime.
pub(crate) fn said(program: &str, args: &[&str]) -> String {
    let output = std::process::Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The inspection result of a server's container; `None` if there is none.
pub(crate) async fn inspect(server: &str) -> Option<Value> {
    let name = format!("ctrl-alt-play-{server}");
    let output =
        Command::new("docker").args(["inspect", "--type", "container", &name]).output().await.unwrap();
    let all: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    all.get(0).cloned()
}
