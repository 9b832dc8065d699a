//! Upgrades of remote agents: one after another to the panel's version, until one does not come back with it.

use serde_json::{Value, json};

use super::{NEXT, TIMES, shown, view};
use crate::harness::download::{Downloads, Signer, VERSION, as_version, install};
use crate::harness::guarded::Guarded;
use crate::harness::node::{Node, online};
use crate::harness::{Panel, seconds};

/// A panel that is one version above the agents, whose release is published.
pub(crate) struct Newer {
    pub(crate) panel: Panel,
    /// Public key by which agents verify its program.
    pub(crate) key: String,
    _downloads: Downloads,
}

impl Newer {
    /// Starts with these variables, and the programs of this folder.
    pub(crate) async fn start(folder: &tempfile::TempDir, env: &[(&str, String)]) -> Self {
        let (downloads, signer) = (Downloads::start(), Signer::new());
        downloads.publish(&signer, NEXT, &as_version(NEXT));
        let mut all = env.to_vec();
        all.push(("CTRL_ALT_PLAY_DOWNLOAD", downloads.base.clone()));
        all.push(("CTRL_ALT_PLAY_KEY", signer.key()));
        let panel = newer_panel(folder, &all).await;
        Self { panel, key: signer.key(), _downloads: downloads }
    }

    /// An agent under a guard that has the key and is online.
    pub(crate) async fn joined(&self, id: &str, service: &Guarded, env: &[(&str, &str)]) -> Node {
        let mut all = env.to_vec();
        all.push(("CTRL_ALT_PLAY_KEY", &self.key));
        joined(&self.panel, id, service, &all).await
    }
}

/// A panel that is one version above the agents, with these variables.
async fn newer_panel(folder: &tempfile::TempDir, env: &[(&str, String)]) -> Panel {
    let program = folder.path().join("ctrl-alt-play");
    install(&program, &as_version(NEXT));
    let run = folder.path().join("run");
    install(&run, format!("#!/bin/sh\nshift\nexec {} \"$@\"\n", program.display()).as_bytes());
    let mut builder = Panel::builder().under(&[run.to_str().unwrap()]).env("UPGRADE_TIMES", TIMES);
    for (name, value) in env {
        builder = builder.env(name, value);
    }
    builder.start().await
}

/// An agent under a guard that is online.
async fn joined(panel: &Panel, id: &str, service: &Guarded, env: &[(&str, &str)]) -> Node {
    let wrapper = service.wrapper();
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let mut builder = Node::builder().under(&wrapper);
    for (name, value) in Guarded::env() {
        builder = builder.env(name, value);
    }
    for (name, value) in env {
        builder = builder.env(name, *value);
    }
    let node = builder.join(panel, id).await;
    online(panel, id, true, seconds(30)).await;
    node
}

/// A field of a node's view.
pub(crate) fn of<'v>(view: &'v Value, id: &str) -> &'v Value {
    view["nodes"].as_array().unwrap().iter().find(|node| node["id"] == id).unwrap()
}

#[tokio::test]
async fn each_gets_the_panels_version_and_one_that_cannot_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let newer = Newer::start(&folder, &[]).await;
    let panel = &newer.panel;
    let admin = panel.admin();
    admin.post("/api/upgrade/nodes", json!({})).await.refused(409, "conflict");
    let old = as_version(VERSION);
    let services = [Guarded::new(&old), Guarded::new(&old)];
    let _attic = newer.joined("attic", &services[0], &[]).await;
    let _cellar = newer.joined("cellar", &services[1], &[]).await;
    let _by_hand = Node::joined(panel, "shed").await;
    let before = view(&admin).await;
    for id in ["attic", "cellar"] {
        let node = of(&before, id);
        assert_eq!(
            (&node["version"], &node["older"], &node["can"]),
            (&json!(VERSION), &json!(true), &json!(true))
        );
    }
    let shed = of(&before, "shed");
    assert_eq!(shed["can"], false);
    assert!(shed["why"].as_str().unwrap().contains("ctrl-alt-play upgrade --agent"), "{shed}");
    admin.post("/api/upgrade/nodes", json!({ "nodes": ["shed"] })).await.refused(409, "conflict");
    admin.post("/api/upgrade/nodes", json!({ "nodes": ["nowhere"] })).await.refused(404, "not_found");

    let one = admin.post("/api/upgrade/nodes", json!({ "nodes": ["cellar"] })).await.expect(202).json;
    assert_eq!((&one["nodesRunning"], &of(&one, "attic")["step"]), (&json!(true), &Value::Null));
    let after = shown(&admin, "one is done", |view| view["nodesRunning"] == false).await;
    assert_eq!(
        (&of(&after, "cellar")["step"], &after["nodesFailure"]),
        (&json!("done"), &Value::Null),
        "{after}"
    );
    assert_eq!((services[0].version(), services[1].version()), (VERSION.to_owned(), NEXT.to_owned()));

    admin.post("/api/upgrade/nodes", json!({})).await.expect(202);
    admin.post("/api/upgrade/nodes", json!({})).await.refused(409, "conflict");
    let after = shown(&admin, "all are done", |view| view["nodesRunning"] == false).await;
    assert_eq!(of(&after, "attic")["version"], NEXT, "{after}");
    assert_eq!(services[0].version(), NEXT);
    assert!(!panel.folder().join("upgrade/nodes").exists());
    admin.delete("/api/upgrade/nodes").await.expect(204);
    assert!(of(&view(&admin).await, "attic")["step"].is_null());
}

#[tokio::test]
async fn the_first_that_goes_back_stops_the_round() {
    let folder = tempfile::tempdir().unwrap();
    let mut newer = Newer::start(&folder, &[]).await;
    let admin = newer.panel.admin();
    let old = as_version(VERSION);
    let services = [Guarded::new(&old), Guarded::new(&old)];
    let _attic = newer.joined("attic", &services[0], &[("FAILS", NEXT)]).await;
    let _cellar = newer.joined("cellar", &services[1], &[]).await;
    let panel = &mut newer.panel;
    admin.post("/api/upgrade/nodes", json!({})).await.expect(202);
    let after = shown(&admin, "the round is over", |view| view["nodesRunning"] == false).await;
    let why = after["nodesFailure"].as_str().unwrap();
    assert!(why.contains(&format!("attic: It came back with {VERSION}: it ended with 1.")), "{why}");
    let (attic, cellar) = (of(&after, "attic"), of(&after, "cellar"));
    assert_eq!(
        (&attic["step"], &attic["version"], &attic["can"]),
        (&json!("failed"), &json!(VERSION), &json!(true))
    );
    assert_eq!((&cellar["step"], &cellar["version"]), (&Value::Null, &json!(VERSION)));
    assert_eq!((services[0].version(), services[1].version()), (VERSION.to_owned(), VERSION.to_owned()));

    // A panel that was killed during an upgrade reports that.
    admin.post("/api/upgrade/nodes", json!({ "nodes": ["attic"] })).await.expect(202);
    let mark = panel.folder().join("upgrade/nodes");
    crate::harness::until("the round is noted", seconds(10), async || mark.exists().then_some(())).await;
    panel.kill().await;
    panel.again().await;
    let after = view(&panel.admin()).await;
    assert!(after["nodesFailure"].as_str().unwrap().contains("was stopped"), "{after}");
    assert_eq!(after["nodesRunning"], false);
}

/// A panel built from a checkout cannot prove that its program is a release, and such an agent has no key.
#[tokio::test]
async fn what_no_release_vouches_for_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let panel = newer_panel(&folder, &[]).await;
    let admin = panel.admin();
    let service = Guarded::new(&as_version(VERSION));
    let key = Signer::new().key();
    let _attic = joined(&panel, "attic", &service, &[("CTRL_ALT_PLAY_KEY", &key)]).await;
    admin.post("/api/upgrade/nodes", json!({})).await.expect(202);
    let after = shown(&admin, "the round is over", |view| view["nodesRunning"] == false).await;
    let why = after["nodesFailure"].as_str().unwrap();
    assert!(why.contains("not signed") && why.contains("built from a checkout"), "{why}");
    assert_eq!(service.version(), VERSION);

    let keyless = Guarded::new(&as_version(VERSION));
    let _cellar = joined(&panel, "cellar", &keyless, &[]).await;
    let cellar = of(&view(&admin).await, "cellar").clone();
    assert_eq!((&cellar["can"], &cellar["older"]), (&json!(false), &json!(true)));
    assert!(cellar["why"].as_str().unwrap().contains("knows no key of releases"), "{cellar}");
}
