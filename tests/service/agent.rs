//! An agent's service under a booted systemd, for a panel on this machine.

use serde_json::json;

use super::life::Counter;
use crate::harness::download::{Downloads, Signer};
use crate::harness::systemd::{Booted, NEXT, PROGRAM, VERSION};
use crate::harness::{Panel, docker, node, seconds, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_agent_stays_when_its_panel_takes_it() {
    let panel = Panel::builder().env("BIND", "0.0.0.0").start().await;
    let made = panel.admin().post("/api/nodes", json!({ "id": "attic" })).await.expect(201).json;
    let secret = made["secret"].as_str().unwrap();
    let gateway = docker::gateway();
    let (downloads, signer) = (Downloads::start_for_containers(), Signer::new());
    let port = panel.agents_address().rsplit(':').next().unwrap().to_owned();
    let settings = [
        format!("PANEL_URL=ws://{gateway}:{port}"),
        format!("NODE_ID=attic' 'AGENT_SECRET={secret}' 'LINK_TIMES=ping=1000,silence=4000"),
        format!("CTRL_ALT_PLAY_DOWNLOAD={}' 'CTRL_ALT_PLAY_KEY={}", downloads.base, signer.key()),
    ];
    let booted = Booted::with("ctrl-alt-play-agent", &settings.join("' '")).await;
    booted.run("systemctl start ctrl-alt-play-agent");
    node::online(&panel, "attic", true, seconds(20)).await;
    let mut counter = Counter::start(panel.admin(), json!({ "nodeId": "attic" })).await;
    counter.counts_on("at first").await;
    let version = async || node::view(&panel, "attic").await["system"]["agentVersion"].clone();
    assert_eq!(version().await, VERSION);

    // A program that exits, and one that the panel refuses.
    let stranger =
        format!("#!/bin/sh\nAGENT_SECRET=of-somebody-else exec {} agent\n", booted.program(NEXT).display());
    let mut before = String::new();
    for (program, reason) in [("#!/bin/sh\nexit 1\n", "ended with 1"), (stranger.as_str(), "ended with 69")] {
        booted.stage(NEXT, Some(program));
        booted.restart();
        before = booted.outcome(&before, seconds(30)).await;
        assert!(before.contains("result=reverted") && before.contains(reason), "{before}");
        booted.becomes("active", seconds(20)).await;
        node::online(&panel, "attic", true, seconds(30)).await;
        counter.counts_on(program).await;
        assert_eq!(version().await, VERSION);
    }

    // Upgraded by hand, on its own machine.
    let upgrade = || {
        let said = booted.try_run(&format!("unset DATA_DIR; {PROGRAM} upgrade --agent --yes 2>&1"));
        (said.status.code(), String::from_utf8_lossy(&said.stdout).into_owned())
    };
    downloads.publish(&signer, NEXT, &std::fs::read(booted.program(NEXT)).unwrap());
    let (code, said) = tokio::task::block_in_place(upgrade);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with(&format!("Ctrl-Alt-Play {NEXT} runs. It was {VERSION}.\n")), "{said}");
    let after = std::fs::read_to_string(booted.upgrade("outcome")).unwrap();
    assert!(after != before && after.contains(&format!("to={NEXT}\nresult=done")), "{after}");
    until("the new agent is there", seconds(20), async || (version().await == NEXT).then_some(())).await;
    node::online(&panel, "attic", true, seconds(20)).await;
    counter.counts_on("after the upgrade").await;
    assert!(booted.property("StatusText").contains("attic"));
}
