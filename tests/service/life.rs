//! The service under a booted systemd: started, watched, stopped, and its rights.

use serde_json::json;

use crate::docker::game::{Game, body};
use crate::docker::viewer::{Viewer, texts};
use crate::harness::systemd::{Booted, PROGRAM};
use crate::harness::{Client, PASSWORD, seconds, until};

/// Creates the first account of the panel on that machine.
pub(super) async fn set_up(booted: &Booted) -> Client {
    let token = booted.run("cat \"$DATA_DIR/setup-token\"");
    claim(booted, &token).await
}

/// The same with the token of a setup link.
pub(super) async fn claim(booted: &Booted, token: &str) -> Client {
    let body = json!({ "setupToken": token, "username": "admin", "password": PASSWORD });
    let answer = booted.anonymous().post("/api/setup", body).await.expect(201);
    Client::new(&booted.address(3000), Some(answer.json["token"].as_str().unwrap().to_owned()))
}

/// A game that counts in its console, and the last number that was seen.
pub(super) struct Counter {
    pub(super) game: Game,
    started: String,
    last: u64,
}

impl Counter {
    pub(super) async fn start(admin: Client, more: serde_json::Value) -> Self {
        Self::every(0.2, admin, more).await
    }

    /// Prints a number at this interval. A console shows its last 200 lines, so fewer must be printed between two
    /// checks.
    pub(super) async fn every(seconds_each: f64, admin: Client, more: serde_json::Value) -> Self {
        let game = Game::ask_as(admin, body(&format!("count {seconds_each}"), &more)).await;
        game.becomes("stopped", seconds(30)).await;
        game.start().await;
        game.says("Ready", seconds(20)).await;
        let started = game.started_at().await;
        Self { game, started, last: 0 }
    }

    /// Checks that the game still runs, and that none of its numbers is missing from the console.
    pub(super) async fn counts_on(&mut self, when: &str) {
        assert_eq!(self.game.started_at().await, self.started, "{when}");
        self.game.becomes("running", seconds(20)).await;
        let mut viewer = Viewer::open(&self.game.admin, &self.game.id).await;
        let mut all = viewer.batch(seconds(10)).await.unwrap();
        let first = all.len();
        while all.len() < first + 3 {
            all.extend(viewer.batch(seconds(10)).await.unwrap());
        }
        let seen: Vec<u64> = texts(&all).iter().filter_map(|text| text.parse().ok()).collect();
        assert!(seen.windows(2).all(|two| two[1] == two[0] + 1), "{when}: missing, or twice: {seen:?}");
        assert!(seen[0] <= self.last + 1, "{when}: missing between {} and {}", self.last, seen[0]);
        assert!(seen[seen.len() - 1] > self.last, "{when}: nothing new");
        self.last = seen[seen.len() - 1];
    }
}

/// A hanging panel is restarted, and its game keeps running.
pub(super) async fn is_watched(booted: &Booted, counter: &mut Counter) {
    let pid = booted.property("MainPID");
    booted.run(&format!("kill -STOP {pid}"));
    until("the watchdog has it started again", seconds(20), async || {
        (booted.property("NRestarts") == "1" && booted.property("MainPID") != pid).then_some(())
    })
    .await;
    booted.becomes("active", seconds(20)).await;
    assert!(booted.journal().contains("Watchdog timeout"), "{}", booted.journal());
    counter.counts_on("after the watchdog").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_serves_when_it_says_so_is_watched_and_leaves_games_alone() {
    let booted = Booted::with("ctrl-alt-play", "").await;
    booted.drop_in("WatchdogSec=3");
    // This machine has no `docker` group: the service's capabilities give access to the socket.
    assert!(!booted.try_run("getent group docker").status.success());
    booted.run("systemctl start ctrl-alt-play && curl -sf http://127.0.0.1:3000/health");
    assert_eq!(booted.property("StatusText"), "Serving on 0.0.0.0:3000");
    let status = booted.run("cat /proc/$(systemctl show -p MainPID --value ctrl-alt-play)/status");
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let own = booted.run("id -u ctrl-alt-play");
    assert_eq!(line("Uid:").split_whitespace().nth(1), Some(own.as_str()));
    assert!(
        line("CapEff:").ends_with("000000000000140b"),
        "chown, dac_override, fowner, net_admin, net_bind_service"
    );
    assert!(line("CapBnd:").ends_with("000000000000140b"), "{status}");

    let admin = set_up(&booted).await;
    let mut counter = Counter::start(admin, json!({})).await;
    counter.counts_on("at first").await;
    let container = counter.game.container().await;
    assert_eq!(container["Config"]["User"], "988:988");
    let place = booted.run(&format!("stat -c '%u:%g' \"$DATA_DIR/servers/{}\"", counter.game.id));
    assert_eq!(place, "988:988");
    // Each log line has its level once, and no timestamp of its own.
    let journal = booted
        .run("journalctl -u ctrl-alt-play _PID=$(systemctl show -p MainPID --value ctrl-alt-play) -o json");
    let lines: Vec<serde_json::Value> =
        journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let info =
        lines.iter().find(|line| line["MESSAGE"].as_str().unwrap().contains("the engine answers")).unwrap();
    assert_eq!(info["PRIORITY"], "6", "{info}");
    assert!(info["MESSAGE"].as_str().unwrap().starts_with("INFO the engine"), "{info}");

    is_watched(&booted, &mut counter).await;

    booted.run("systemctl stop ctrl-alt-play");
    assert_eq!(
        (booted.property("ActiveState").as_str(), booted.property("Result").as_str()),
        ("inactive", "success")
    );
    counter.game.started_at().await;
    // Files that root changes meanwhile belong to the service's user afterwards.
    booted.run(&format!(
        "{PROGRAM} db backup /root/panel.redb && rm \"$DATA_DIR/panel.lock\" && {PROGRAM} db restore /root/panel.redb
         test \"$(stat -c %U \"$DATA_DIR/panel.redb\" \"$DATA_DIR/panel.lock\" | sort -u)\" = ctrl-alt-play"
    ));
    booted.run("systemctl start ctrl-alt-play");
    counter.counts_on("after a stop").await;
    booted.run(&format!("echo another password | {PROGRAM} user password admin && {PROGRAM} healthcheck"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restart_heals_is_restarted_and_nothing_else() {
    let booted = Booted::with("ctrl-alt-play", "").await;
    let set = |line: &str| {
        booted.run(&format!(
            "sed -i '/^\\(BIND\\|LOG_LEVEL\\)=/d' /etc/default/ctrl-alt-play; echo {line} >>/etc/default/ctrl-alt-play"
        ));
    };
    set("LOG_LEVEL=loud");
    assert!(!booted.try_run("systemctl start ctrl-alt-play").status.success());
    assert_eq!(
        (booted.property("ActiveState").as_str(), booted.property("NRestarts").as_str()),
        ("failed", "0")
    );
    assert_eq!(booted.property("ExecMainStatus"), "78");

    // An address that this machine does not have yet.
    set("BIND=192.0.2.7");
    assert!(!booted.try_run("systemctl start ctrl-alt-play").status.success());
    until("it is tried again", seconds(20), async || (booted.property("NRestarts") != "0").then_some(()))
        .await;
    booted.run("ip address add 192.0.2.7/32 dev lo");
    booted.becomes("active", seconds(20)).await;

    // Exit code 79 requests a restart.
    booted.run("systemctl stop ctrl-alt-play");
    booted.drop_in("NotifyAccess=all");
    let asks = "#!/bin/sh\n[ -e $DATA_DIR/again ] && systemd-notify --ready && exec sleep 1000\n\
                touch $DATA_DIR/again; systemd-notify --ready; exit 79\n";
    booted.run(&format!("cat >{PROGRAM} <<'TEXT'\n{asks}TEXT\nsystemctl start ctrl-alt-play"));
    until("it is there again", seconds(20), async || {
        (booted.property("NRestarts") == "1" && booted.property("ActiveState") == "active").then_some(())
    })
    .await;
    assert!(!booted.journal().contains("status=79"), "no failure: {}", booted.journal());
}

#[tokio::test]
async fn the_sandbox_holds_and_every_systemd_takes_the_units() {
    let booted = Booted::with("ctrl-alt-play", "").await;
    booted.run(&format!(
        "{PROGRAM} service-file systemd --agent >/etc/systemd/system/ctrl-alt-play-agent.service"
    ));
    for unit in ["ctrl-alt-play", "ctrl-alt-play-agent"] {
        let path = format!("/etc/systemd/system/{unit}.service");
        let said =
            booted.run(&format!("systemd-analyze security --no-pager --offline=true {path} | tail -n 1"));
        let score: f32 =
            said.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or_else(|| panic!("{said}"));
        assert!(score < 4.0, "{said}");
        // systemd before version 254 has no growing restart delays, and warns about them.
        let odd = booted.run(&format!(
            "systemd-analyze verify {path} 2>&1 | grep -v -e RestartSteps -e RestartMaxDelaySec || true"
        ));
        assert_eq!(odd, "", "{unit}");
    }
}
