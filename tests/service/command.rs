//! The command line next to a service: it uses the service's panel without being told, and `upgrade` installs a new
//! version, from the published list to the running game.

use serde_json::json;

use super::life::{Counter, set_up};
use crate::harness::download::{Downloads, Signer, renamed, script};
use crate::harness::seconds;
use crate::harness::systemd::{Booted, NEXT, PROGRAM, VERSION};

/// Exit code and output of a command by root, in a shell without the service's settings.
pub(super) fn said(booted: &Booted, command: &str) -> (Option<i32>, String) {
    // The download host answers on another thread.
    let output = tokio::task::block_in_place(|| booted.try_run(&format!("unset DATA_DIR; {command} 2>&1")));
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Settings with the download host and its key.
pub(super) fn settings(downloads: &Downloads, signer: &Signer) -> String {
    format!("CTRL_ALT_PLAY_DOWNLOAD={}' 'CTRL_ALT_PLAY_KEY={}", downloads.base, signer.key())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_from_the_command_line_from_end_to_end() {
    let (downloads, signer) = (Downloads::start_for_containers(), Signer::new());
    let booted = Booted::with("ctrl-alt-play", &settings(&downloads, &signer)).await;
    let upgrade = |more: &str| said(&booted, &format!("{PROGRAM} upgrade {more}"));
    booted.run("systemctl start ctrl-alt-play");
    let admin = set_up(&booted).await;
    let mut counter = Counter::start(admin.clone(), json!({})).await;
    let version = |number: &str| renamed(&booted.program(VERSION), number);

    // A check without changes, and users without the rights to upgrade.
    downloads.publish(&signer, VERSION, &script(VERSION));
    let (code, text) = upgrade("--check");
    assert!(code == Some(0) && text.contains("is the newest version"), "{code:?} {text}");
    downloads.publish(&signer, "0.0.9", &script("0.0.9"));
    let (code, text) = upgrade("--yes");
    assert!(code == Some(1) && text.contains("going back is not offered"), "{code:?} {text}");
    downloads.publish(&signer, "0.1.1", &script("0.1.1"));
    let (code, text) = upgrade("--check");
    assert!(code == Some(10) && text.contains("0.1.1 is published"), "{code:?} {text}");
    let (code, text) = upgrade("");
    assert!(code == Some(64) && text.contains("say --yes"), "{code:?} {text}");
    let as_somebody = |what: &str| said(&booted, &format!("runuser -u nobody -- {PROGRAM} {what}"));
    let (code, text) = as_somebody("upgrade --yes");
    assert!(code == Some(77) && text.contains("sudo ctrl-alt-play upgrade"), "{code:?} {text}");
    let (code, text) = as_somebody("upgrade --check");
    assert!(code == Some(77) && text.contains("is closed to you"), "{code:?} {text}");
    let (code, text) = upgrade("--yes --data-dir /srv/other");
    assert!(
        code == Some(78) && text.starts_with("ctrl-alt-play: --data-dir: the service"),
        "{code:?} {text}"
    );

    // A program that only prints its version.
    let user = json!({ "username": "ann", "password": "correct horse battery", "role": "user" });
    admin.post("/api/users", user).await.expect(201);
    let (code, text) = upgrade("--yes");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("went back to {VERSION}: it ended with 3. Look: journalctl")), "{text}");
    assert_eq!(booted.version(seconds(20)).await, VERSION);
    counter.counts_on("after a bad program").await;
    assert_eq!(admin.get("/api/users").await.expect(200).json.as_array().unwrap().len(), 2);

    // A working one.
    downloads.publish(&signer, NEXT, &version(NEXT));
    let (code, text) = upgrade("--yes");
    assert_eq!(code, Some(0), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("Ctrl-Alt-Play {VERSION} is here, {NEXT} is published."), "{text}");
    assert_eq!(lines[lines.len() - 1], format!("Ctrl-Alt-Play {NEXT} runs. It was {VERSION}."), "{text}");
    assert_eq!(booted.version(seconds(1)).await, NEXT, "it answers when the command says so");
    counter.counts_on("after an upgrade").await;
    let copy = text.lines().find_map(|line| line.strip_prefix("The database was copied to ")).unwrap();
    let copy = copy.trim_end_matches('.');
    assert!(copy.starts_with(booted.data().join("copies").to_str().unwrap()), "{text}");
    assert_eq!(booted.run(&format!("stat -c '%U %a' {copy}")), "ctrl-alt-play 600");
    let (code, text) = upgrade("--yes");
    assert!(code == Some(0) && text.contains("is the newest version"), "{code:?} {text}");

    // A stopped service gets the upgrade at its next start. On a terminal the command asks first, and shows the
    // progress.
    booted.run("systemctl stop ctrl-alt-play");
    downloads.publish(&signer, "0.2.0", &version("0.2.0"));
    let at_terminal = |answer: &str| {
        let asked = format!("script -qec '{PROGRAM} upgrade' /dev/null");
        said(&booted, &format!("echo {answer} | {asked}"))
    };
    let (code, text) = at_terminal("n");
    assert!(code == Some(1) && text.contains("Upgrade to 0.2.0? [Y/n]"), "{code:?} {text}");
    assert!(text.contains("nothing was changed") && !booted.upgrade("program.part").exists(), "{text}");
    let (code, text) = at_terminal("y");
    assert!(text.contains(" MiB, 100 %"), "{text}");
    assert!(code == Some(0) && text.contains("it is 0.2.0 at its next start"), "{code:?} {text}");
    booted.run("systemctl start ctrl-alt-play");
    assert_eq!(booted.version(seconds(20)).await, "0.2.0");
    counter.counts_on("taken at a start").await;
}

/// The service's settings are not in the environment of a user's shell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_mean_the_services_panel_wherever_it_keeps_its_things() {
    let booted = Booted::with("ctrl-alt-play", "PORT=3055").await;
    booted.run("systemctl start ctrl-alt-play");
    let data = booted.data().display().to_string();
    let fine = |command: &str| {
        let (code, text) = said(&booted, command);
        assert_eq!(code, Some(0), "{command}: {text}");
        text
    };
    let all = |when: &str| {
        fine(&format!("{PROGRAM} healthcheck"));
        fine(&format!("{PROGRAM} db backup /root/copy.redb && {PROGRAM} db check /root/copy.redb"));
        assert!(fine(&format!("{PROGRAM} db check")).starts_with("The database is whole"), "{when}");
        let (code, text) = said(&booted, &format!("{PROGRAM} doctor --json"));
        assert!(code != Some(2) && text.contains(&data), "{when}: {text}");
        let (code, text) = said(&booted, &format!("echo another password | {PROGRAM} user password nobody"));
        assert!(code == Some(1) && text.contains("no such user"), "{when}: it was asked: {text}");
    };
    all("from its settings");
    // Explicit settings take precedence.
    let (code, text) = said(&booted, &format!("PORT=3000 {PROGRAM} healthcheck"));
    assert_eq!(code, Some(1), "{text}");
    let (code, text) = said(&booted, &format!("{PROGRAM} db check --data-dir /srv/other"));
    assert!(code == Some(65) || text.contains("/srv/other"), "{code:?} {text}");
    let (code, text) = said(&booted, &format!("runuser -u nobody -- {PROGRAM} db check"));
    assert!(code == Some(77) && text.contains("is closed to you"), "{code:?} {text}");

    // The same with a drop-in, without a settings file.
    booted.run("rm /etc/default/ctrl-alt-play");
    booted.drop_in(&format!("Environment=\"DATA_DIR={data}\" PORT=3056"));
    booted.run("systemctl restart ctrl-alt-play && curl -sf http://127.0.0.1:3056/health");
    all("from a drop-in");
}
