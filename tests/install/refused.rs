//! Machines where the installation cannot succeed: a single error says what is wrong and what to do, and nothing is
//! changed.

use super::{Place, Release, release};
use crate::harness::download_host::Downloads;
use crate::harness::{docker, seconds, until};

fn ready(place: Place) -> (Release, Downloads, Place) {
    let release = Release::new("1.2.3", &release::stand_in("1.2.3"));
    let server = Downloads::of(release.root());
    let place = place.trusting(&release::our_key(), &server.base);
    (release, server, place)
}

#[test]
fn a_full_disk() {
    // Too small from the start; and full while the program is assembled there.
    let (_release, _server, place) = ready(Place::with("bookworm", &["--tmpfs", "/usr/local:size=8m,exec"]));
    place.mark();
    let said = place.install("--no-docker --no-start").refused("64 MB are needed");
    assert!(said.contains("make room, then run this again"), "{said}");
    assert_eq!(place.touched(), "");
    let (_release, _server, place) =
        ready(Place::with("bookworm", &["--tmpfs", "/usr/local:size=70m,mode=755,exec"]));
    for fetcher in ["curl", "wget"] {
        // The download tool fills the remaining space before it begins.
        let real = place.sh(&format!("command -v {fetcher} || true")).well();
        if real.is_empty() {
            continue;
        }
        let shim = format!(
            "#!/bin/sh\ncase \"$*\" in *-linux-*) dd if=/dev/zero of=/usr/local/fill bs=1M 2>/dev/null ;; esac\nexec {real}"
        );
        place.write(&format!("/shim/{fetcher}"), "755", format!("{} \"$@\"\n", shim.trim_end()).as_bytes());
    }
    place
        .sh("PATH=/shim:$PATH; cat /checked/install.sh | sh -s -- --no-docker --no-start")
        .refused("the disk is full");
    assert_eq!(place.sh("ls -A /usr/local").well(), "fill\n");
    place.sh("rm /usr/local/fill").well();
    place.install("--no-docker --no-start").well();
}

#[test]
fn nobody_who_may() {
    let (_release, _server, place) = ready(Place::of("bookworm"));
    let said = place
        .sh("cd /; setpriv --reuid nobody --regid nogroup --clear-groups sh -s -- --no-docker </checked/install.sh")
        .refused("run this as root, or install sudo");
    assert!(said.contains("nothing was changed"), "{said}");
    // A dry run needs no root.
    let look = "cd /; setpriv --reuid nobody --regid nogroup --clear-groups sh -s -- --dry-run --no-docker </checked/install.sh";
    assert!(place.sh(look).well().contains("is put at /usr/local/bin/ctrl-alt-play"));
}

#[tokio::test]
async fn a_port_that_is_taken() {
    // The root file systems have no program that listens.
    let busybox = docker::said("sh", &["-c", "command -v busybox"]);
    let (_release, _server, place) =
        ready(Place::with_openrc("bookworm", &["-v", &format!("{busybox}:/opt/busybox:ro")]));
    let takes = |port: u16| {
        place
            .sh(&format!("/opt/busybox httpd -f -p {port} </dev/null >/dev/null 2>&1 & echo $! >/run/taken"))
            .well()
    };
    let let_go = || place.sh("kill $(cat /run/taken)").well();
    takes(3000);
    until("the port is taken", seconds(5), async || {
        (place.sh("ss -ltn | grep :3000").code == 0).then_some(())
    })
    .await;
    place.mark();
    let said = place.install("--no-docker").refused("the port 3000 is taken by another program");
    assert!(said.contains("--port N chooses another"), "{said}");
    let_go();
    takes(8080);
    until("the other port is taken", seconds(5), async || {
        (place.sh("ss -ltn | grep :8080").code == 0).then_some(())
    })
    .await;
    let said = place.install("--no-docker").refused("the port 8080 is taken by another program");
    assert!(said.contains("WEBSOCKET_PORT=8090"), "{said}");
    assert_eq!(place.touched(), "");
    let_go();
    until("both are free", seconds(5), async || {
        (place.sh("ss -ltn | grep -E ':(3000|8080)'").code != 0).then_some(())
    })
    .await;
    place.install("--no-docker").well();
}

#[test]
fn words_that_make_no_sense() {
    let place = Place::of("bookworm");
    for (options, words) in [
        ("--port 0", "is no port"),
        ("--port 70000", "is no port"),
        ("--port 80x", "is no port"),
        ("--port", "wants a value"),
        ("--data-dir games", "no absolute folder"),
        ("--data-dir '/srv/a b'", "a folder's name of letters"),
        ("--prefix /opt/../etc", "a folder's name of letters"),
        ("--frobnicate", "unknown option"),
        ("--purge", "goes with --uninstall"),
        ("--node x", "are for --agent"),
        ("--agent --panel http://x", "--agents is missing"),
        (
            "--agent --panel 'http://x$(reboot)' --agents ws://x --node a --secret b",
            "characters that it cannot have",
        ),
        ("--agent --panel http://x --agents ws://x --node a --secret b --pin 'a\"b'", "--pin is a key"),
        ("--version '1;2'", "is no version"),
    ] {
        place.install(options).refused(words);
    }
    // A truncated file does nothing.
    let half = place.sh("head -c 20000 /checked/install.sh >/tmp/half; sh /tmp/half --help; sed '$d' /checked/install.sh | sh -s -- --help");
    assert!(!half.text.contains("install Ctrl-Alt-Play"), "{half:?}");
}

#[test]
fn a_person_is_asked_and_may_say_no() {
    let (_release, _server, place) = ready(Place::of("bookworm"));
    place.mark();
    // `script` provides a terminal, although the installer is read from a pipe.
    let ask = |answer: &str| {
        place.sh(&format!(
            "echo {answer} | script -qec 'cat /checked/install.sh | sh -s -- --no-docker --no-start' /dev/null"
        ))
    };
    let said = ask("n");
    assert!(
        said.code != 0 && said.text.contains("Go on? [Y/n]") && said.text.contains("Nothing was changed."),
        "{said:?}"
    );
    assert_eq!(place.touched(), "");
    assert!(ask("y").well().contains("Installed."));
}
