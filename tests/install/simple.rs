//! A new user's steps, on a machine without systemd or OpenRC: install, run again, upgrade.

use std::io::{BufRead, BufReader};

use super::{Place, Release, release};
use crate::harness::download_host::Downloads;

/// The download tool in each root file system.
const ROOTS: [(&str, &str); 2] = [("bookworm", "curl -fsSL"), ("trixie", "wget -qO-")];

#[test]
fn one_line_installs_a_second_run_changes_nothing_and_a_newer_release_upgrades() {
    for (root, fetch) in ROOTS {
        let release = Release::new(release::BUILT, &release::program(release::BUILT));
        let server = Downloads::of(release.root());
        // The release's own installer, which contains the key.
        let place = Place::of(root).env("CTRL_ALT_PLAY_DOWNLOAD", &server.base);
        let line =
            format!("{fetch} {}/latest/download/install.sh | sh -s -- --no-docker --no-start", server.base);
        let said = place.sh(&line).well();
        assert!(said.contains("This will happen") && said.contains("Debian GNU/Linux"), "{said}");
        assert!(said.contains("is put at /usr/local/bin/ctrl-alt-play"), "{said}");
        let version = place.sh("stat -c %a:%U /usr/local/bin/ctrl-alt-play; ctrl-alt-play --version").well();
        assert_eq!(version, format!("755:root\nctrl-alt-play {}\n", release::BUILT));

        place.mark();
        let said = place.sh(&line).well();
        assert!(said.contains("Nothing to do") && !said.contains("This will happen"), "{said}");
        assert_eq!(place.touched(), "");

        let newer = later(9);
        release.publish(&newer, &release::program(&newer));
        let said = place.sh(&line).well();
        assert!(said.contains(&format!("{} becomes {newer}", release::BUILT)), "{said}");
        assert_eq!(place.sh("ctrl-alt-play --version").well(), format!("ctrl-alt-play {newer}\n"));
        // It refuses a downgrade, with the reason.
        let said = place.sh(&format!("{line} --version {}", release::BUILT)).refused("is older");
        assert!(said.contains("Nothing was changed"), "{said}");
        assert_eq!(place.sh("ctrl-alt-play --version").well(), format!("ctrl-alt-play {newer}\n"));
    }
}

/// The version of this build, with another patch number.
pub(super) fn later(last: u8) -> String {
    let (start, _) = release::BUILT.rsplit_once('.').unwrap();
    format!("{start}.{last}")
}

#[tokio::test]
async fn without_a_service_it_runs_in_the_foreground_and_shows_the_link() {
    let place = Place::of("bookworm");
    let release = Release::new(release::BUILT, &release::program(release::BUILT));
    let server = Downloads::of(release.root());
    let place = place.trusting(&release::our_key(), &server.base);
    let (port, agents, health) = (4000, 4001, 4002);
    place.write(
        "/etc/default/ctrl-alt-play",
        "600",
        format!("# mine\nWEBSOCKET_PORT={agents}\nHEALTH_PORT={health}\nMDNS=off\n").as_bytes(),
    );
    let mut child = place.begin(&format!("--no-docker --port {port} --data-dir /srv/games"));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let link =
        lines.by_ref().map(Result::unwrap).find(|line| line.contains("/setup#token=")).expect("a link");
    let token = link.rsplit_once('=').unwrap().1.to_owned();
    place.answers(port).await;
    let kept = place.sh("cat /srv/games/setup-token; cat /etc/default/ctrl-alt-play; stat -c %a /etc/default/ctrl-alt-play").well();
    assert!(kept.starts_with(&token), "{kept}");
    let settings = format!(
        "# mine\nWEBSOCKET_PORT={agents}\nHEALTH_PORT={health}\nMDNS=off\nPORT={port}\nDATA_DIR=/srv/games\n600\n"
    );
    assert!(kept.ends_with(&settings), "{kept}");
    // While the program runs, another run does not start it again.
    let said = place.install("--no-docker").well();
    assert!(
        said.contains("Nothing to do") && said.contains(&format!(":{port}/setup#token={token}")),
        "{said}"
    );
    // It is not uninstalled while it runs.
    place.install("--uninstall").refused("still runs in the foreground");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_dry_run_says_all_and_does_nothing() {
    for root in ["bookworm", "trixie", "bullseye"] {
        let release = Release::new("1.2.3", &release::stand_in("1.2.3"));
        let server = Downloads::of(release.root());
        let place = Place::with_openrc(root, &[]).trusting(&release::our_key(), &server.base);
        place.mark();
        let said = place.install("--dry-run --port 3999 --data-dir /srv/x").well();
        for words in [
            "is put at /usr/local/bin/ctrl-alt-play",
            "no Docker engine answers: it is installed",
            "settings are written to /etc/default/ctrl-alt-play",
            "the user ctrl-alt-play is made",
            "the data folder /srv/x is made",
            "the service ctrl-alt-play is enabled and started",
            "Nothing was changed: this was a dry run.",
        ] {
            assert!(said.contains(words), "{root}: `{words}` is not in: {said}");
        }
        // Without a tool to verify signatures, even the list is only downloaded after a confirmation.
        assert_eq!(said.contains("version 1.2.3"), root != "bullseye", "{said}");
        assert_eq!(said.contains("check its signature: minisign"), root == "bullseye", "{said}");
        assert_eq!(place.touched(), "", "{root}");
    }
}

#[test]
fn a_release_by_its_number_and_the_installers_own() {
    let release = Release::new("1.2.3", &release::stand_in("1.2.3"));
    release.publish("1.2.4", &release::stand_in("1.2.4"));
    let server = Downloads::of(release.root());
    let place = Place::of("bookworm").trusting(&release::our_key(), &server.base);
    assert_eq!(place.install("--version").well(), format!("{}\n", release::BUILT));
    assert!(place.install("--help").well().contains("--uninstall --purge"));
    place.install("--no-docker --no-start --version v1.2.3").well();
    assert_eq!(place.sh("ctrl-alt-play --version").well(), "ctrl-alt-play 1.2.3\n");
    place.install("--no-docker --no-start --version 1.2.9").refused("there is no release 1.2.9");
    place.install("--no-docker --no-start --version 1.2.4").well();
    assert_eq!(place.sh("ctrl-alt-play --version").well(), "ctrl-alt-play 1.2.4\n");
    // A release with the number of another one.
    std::fs::rename(release.root().join("download/v1.2.3"), release.root().join("download/v1.2.5")).unwrap();
    place.install("--no-docker --no-start --version 1.2.5").refused("is 1.2.3 and not 1.2.5");
}

#[test]
fn a_folder_with_a_release_needs_no_network() {
    let release = Release::new("1.2.3", &release::stand_in("1.2.3"));
    let folder = release.newest().display().to_string();
    let place = Place::with("trixie", &["-v", &format!("{folder}:/media/stick")])
        .env("CTRL_ALT_PLAY_DOWNLOAD", "http://127.0.0.1:1");
    let line = "sh /media/stick/install.sh --no-docker --no-start";
    let said = place.sh(line).well();
    assert!(said.contains("from /media/stick"), "{said}");
    assert!(place.sh(line).well().contains("Nothing to do"));
    // It is verified like one from the network.
    let program = release.newest().join(release::name("1.2.3"));
    std::fs::write(&program, release::dud("1.2.3")).unwrap();
    place.sh("rm /usr/local/bin/ctrl-alt-play").well();
    place.sh(line).refused("not what the release's signed list says");
    release.sign("theirs", "ctrl-alt-play 1.2.3");
    place.sh(line).refused("not that of the key");
    std::fs::remove_file(release.newest().join("SHA256SUMS.minisig")).unwrap();
    place.sh(line).refused("has no SHA256SUMS.minisig");
    assert_eq!(place.sh("ls -A /usr/local/bin").well(), "");
}
