//! The panel's own upgrade: a download is staged only if everything is valid, and the guard does the rest.

use std::path::Path;

use serde_json::{Value, json};

use super::{NEXT, guarded, knowing, shown, view};
use crate::harness::download::{Downloads, Fault, Signer, VERSION, as_version, script, sha256};
use crate::harness::guarded::Guarded;
use crate::harness::{Client, Live, as_root, seconds};

fn program_of(version: &str) -> String {
    format!("download/v{version}/ctrl-alt-play-{version}-linux-{}", std::env::consts::ARCH)
}

/// Requests the upgrade and waits until it has failed.
async fn fails(admin: &Client) -> String {
    admin.post("/api/upgrade", json!({ "version": NEXT })).await.expect(202);
    let over = shown(admin, "the upgrade has failed", |view| view["running"].is_null()).await;
    over["failure"].as_str().unwrap_or_else(|| panic!("{over}")).to_owned()
}

fn nothing_is_staged(data: &Path) {
    assert!(!data.join("upgrade/staged").exists() && !data.join("upgrade/program").exists());
}

#[tokio::test]
async fn what_is_not_right_is_never_staged() {
    let (downloads, signer) = (Downloads::start(), Signer::new());
    let panel = knowing(&downloads, &signer).env("CTRL_ALT_PLAY_GUARDED", "1").start().await;
    let admin = panel.admin();
    assert_eq!(view(&admin).await["how"], "here");
    let name = program_of(NEXT);
    let fresh = || {
        downloads.heal();
        downloads.publish(&signer, NEXT, &script(NEXT));
    };
    for old in [VERSION, "0.0.1"] {
        let refused = admin.post("/api/upgrade", json!({ "version": old })).await;
        assert!(refused.text.contains("not newer"), "{refused:?}");
        refused.refused(409, "conflict");
    }
    assert!(fails(&admin).await.contains("404"));
    downloads.publish(&Signer::new(), NEXT, &script(NEXT));
    assert!(fails(&admin).await.contains("not signed"));
    fresh();
    downloads.remove(&name);
    assert!(fails(&admin).await.contains("404"));
    fresh();
    downloads.put(&name, b"something else".to_vec());
    assert!(fails(&admin).await.contains("SHA-256"));
    fresh();
    downloads.fault(&name, Fault::StallAfter(5));
    assert!(fails(&admin).await.contains("stopped coming"));
    // Signed, but with another version than it reports.
    downloads.heal();
    downloads.publish(&signer, NEXT, &script("0.1.8"));
    assert!(fails(&admin).await.contains("it has to be ctrl-alt-play 0.1.9"));
    downloads.publish(&signer, NEXT, b"\x7fELF for another machine");
    assert!(fails(&admin).await.contains("another kind of machine"));
    downloads.publish_as(&signer, "ctrl-alt-play 0.2.0", NEXT, &[(std::env::consts::ARCH, &script(NEXT))]);
    assert!(fails(&admin).await.contains("it is 0.2.0"));
    downloads.publish_as(&signer, "ctrl-alt-play 0.1.9", NEXT, &[("sparc", &script(NEXT))]);
    assert!(fails(&admin).await.contains("no program for"));
    nothing_is_staged(panel.folder());
    assert!(!panel.folder().join("upgrade/program.part").exists());
    // A full disk.
    let small = panel.folder().join("upgrade").to_str().unwrap().to_owned();
    assert!(as_root("mount", &["-t", "tmpfs", "-o", "size=1m,mode=0777", "cap-test", &small]));
    fresh();
    let full = fails(&admin).await;
    assert!(as_root("umount", &[&small]));
    assert!(full.contains("no room for it"), "{full}");
    nothing_is_staged(panel.folder());
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_was_and_is_staged_whole() {
    let (downloads, signer) = (Downloads::start(), Signer::new());
    let mut program = script(NEXT);
    program.extend(std::iter::repeat_n(b"# padding\n", 100_000).flatten());
    downloads.publish(&signer, NEXT, &program);
    downloads.fault(&program_of(NEXT), Fault::CutAfter(300_000));
    let mut panel = knowing(&downloads, &signer).env("CTRL_ALT_PLAY_GUARDED", "1").start().await;
    // Left by an earlier attempt with another version.
    std::fs::create_dir(panel.folder().join("upgrade")).unwrap();
    std::fs::write(panel.folder().join("upgrade/program.part"), "#!/bin/sh\nold").unwrap();
    panel.admin().post("/api/upgrade", json!({ "version": NEXT })).await.expect(202);
    assert_eq!(panel.ended(seconds(30)).await.code(), Some(79), "{}", panel.log());
    let upgrade = panel.folder().join("upgrade");
    let staged = std::fs::read_to_string(upgrade.join("staged")).unwrap();
    assert_eq!(staged, format!("{NEXT} {}\n", sha256(&program)));
    assert!(std::fs::read(upgrade.join("program")).unwrap() == program);
    let ranges = downloads.asked().iter().filter(|asked| asked.contains("bytes=")).count();
    assert!(ranges >= 4, "{:?}", downloads.asked());
    let copies = std::fs::read_dir(panel.folder().join("copies")).unwrap().count();
    assert_eq!(copies, 1, "the database, aside");
}

/// Follows what a page would see until the panel stops.
async fn steps(mut live: Live) -> Vec<String> {
    let mut seen = Vec::new();
    while let Ok(message) = live.next(seconds(60)).await {
        if let Some(step) = message["data"]["running"]["step"].as_str()
            && seen.last().is_none_or(|last| last != step)
        {
            seen.push(step.to_owned());
        }
    }
    seen
}

#[tokio::test]
async fn the_panel_comes_back_as_the_next_version() {
    let (downloads, signer) = (Downloads::start(), Signer::new());
    downloads.publish(&signer, NEXT, &as_version(NEXT));
    let service = Guarded::new(&as_version(VERSION));
    let panel = guarded(knowing(&downloads, &signer), &service).start().await;
    let admin = panel.admin();
    let mut live = Live::open(&admin).await;
    live.subscribe(&["upgrade"]).await;
    let begun = admin.post("/api/upgrade", json!({ "version": NEXT })).await.expect(202).json;
    assert_eq!(begun["running"]["version"], NEXT);
    admin.post("/api/upgrade", json!({ "version": NEXT })).await.refused(409, "conflict");
    let seen = steps(live).await;
    assert_eq!(seen.last().map(String::as_str), Some("restarting"), "{seen:?}");
    let after = shown(&admin, "it is back", |view| view["current"] == NEXT).await;
    let last = &after["last"];
    assert_eq!(
        (&last["from"], &last["to"], &last["reverted"]),
        (&json!(VERSION), &json!(NEXT), &Value::Bool(false))
    );
    assert_eq!(service.version(), NEXT);
    assert!(after["available"].is_null() && after["running"].is_null(), "{after}");
}

#[tokio::test]
async fn a_version_that_does_not_come_up_is_taken_back() {
    let (downloads, signer) = (Downloads::start(), Signer::new());
    downloads.publish(&signer, NEXT, &script(NEXT));
    let service = Guarded::new(&as_version(VERSION));
    let panel = guarded(knowing(&downloads, &signer), &service).start().await;
    let admin = panel.admin();
    admin.post("/api/upgrade", json!({ "version": NEXT })).await.expect(202);
    let after = shown(&admin, "it went back", |view| view["last"].is_object()).await;
    assert_eq!((&after["current"], &after["last"]["reverted"]), (&json!(VERSION), &Value::Bool(true)));
    assert_eq!(after["last"]["reason"], "it ended with 3", "{after}");
    assert_eq!(service.version(), VERSION);
}
