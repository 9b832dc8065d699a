//! Limits and rights of a container, as passed to the engine.

use serde_json::{Value, json};

use super::game::Game;
use super::viewer::Viewer;
use crate::harness::{Panel, docker, seconds, until};

const MIB: i64 = 1 << 20;

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        _ => false,
    }
}

#[tokio::test]
async fn a_container_is_made_of_an_allow_list() {
    let panel = Panel::start().await;
    let port = crate::harness::free_port();
    let more = json!({
        "limits": { "memory": 256 * MIB, "swap": 128 * MIB, "cpu": 150, "io": 300, "processes": 700 },
        "ports": [{ "internal": 7777, "external": port, "protocol": "tcp" }],
        "environment": { "COLOUR": "red" },
    });
    let game = Game::with(&panel, "game", more).await;
    game.start().await;
    game.says("Ready", seconds(10)).await;
    let container = game.container().await;
    let (host, config) = (&container["HostConfig"], &container["Config"]);

    assert_eq!(container["Name"], format!("/ctrl-alt-play-{}", game.id));
    assert!(!empty(&config["Labels"]["ctrl-alt-play.managed"]), "{}", config["Labels"]);
    assert_eq!(config["Labels"]["ctrl-alt-play.server-id"], game.id.as_str());
    assert_eq!(config["WorkingDir"], "/home/container");
    assert_eq!((&config["Tty"], &config["OpenStdin"]), (&json!(true), &json!(true)));
    // Safety of the host: the panel's own user is root here, but the game's never is.
    let user = config["User"].as_str().unwrap();
    assert!(user.contains(':') && !user.starts_with("0:") && !user.starts_with("root"), "user {user:?}");

    let memory = 256 * MIB * 115 / 100;
    assert_eq!(host["Memory"], memory);
    assert_eq!(host["MemorySwap"], memory + 128 * MIB);
    let quota = match host["NanoCpus"].as_f64() {
        Some(nano) if nano > 0.0 => nano / 1e9,
        _ => {
            host["CpuQuota"].as_f64().unwrap()
                / host["CpuPeriod"].as_f64().filter(|p| *p > 0.0).unwrap_or(100_000.0)
        }
    };
    assert!((quota - 1.5).abs() < 1e-6, "{quota}");
    assert_eq!(host["PidsLimit"], 700);

    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["Privileged"], false);
    assert_eq!(host["Init"], true);
    assert!(!empty(&host["CapDrop"]) && empty(&host["CapAdd"]), "{} {}", host["CapDrop"], host["CapAdd"]);
    let options = host["SecurityOpt"].as_array().expect("options");
    assert!(
        options.iter().any(|option| option.as_str().unwrap().starts_with("no-new-privileges")),
        "{options:?}"
    );
    assert!(!options.iter().any(|option| option.as_str().unwrap().contains("unconfined")), "{options:?}");
    for field in [
        "PidMode",
        "UTSMode",
        "UsernsMode",
        "CgroupParent",
        "Devices",
        "DeviceRequests",
        "VolumesFrom",
        "Links",
        "Sysctls",
        "ExtraHosts",
        "GroupAdd",
        "CpusetMems",
    ] {
        assert!(empty(&host[field]), "{field}: {}", host[field]);
    }
    for (field, never) in [("NetworkMode", "host"), ("IpcMode", "host")] {
        assert_ne!(host[field], never);
    }
    assert!(!host["NetworkMode"].as_str().unwrap().starts_with("container:"));
    assert!(matches!(host["RestartPolicy"]["Name"].as_str(), Some("" | "no")), "{}", host["RestartPolicy"]);
    let tmpfs = host["Tmpfs"]["/tmp"].as_str().unwrap_or_else(|| panic!("no tmpfs: {host}"));
    assert!(tmpfs.contains("nosuid") && tmpfs.contains("size="), "{tmpfs}");
    let log = &host["LogConfig"];
    assert!(!empty(&log["Config"]["max-size"]), "its log is capped: {log}");

    let mounts = container["Mounts"].as_array().unwrap();
    // The time zone file of this machine, if it exists, is mounted read-only.
    let zone = |mount: &&serde_json::Value| {
        let place = mount["Destination"].as_str().unwrap();
        place.starts_with("/usr/share/zoneinfo/") && mount["RW"] == false
    };
    let binds: Vec<_> = mounts.iter().filter(|mount| mount["Type"] != "tmpfs" && !zone(mount)).collect();
    assert_eq!(binds.len(), 1, "{mounts:?}");
    assert_eq!(binds[0]["Source"], game.file(&panel, "").to_str().unwrap().trim_end_matches('/'));
    assert_eq!(binds[0]["Destination"], "/home/container");
    let published = &host["PortBindings"];
    assert_eq!(published.as_object().map(serde_json::Map::len), Some(1), "{published}");
    assert_eq!(published["7777/tcp"][0]["HostPort"], port.to_string());
}

#[tokio::test]
async fn memory_and_swap_have_their_special_values() {
    let panel = Panel::start().await;
    for (limits, memory, swap) in [
        (json!({}), 0, 0),
        (json!({ "memory": 64 * MIB }), 64 * MIB * 115 / 100, 64 * MIB * 115 / 100),
        (json!({ "memory": 64 * MIB, "swap": -1 }), 64 * MIB * 115 / 100, -1),
        (json!({ "memory": 3072 * MIB }), 3072 * MIB * 110 / 100, 3072 * MIB * 110 / 100),
        (json!({ "memory": 5120 * MIB }), 5120 * MIB * 105 / 100, 5120 * MIB * 105 / 100),
    ] {
        let game = Game::with(&panel, "game", json!({ "limits": limits })).await;
        game.start().await;
        let container = game.container().await;
        assert_eq!(container["HostConfig"]["Memory"], memory, "{limits}");
        assert_eq!(container["HostConfig"]["MemorySwap"], swap, "{limits}");
        game.power("kill").await.expect(202);
    }
}

#[tokio::test]
async fn what_looks_like_a_placeholder_or_a_command_stays_text() {
    let (session_secret, agent_secret) = ("canary-3f9a-session-secret-0d1e", "canary-77b2-agent-secret-5c4f");
    let panel =
        Panel::builder().env("JWT_SECRET", session_secret).env("AGENT_SECRET", agent_secret).start().await;
    let odd =
        "{{config.token}} {{panel.secret}} ${AGENT_SECRET} $(id) `id` 'one' \"two\" \\ ; | &\nsecond line";
    let startup = "echo \"token={{config.token}} {{panel.secret}} {{7*7}} end\"; \
        echo \"secret=${AGENT_SECRET}${JWT_SECRET} end\"; echo \"odd={{ODD}} end\"; show-env";
    let game = Game::with(&panel, startup, json!({ "environment": { "ODD": odd } })).await;
    game.start().await;
    game.says("read-only /", seconds(10)).await;
    let lines = game.lines().await;
    let has = |text: &str| lines.iter().any(|line| line == text);
    assert!(has("token={{config.token}} {{panel.secret}} {{7*7}} end"), "{lines:#?}");
    assert!(has("secret= end"), "{lines:#?}");
    let (first, second) = odd.split_once('\n').unwrap();
    assert!(has(&format!("odd={first}")) && has(&format!("{second} end")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("uid=")), "nothing of it was run: {lines:#?}");
    for (text, wanted) in [
        ("read-only /", true),
        ("writable /tmp", true),
        ("writable /home/container", true),
        ("writable /", false),
    ] {
        assert_eq!(has(text), wanted, "{text}: {lines:#?}");
    }

    let container = game.container().await;
    let env = container["Config"]["Env"].as_array().unwrap();
    assert!(env.contains(&json!(format!("ODD={odd}"))), "{env:#?}");
    let all = container.to_string();
    for secret in [session_secret, agent_secret] {
        assert!(!all.contains(secret), "a secret of the panel in the container");
    }
    for name in ["JWT_SECRET=", "AGENT_SECRET=", "DOCKER_HOST=", "DATA_DIR="] {
        assert!(!env.iter().any(|entry| entry.as_str().unwrap().starts_with(name)), "{name}");
    }
    for name in ["STARTUP=", "SERVER_MEMORY=", "SERVER_IP=0.0.0.0", "TZ=", "HOME=/home/container"] {
        assert!(env.iter().any(|entry| entry.as_str().unwrap().starts_with(name)), "{name} in {env:#?}");
    }
    assert!(!panel.log().contains("canary-"), "a secret in the log");
}

#[tokio::test]
async fn a_fork_bomb_fills_its_own_container_only() {
    let panel = Panel::start().await;
    let quiet = Game::running(&panel, "game").await;
    let mut watching = Viewer::open(&quiet.admin, &quiet.id).await;
    let bomb = Game::with(
        &panel,
        "echo Ready; exec awk 'BEGIN { while (1) system(\"sleep 100 &\") }'",
        json!({ "limits": { "cpu": 50, "processes": 300 } }),
    )
    .await;
    bomb.start().await;
    let name = format!("ctrl-alt-play-{}", bomb.id);
    let mut most = 0;
    until("the bomb hits its limit", seconds(60), async || {
        most =
            most.max(docker::docker(&["top", &name, "-eo", "pid"]).await.lines().count().saturating_sub(1));
        (most >= 260).then_some(())
    })
    .await;
    let mut times = Vec::new();
    for n in 0..30 {
        let asked = std::time::Instant::now();
        let said = format!("You said: ping {n}");
        quiet.command(&format!("ping {n}")).await;
        watching.wait("the answer", seconds(5), |text| text == said).await;
        times.push(asked.elapsed().as_millis());
    }
    times.sort_unstable();
    assert!(times[times.len() - 1] < 500, "{times:?} ms");
    most = most.max(docker::docker(&["top", &name, "-eo", "pid"]).await.lines().count().saturating_sub(1));
    assert!(most <= 300, "{most} processes");
    bomb.power("kill").await.expect(202);
    bomb.becomes("stopped", seconds(20)).await;
}
