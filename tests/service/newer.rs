//! The same unit under Debian 13's systemd (257), which has growing restart delays. Only with `--long`, because
//! building its image takes a minute.

use serde_json::json;

use super::command::{said, settings};
use super::life::{Counter, is_watched, set_up};
use crate::harness::download::{Downloads, Signer, script};
use crate::harness::systemd::{Booted, NEXT, PROGRAM, VERSION};
use crate::harness::{long, seconds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_systemd_does_the_same_with_it() {
    if !long() {
        return;
    }
    let (downloads, signer) = (Downloads::start_for_containers(), Signer::new());
    let booted = Booted::under_newer("ctrl-alt-play", &settings(&downloads, &signer)).await;
    booted.drop_in("WatchdogSec=3");
    booted.run("systemctl start ctrl-alt-play && curl -sf http://127.0.0.1:3000/health");
    assert!(booted.run("systemctl --version | head -n 1").starts_with("systemd 257"));
    let unit = "/etc/systemd/system/ctrl-alt-play.service";
    assert_eq!(booted.run(&format!("systemd-analyze verify {unit} 2>&1")), "", "it knows every word of it");
    let delays = booted.run("systemctl show -p RestartSteps,RestartMaxDelayUSec ctrl-alt-play");
    assert!(delays.contains("RestartSteps=8") && delays.contains("RestartMaxDelayUSec=1min"), "{delays}");
    let score = booted.run(&format!("systemd-analyze security --no-pager --offline=true {unit} | tail -n 1"));
    let number: f32 = score.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(number < 4.0, "{score}");

    let admin = set_up(&booted).await;
    let mut counter = Counter::start(admin, json!({})).await;
    is_watched(&booted, &mut counter).await;

    let upgrade = || said(&booted, &format!("{PROGRAM} upgrade --yes"));
    downloads.publish(&signer, "0.1.1", &script("0.1.1"));
    let (code, text) = upgrade();
    let back = format!("went back to {VERSION}: it ended with 3");
    assert!(code == Some(1) && text.contains(&back), "{code:?} {text}");
    assert_eq!(booted.version(seconds(20)).await, VERSION);
    counter.counts_on("after a bad program").await;
    downloads.publish(&signer, NEXT, &std::fs::read(booted.program(NEXT)).unwrap());
    let (code, text) = upgrade();
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(booted.version(seconds(1)).await, NEXT);
    counter.counts_on("after an upgrade").await;
}
