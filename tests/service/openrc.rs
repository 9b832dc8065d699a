//! The service under Debian's OpenRC (0.45, whose supervisor was built without capabilities), in a container.

use std::process::Command;

use serde_json::json;

use super::command::{said, settings};
use super::installed::Published;
use super::life::{Counter, claim, set_up};
use crate::harness::download::{Downloads, Signer, script};
use crate::harness::systemd::{Booted, NEXT, PROGRAM, VERSION};
use crate::harness::{binary, docker, seconds, until};
use crate::install::release;

/// Finds the program's process, and not its supervisor, whose command line contains the program too.
const PID: &str = "pgrep -xf '/usr/local/bin/ctrl-alt-play serve'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_started_watched_upgraded_and_stopped_and_games_run_on() {
    let (downloads, signer) = (Downloads::start_for_containers(), Signer::new());
    let odd = "NAME=\"$(touch /root/x) y\"";
    let settings = format!("{}' '{odd}", settings(&downloads, &signer));
    let mut booted = Booted::under_openrc("ctrl-alt-play", &settings).await;
    booted.run("rc-service ctrl-alt-play start");
    assert_eq!(booted.version(seconds(20)).await, VERSION);
    let admin = set_up(&booted).await;
    let mut counter = Counter::start(admin.clone(), json!({})).await;

    // User and capabilities of the process.
    let status = booted.run(&format!("cat /proc/$({PID})/status"));
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert_eq!(line("Uid:").split_whitespace().nth(1).unwrap(), booted.run("id -u ctrl-alt-play"));
    assert!(
        line("CapEff:").ends_with("000000000000140b"),
        "chown, dac_override, fowner, net_admin, net_bind_service"
    );
    assert!(line("CapBnd:").ends_with("000000000000140b") && line("NoNewPrivs:").ends_with('1'), "{status}");
    let environment = booted.run(&format!("tr '\\0' '\\n' </proc/$({PID})/environ"));
    assert!(
        environment.contains("NAME=$(touch /root/x) y")
            && environment.contains("GLIBC_TUNABLES=glibc.malloc")
    );
    booted.run("test ! -e /root/x");
    assert_eq!(booted.run("stat -c '%U %a' /var/log/ctrl-alt-play.log"), "ctrl-alt-play 640");
    let (code, text) = said(&booted, &format!("{PROGRAM} healthcheck && {PROGRAM} db check"));
    assert_eq!(code, Some(0), "{text}");
    let (_, text) = said(&booted, &format!("{PROGRAM} doctor --json"));
    assert!(text.contains("OpenRC starts the panel") || text.contains("runs in a container"), "{text}");

    // It is restarted after a kill.
    let pid = booted.run(PID);
    booted.run(&format!("kill -9 {pid}"));
    until("it is started again", seconds(20), async || {
        let now = booted.try_run(PID).stdout;
        let now = String::from_utf8_lossy(&now).trim().to_owned();
        (!now.is_empty() && now != pid).then_some(())
    })
    .await;
    assert_eq!(booted.version(seconds(20)).await, VERSION);
    counter.counts_on("after kill -9").await;

    // A program that exits at once, then a working one.
    let user = json!({ "username": "ann", "password": "correct horse battery", "role": "user" });
    admin.post("/api/users", user).await.expect(201);
    downloads.publish(&signer, "0.1.1", &script("0.1.1"));
    let (code, text) = said(&booted, &format!("{PROGRAM} upgrade --yes"));
    assert_eq!(code, Some(1), "{text}");
    let why = format!("went back to {VERSION}: it did not come up (it ended). Look: tail -n 50 /var/log");
    assert!(text.contains(&why), "{text}");
    assert_eq!(booted.version(seconds(20)).await, VERSION);
    counter.counts_on("after a bad program").await;
    assert_eq!(admin.get("/api/users").await.expect(200).json.as_array().unwrap().len(), 2);
    downloads.publish(&signer, NEXT, &std::fs::read(booted.program(NEXT)).unwrap());
    let (code, text) = said(&booted, &format!("{PROGRAM} upgrade --yes"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.ends_with(&format!("Ctrl-Alt-Play {NEXT} runs. It was {VERSION}.\n")), "{text}");
    assert_eq!(booted.version(seconds(1)).await, NEXT);
    counter.counts_on("after an upgrade").await;
    booted.run("grep -q 'the upgrade is done' /var/log/ctrl-alt-play.log");

    booted.run("rc-service ctrl-alt-play stop");
    assert!(!booted.try_run(PID).status.success());
    counter.game.started_at().await;
    booted.run("head -c 6000000 /dev/zero >>/var/log/ctrl-alt-play.log; rc-service ctrl-alt-play start");
    booted.run(
        "test -s /var/log/ctrl-alt-play.log.old && test $(wc -c </var/log/ctrl-alt-play.log) -lt 100000",
    );
    // The supervisor has started it, but OpenRC does not know when it serves.
    assert_eq!(booted.version(seconds(20)).await, NEXT);
    counter.counts_on("after a stop").await;

    // Started at boot.
    booted.power_cut().await;
    counter.game.admin.address = booted.address(3000);
    assert_eq!(booted.version(seconds(20)).await, NEXT);
    counter.counts_on("after a power cut").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_installer_makes_it_leaves_it_alone_upgrades_it_and_takes_it_away() {
    let booted = Booted::bare_openrc("ctrl-alt-play").await;
    let published = Published::new().await;
    let release = &published.release;
    let line = |options: &str| published.line(&booted, options);
    let install = format!("--data-dir {}", booted.data().display());
    let (well, said) = line(&install);
    assert!(well && said.contains("the service ctrl-alt-play is enabled and started"), "{said}");
    let token = said.lines().find_map(|line| Some(line.split_once("/setup#token=")?.1.to_owned()));
    let token = token.unwrap_or_else(|| panic!("{said}"));
    assert_eq!(booted.version(seconds(20)).await, VERSION);
    let admin = claim(&booted, &token).await;
    let mut counter = Counter::every(0.2, admin, json!({})).await;
    counter.counts_on("at first").await;
    assert_eq!(
        booted.run(&format!("rc-update show default | grep -c ctrl-alt-play; ps -o user:20= -p $({PID})")),
        "1\nctrl-alt-play"
    );

    let before = booted.run(PID);
    let (well, said) = line(&install);
    assert!(well && said.contains("Nothing to do"), "{said}");
    assert_eq!(booted.run(PID), before);

    release.publish(NEXT, &release::program(NEXT));
    let (well, said) = line("");
    assert!(well && said.contains(&format!("Ctrl-Alt-Play {NEXT} runs")), "{said}");
    assert_eq!(booted.version(seconds(20)).await, NEXT);
    counter.counts_on("after the upgrade").await;
    release.publish("0.2.0", &release::dud("0.2.0"));
    let (well, said) = line("");
    assert!(!well && said.contains("error: 0.2.0 did not come up"), "{said}");
    assert_eq!(booted.version(seconds(20)).await, NEXT);
    counter.counts_on("after one that was no good").await;

    let (well, said) = line("--uninstall --purge --yes");
    assert!(well && said.contains("Removed, with all data."), "{said}");
    let places = format!(
        "{PROGRAM} /etc/init.d/ctrl-alt-play /etc/default/ctrl-alt-play /var/log/ctrl-alt-play.log {}",
        booted.data().display()
    );
    assert_eq!(
        booted.run(&format!("for place in {places}; do if [ -e $place ]; then echo $place; fi; done")),
        ""
    );
    assert!(!booted.try_run(PID).status.success());
    assert!(docker::inspect(&counter.game.id).await.is_none(), "the game's container");
}

#[test]
fn the_agents_script_differs_in_names_only() {
    let print = |args: &[&str]| {
        let said = Command::new(binary()).arg("service-file").args(args).env_clear().output().unwrap();
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap()
    };
    let (panel, agent) = (print(&["openrc"]), print(&["openrc", "--agent"]));
    let renamed = panel
        .replace("Ctrl-Alt-Play, the game-server panel", "Ctrl-Alt-Play agent, a node of a panel elsewhere")
        .replace("command_args=serve", "command_args=agent");
    let renamed: String = renamed
        .split_inclusive('\n')
        .map(|line| match ["/etc/default/", "/var/log/", "/var/lib/"].iter().find(|at| line.contains(**at)) {
            Some(at) => line.replace(&format!("{at}ctrl-alt-play"), &format!("{at}ctrl-alt-play-agent")),
            None => line.to_owned(),
        })
        .collect();
    assert_eq!(renamed, agent);
    assert!(agent.contains("settings=/etc/default/ctrl-alt-play-agent\n"));
}
