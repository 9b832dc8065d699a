//! Upgrades under a booted systemd, with a panel whose game counts in its console: no number is lost, whatever the new
//! program does.

use std::time::Duration;

use serde_json::json;

use super::life::{Counter, set_up};
use crate::harness::seconds;
use crate::harness::systemd::{Booted, NEXT, VERSION};

/// Broken programs: what each does, its content, and the reported reason.
const BROKEN: [(&str, &str, &str); 7] = [
    ("ends with 1", "#!/bin/sh\nexit 1\n", "ended with 1"),
    ("ends so that no restart follows", "#!/bin/sh\nexit 78\n", "ended with 78"),
    ("hangs", "#!/bin/sh\nexec sleep 1000\n", "timeout"),
    ("is no program", "\u{7f}ELF, as it were\n", "ended with"),
    (
        "scribbles over the database and dies",
        "#!/bin/sh\nhead -c 300000 /dev/urandom >\"$DATA_DIR/panel.redb\"\nkill -9 $$\n",
        "signal KILL",
    ),
    (
        "removes the database and ends well",
        "#!/bin/sh\nrm \"$DATA_DIR/panel.redb\"\nexit 0\n",
        "ended with 0",
    ),
    (
        "says that it is ready, and goes",
        "#!/bin/sh\nsystemd-notify --ready\nsleep 0.5\nexit 0\n",
        "ended with 0",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_number_is_lost_by_a_good_program_or_by_a_bad_one() {
    let booted = Booted::with("ctrl-alt-play", "").await;
    booted.drop_in("TimeoutStartSec=4\\nNotifyAccess=all\\nRestartSec=100ms");
    booted.run("systemctl start ctrl-alt-play");
    let admin = set_up(&booted).await;
    let mut counter = Counter::start(admin.clone(), json!({})).await;
    let mut before = String::new();
    let mut users = 1;
    for (what, program, reason) in BROKEN {
        // A write that was answered, and must survive the revert.
        let user = json!({ "username": format!("user{users}"), "password": "correct horse battery", "role": "user" });
        admin.post("/api/users", user).await.expect(201);
        users += 1;
        booted.stage(NEXT, Some(program));
        booted.restart();
        before = booted.outcome(&before, seconds(30)).await;
        assert!(
            before.contains(&format!("from={VERSION}\nto={NEXT}\nresult=reverted\n")),
            "{what}: {before}"
        );
        assert!(before.contains(reason), "{what}: {before}");
        assert_eq!(booted.version(seconds(20)).await, VERSION, "{what}");
        counter.counts_on(what).await;
        let all = admin.get("/api/users").await.expect(200).json;
        assert_eq!(all.as_array().unwrap().len(), users, "{what}: {all}");
    }
    booted.stage(NEXT, None);
    booted.restart();
    before = booted.outcome(&before, seconds(30)).await;
    assert!(before.contains(&format!("from={VERSION}\nto={NEXT}\nresult=done\n")), "{before}");
    assert_eq!(booted.version(seconds(20)).await, NEXT);
    counter.counts_on("after the upgrade").await;
    // The next revert goes back to this version.
    booted.stage("0.2.0", Some("#!/bin/sh\nexit 1\n"));
    booted.restart();
    before = booted.outcome(&before, seconds(30)).await;
    assert!(before.contains(&format!("from={NEXT}\nto=0.2.0\nresult=reverted\n")), "{before}");
    assert_eq!(booted.version(seconds(20)).await, NEXT);
    counter.counts_on("and back to it").await;
}

/// During upgrade verification the panel does not answer requests, so no answered write can be lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_served_on_trial() {
    let booted = Booted::with("ctrl-alt-play", "").await;
    booted.run("systemctl start ctrl-alt-play");
    let admin = set_up(&booted).await;
    // The new program cannot finish its verification, because a folder is in the way.
    booted.stage(NEXT, None);
    booted.run("mkdir -p \"$DATA_DIR/upgrade/outcome.mine/x\"");
    booted.restart();
    let before = booted.outcome("", seconds(30)).await;
    assert!(before.contains("result=reverted"), "{before}");
    assert!(booted.journal().contains("on trial after an upgrade"), "{}", booted.journal());
    assert_eq!(booted.version(seconds(20)).await, VERSION);
    admin.get("/api/users").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_at_any_moment_ends_well() {
    let mut booted = Booted::with("ctrl-alt-play", "").await;
    booted.run("systemctl enable --now ctrl-alt-play 2>&1");
    let admin = set_up(&booted).await;
    let mut counter = Counter::start(admin, json!({})).await;
    let moments: &[u64] = if crate::harness::long() {
        &[0, 30, 60, 90, 120, 180, 250, 350, 500, 700, 1_000, 1_500]
    } else {
        &[0, 60, 150, 300, 600]
    };
    let mut versions = [NEXT, VERSION].into_iter().cycle();
    for moment in moments {
        let wanted = versions.next().unwrap();
        booted.stage(wanted, None);
        booted.restart();
        // Not a wait for something, but a different moment in each run.
        tokio::time::sleep(Duration::from_millis(*moment)).await;
        booted.power_cut().await;
        counter.game.admin.address = booted.address(3000);
        let when = format!("power was cut after {moment} ms");
        // The new program worked, and a single power cut does not count as its failure.
        booted.becomes("active", seconds(30)).await;
        assert_eq!(booted.version(seconds(20)).await, wanted, "{when}");
        assert!(!booted.upgrade("trial").exists() && !booted.upgrade("staged").exists(), "{when}");
        counter.counts_on(&when).await;
    }
}
