//! install.sh under a booted systemd: it creates the service, changes nothing when run again, upgrades it while a game
//! runs, reverts, and uninstalls; and the same for a node, by the join command of a panel on this machine.

use serde_json::json;

use super::life::{Counter, claim};
use crate::harness::download_host::Downloads;
use crate::harness::systemd::{Booted, NEXT, PROGRAM, VERSION};
use crate::harness::{Client, Panel, docker, node, seconds};
use crate::install::{Release, release};

/// A release host for the machines, starting with [`VERSION`].
pub(super) struct Published {
    pub(super) release: Release,
    host: Downloads,
}

impl Published {
    pub(super) async fn new() -> Self {
        let release = Release::new(VERSION, &release::program(VERSION));
        let host = Downloads::of(release.root());
        Self { release, host }
    }

    /// Runs the README's command with these options. Returns whether it succeeded, and its output.
    pub(super) fn line(&self, booted: &Booted, options: &str) -> (bool, String) {
        let base = &self.host.base;
        booted.said(&format!(
            "curl -fsSL {base}/latest/download/install.sh | CTRL_ALT_PLAY_DOWNLOAD={base} sh -s -- {options}"
        ))
    }
}

/// Notes the time: [`written`] lists what is written later. A program from a panel is only identified by its bytes, so
/// it is downloaded each time, into a folder next to the installed one.
fn mark(booted: &Booted) {
    booted.run("touch /mark; until touch /later && [ /later -nt /mark ]; do :; done");
}

fn written(booted: &Booted) -> String {
    booted.run("find /etc /usr /root /srv /home \"$DATA_DIR/upgrade\" -newer /mark ! -path /usr/local/bin 2>/dev/null || true; \
                 ls -A /usr/local/bin | grep '^[.]' || true")
}

/// What exists of: program, guard, unit, settings, the unit's symlink, data folder, user.
fn left(booted: &Booted, service: &str) -> String {
    let script = format!(
        "for place in {PROGRAM} /usr/local/lib/ctrl-alt-play /etc/systemd/system/{service}.service \
         /etc/systemd/system/multi-user.target.wants/{service}.service /etc/default/{service} \"$DATA_DIR\"; do
             if [ -e $place ] || [ -h $place ]; then echo ${{place##*/}}; fi
         done
         id -nu ctrl-alt-play 2>/dev/null || true"
    );
    booted.run(&script).replace('\n', " ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panel_from_its_first_day_to_its_last() {
    let service = "ctrl-alt-play";
    let booted = Booted::bare(service).await;
    let published = Published::new().await;
    let release = &published.release;
    let line = |options: &str| published.line(&booted, options);
    let install = format!("--data-dir {}", booted.data().display());

    let (well, said) = line(&install);
    assert!(well, "{said}");
    for words in [
        "a Docker engine answers: it is used as it is",
        "the user ctrl-alt-play is made",
        "the service ctrl-alt-play is enabled and started",
        "journalctl -u ctrl-alt-play",
    ] {
        assert!(said.contains(words), "`{words}` is not in {said}");
    }
    let state = booted.run(&format!(
        "systemctl is-active {service}; systemctl is-enabled {service}; ps -o user:20= -p $(systemctl show -p MainPID --value {service});
         stat -c '%a %U' /etc/default/{service} \"$DATA_DIR\" {PROGRAM}"
    ));
    assert_eq!(state, "active\nenabled\nctrl-alt-play\n600 root\n700 ctrl-alt-play\n755 root");
    // The setup link, opened from the same network.
    let start = format!("http://{}/setup#token=", booted.address(3000));
    let token =
        said.lines().find_map(|line| line.trim().strip_prefix(&start)).unwrap_or_else(|| panic!("{said}"));
    let page = reqwest::get(format!("http://{}/setup", booted.address(3000))).await.unwrap();
    assert!(page.status().is_success() && page.text().await.unwrap().contains("<!doctype html>"));
    let admin = claim(&booted, token).await;
    let mut counter = Counter::every(0.2, admin, json!({})).await;
    counter.counts_on("at first").await;

    mark(&booted);
    let before = booted.property("InvocationID");
    let (well, said) = line(&install);
    assert!(well && said.contains("Nothing to do") && !said.contains("This will happen"), "{said}");
    assert!(said.contains(&format!("http://{}/\n", booted.address(3000))), "{said}");
    assert_eq!((written(&booted), booted.property("InvocationID")), (String::new(), before));

    release.publish(NEXT, &release::program(NEXT));
    let (well, said) = line("");
    assert!(well && said.contains(&format!("{VERSION} becomes {NEXT}")), "{said}");
    assert!(
        said.contains("goes back by itself") && said.contains(&format!("Ctrl-Alt-Play {NEXT} runs")),
        "{said}"
    );
    assert_eq!(booted.version(seconds(20)).await, NEXT);
    let outcome = booted.run("cat \"$DATA_DIR/upgrade/outcome\"");
    assert!(outcome.contains(&format!("from={VERSION}\nto={NEXT}\nresult=done")), "{outcome}");
    counter.counts_on("after the upgrade").await;
    mark(&booted);
    let (well, said) = line("");
    assert!(well && said.contains("Nothing to do"), "{said}");
    assert_eq!(written(&booted), "");

    release.publish("0.2.0", &release::dud("0.2.0"));
    let (well, said) = line("");
    assert!(!well && said.contains("error: 0.2.0 did not come up (it ended with 1"), "{said}");
    assert!(said.contains(&format!("and {NEXT} is back as it was")), "{said}");
    assert_eq!(booted.version(seconds(20)).await, NEXT);
    assert_eq!(booted.run(&format!("{PROGRAM} --version")), format!("ctrl-alt-play {NEXT}"));
    counter.counts_on("after one that was no good").await;

    // Uninstalled: the game keeps running, and the data is kept for a new installation.
    let (well, said) = line("--uninstall");
    assert!(well && said.contains("Removed. Games that run go on"), "{said}");
    assert_eq!(left(&booted, service), "ctrl-alt-play data ctrl-alt-play", "settings, data and user");
    assert!(booted.anonymous().request(reqwest::Method::GET, "/health").send().await.is_err());
    counter.game.started_at().await;
    release.publish(NEXT, &release::program(NEXT));
    let (well, said) = line("");
    assert!(well && !said.contains("/setup#token="), "{said}");
    counter.counts_on("after it was away").await;

    let (well, said) = line("--uninstall --purge --yes");
    assert!(well && said.contains("Removed, with all data."), "{said}");
    assert_eq!(left(&booted, service), "");
    assert!(docker::inspect(&counter.game.id).await.is_none(), "the game's container");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_by_the_line_of_its_panel() {
    let service = "ctrl-alt-play-agent";
    let panel = Panel::builder().env("BIND", "0.0.0.0").start().await;
    let booted = Booted::bare(service).await;
    // As the page shows it to a user who reaches the panel from that network.
    let port = panel.admin().address.rsplit(':').next().unwrap().to_owned();
    let there = Client::new(&format!("{}:{port}", docker::gateway()), panel.admin().token);
    let made = there.post("/api/nodes", json!({ "id": "attic" })).await.expect(201).json;
    let line = format!("{} --data-dir {}", made["joinCommand"].as_str().unwrap(), booted.data().display());

    let (well, said) = booted.said(&line);
    assert!(well && said.contains("attic is a node of the panel at"), "{said}");
    node::online(&panel, "attic", true, seconds(20)).await;
    assert_eq!(
        booted.run(&format!("systemctl is-active {service}; systemctl is-enabled {service}; ps -o user:20= -p $(systemctl show -p MainPID --value {service}); stat -c %a /etc/default/{service}")),
        "active\nenabled\nctrl-alt-play\n600"
    );
    let secret = made["secret"].as_str().unwrap();
    assert!(!booted.run("ps ax -o args").contains(secret), "the secret is for all to see");
    let mut counter = Counter::every(0.2, panel.admin(), json!({ "nodeId": "attic" })).await;
    counter.counts_on("at first").await;

    mark(&booted);
    let before = booted.property("InvocationID");
    let (well, said) = booted.said(&line);
    assert!(well && said.contains("Nothing to do"), "{said}");
    assert_eq!((written(&booted), booted.property("InvocationID")), (String::new(), before));
    counter.counts_on("after a second run").await;

    let away = |more: &str| {
        let (start, _) = made["joinCommand"].as_str().unwrap().split_once("--agent").unwrap();
        booted.said(&format!("{start} --agent --uninstall {more}"))
    };
    let (well, said) = away("");
    assert!(well && said.contains("remove the node in the panel as well"), "{said}");
    node::online(&panel, "attic", false, seconds(20)).await;
    counter.game.started_at().await;
    // A node's settings contain its secret, so they are removed.
    assert_eq!(left(&booted, service), "data ctrl-alt-play");
    let (well, said) = booted.said(&line);
    assert!(well, "{said}");
    node::online(&panel, "attic", true, seconds(20)).await;
    counter.counts_on("after it was away").await;
    let (well, said) = away("--purge --yes");
    assert!(well && said.contains("Removed, with all data."), "{said}");
    assert_eq!(left(&booted, service), "");
    assert!(docker::inspect(&counter.game.id).await.is_none(), "the game's container");
}
