//! The static program resolves names everywhere: without any system files, and next to another version of the C library
//! with modules in `/etc/nsswitch.conf`. The engine's own DNS server answers.

use super::{Gone, image, name, printed, program};
use crate::harness::{docker, seconds, until};

/// The `hosts` line of Debian's desktop packages and systemd.
const MODULES: &str =
    "hosts: files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns myhostname mymachines\n";
const SECRET: &str = "a secret of this test";

#[tokio::test]
async fn an_agent_finds_its_panel_by_name_in_every_root() {
    docker::image().await;
    let folder = tempfile::tempdir().unwrap();
    let scratch = image(folder.path()).await;
    let _image = Gone("image", scratch.clone());
    let network = Gone("network", name("names"));
    docker::docker(&["network", "create", &network.1]).await;
    let panel = Gone("container", name("panel"));
    let secret = format!("AGENT_SECRET={SECRET}");
    let args = [
        "run",
        "-d",
        "--name",
        &panel.1,
        "--network",
        &network.1,
        "--network-alias",
        "panel.example.org",
        "-e",
        &secret,
    ];
    docker::docker(&[&args[..], &[&scratch]].concat()).await;
    let modules = folder.path().join("nsswitch.conf");
    std::fs::write(&modules, MODULES).unwrap();
    let modules = format!("{}:/etc/nsswitch.conf:ro", modules.display());
    let mounted = format!("{}:/usr/bin/ctrl-alt-play:ro", program().display());
    // The last root has another C library with modules for it, which would crash a program that uses its own C
    // library's resolver.
    let roots = [(scratch.as_str(), "one"), (docker::BUSYBOX, "two"), ("cap-test/nss:trixie", "three")];
    for (root, node) in roots {
        if root.starts_with("cap-test/nss") {
            made(root);
        }
        let agent = Gone("container", name(node));
        let node = format!("NODE_ID={node}");
        let mut args = vec!["run", "-d", "--name", &agent.1, "--network", &network.1, "-v", &modules];
        args.extend(["-e", "DATA_DIR=/data", "-e", "HEALTH_PORT=off", "-e", &secret, "-e", &node]);
        args.extend([
            "-e",
            "PANEL_URL=ws://panel.example.org:8080",
            "--entrypoint",
            "/usr/bin/ctrl-alt-play",
        ]);
        if root != scratch {
            args.extend(["-v", &mounted]);
        }
        docker::docker(&[&args[..], &[root, "agent"]].concat()).await;
        until(&format!("the agent in {root} finds its panel"), seconds(20), async || {
            let (log, runs) = printed(&agent.1).await;
            assert!(runs, "{root}: {log}");
            log.contains("Successfully connected to panel").then_some(())
        })
        .await;
    }
}

/// Builds a root file system with name service modules, if it does not exist.
fn made(root: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/nss");
    let (_, release) = root.split_once(':').unwrap();
    let output = std::process::Command::new(script).arg(release).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
