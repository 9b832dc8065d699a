//! Published versions, as the panel sees them.

use serde_json::json;

use super::{NEXT, knowing, view};
use crate::harness::download::{Downloads, Fault, Signer, VERSION, script};
use crate::harness::{Panel, seconds};

#[tokio::test]
async fn only_what_is_signed_and_newer_is_offered() {
    let (downloads, signer) = (Downloads::start(), Signer::new());
    let panel = knowing(&downloads, &signer).start().await;
    let admin = panel.admin();
    let check = async || admin.post("/api/upgrade/check", json!({})).await.expect(200).json;

    let before = view(&admin).await;
    assert_eq!((before["current"].as_str(), before["how"].as_str()), (Some(VERSION), Some("command")));
    assert!(before["available"].is_null() && before["checkedAt"].is_null() && before["checks"] == true);

    let missing = check().await;
    assert!(missing["checkError"].as_str().unwrap().contains("404"), "{missing}");

    downloads.publish(&signer, NEXT, &script(NEXT));
    let seen = check().await;
    assert_eq!(seen["available"]["version"], NEXT);
    assert!(seen["checkError"].is_null() && seen["checkedAt"].is_string(), "{seen}");

    // The last known version is kept while the host is offline or sends invalid data.
    downloads.publish(&Signer::new(), "0.2.0", &script("0.2.0"));
    let forged = check().await;
    assert!(forged["checkError"].as_str().unwrap().contains("not signed by the key"), "{forged}");
    assert_eq!(forged["available"]["version"], NEXT);
    downloads.publish(&signer, "0.2.0", &script("0.2.0"));
    downloads.put("latest/download/SHA256SUMS", b"00  ctrl-alt-play-0.2.0-linux-x86_64\n".to_vec());
    assert!(check().await["checkError"].as_str().unwrap().contains("not signed"));
    // A valid signature for something that is not a release.
    downloads.publish_as(&signer, "timestamp:1", "0.2.0", &[]);
    assert!(check().await["checkError"].as_str().unwrap().contains("names no version"));
    downloads.publish(&signer, NEXT, &script(NEXT));
    downloads.fault("SHA256SUMS", Fault::StallAfter(10));
    assert!(check().await["checkError"].as_str().unwrap().contains("can't be reached"));
    downloads.heal();
    downloads.put("latest/download/SHA256SUMS", vec![b'a'; 200_000]);
    assert!(check().await["checkError"].as_str().unwrap().contains("larger"));

    for not_newer in [VERSION, "0.0.9", "0.2.0-rc.1"] {
        downloads.publish(&signer, not_newer, &script(not_newer));
        let seen = check().await;
        assert!(seen["available"].is_null() && seen["checkError"].is_null(), "{not_newer}: {seen}");
    }
    // Without a service, the panel explains how to upgrade.
    let refused = admin.post("/api/upgrade", json!({ "version": NEXT })).await;
    assert!(refused.text.contains("sudo ctrl-alt-play upgrade"), "{refused:?}");
    refused.refused(409, "conflict");
    assert!(admin.post("/api/upgrade", json!({ "version": "new" })).await.field("version").contains("1.2.3"));
}

#[tokio::test]
async fn a_checkout_knows_of_none_and_a_panel_looks_no_oftener_than_it_may() {
    let panel = Panel::start().await;
    let seen = view(&panel.admin()).await;
    assert_eq!((seen["how"].as_str(), seen["checks"].as_bool()), (Some("checkout"), Some(false)));
    assert_eq!(seen["command"], "git pull && ./install.sh");
    panel.admin().post("/api/upgrade/check", json!({})).await.refused(409, "conflict");
    panel.admin().post("/api/upgrade", json!({ "version": NEXT })).await.refused(409, "conflict");

    let (downloads, signer) = (Downloads::start(), Signer::new());
    downloads.publish(&signer, NEXT, &script(NEXT));
    let panel = knowing(&downloads, &signer).env("UPGRADE_TIMES", "ask=60000").start().await;
    panel.admin().post("/api/upgrade/check", json!({})).await.expect(200);
    let again = panel.admin().post("/api/upgrade/check", json!({})).await;
    assert!(!again.header("retry-after").is_empty());
    again.refused(429, "too_many_requests");
    // Shown live to administrators, and not to others.
    let mut live = crate::harness::Live::open(&panel.admin()).await;
    live.subscribe(&["upgrade"]).await;
    let version = live
        .wait(seconds(5), |message| message["data"]["available"]["version"].as_str().map(str::to_owned))
        .await;
    assert_eq!(version, NEXT);
    let mut live = crate::harness::Live::open(&panel.user("ann").await).await;
    live.subscribe(&["upgrade"]).await;
    let code = live.wait(seconds(5), |message| message["error"]["code"].as_str().map(str::to_owned)).await;
    assert_eq!(code, "forbidden");
}
