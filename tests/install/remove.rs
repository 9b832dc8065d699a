//! Taken away again: the program alone, or all of it. The engine and other panels' games are never touched.

use super::{Place, Release, free_port, release};
use crate::harness::host::Downloads;

/// An engine's command line that keeps its containers as files, named by id, with their labels inside.
const DOCKER: &str = r#"#!/bin/sh
echo "docker $*" >>/run/stub/docker
case "$*" in
*version*) exit 0 ;;
ps*)
    cd /run/stub/containers || exit 1
    for id in *; do
        fits=yes
        for word; do
            case $word in label=*) grep -q "^${word#label=}" "$id" || fits=no ;; esac
        done
        if [ "$fits" = yes ]; then echo "$id"; fi
    done
    ;;
rm*)
    for word; do :; done
    rm "/run/stub/containers/$word"
    ;;
esac
"#;

fn installed(root: &str) -> (Place, Release, Downloads) {
    let release = Release::new("1.2.3", &release::stand_in("1.2.3"));
    let server = Downloads::of(release.root());
    let place = Place::with_openrc(root, &[]).trusting(&release::our_key(), &server.base);
    place.install(&format!("--no-docker --port {} --data-dir /srv/games", free_port())).well();
    place.sh("mkdir -p /srv/games/servers/abc && echo world >/srv/games/servers/abc/level").well();
    // From here on an engine answers.
    place.write("/usr/bin/docker", "755", DOCKER.as_bytes());
    place
        .sh("rm -f /usr/bin/curl; mkdir -p /run/stub/containers; cd /run/stub/containers
        printf 'ctrl-alt-play.managed\\nctrl-alt-play.data-dir=/srv/games\\n' >ours
        printf 'ctrl-alt-play.managed\\nctrl-alt-play.data-dir=/home/other\\n' >anothers
        printf 'com.example\\n' >foreign")
        .well();
    (place, release, server)
}

#[test]
fn uninstalling_keeps_games_and_data_and_purging_nothing() {
    for root in ["bookworm", "trixie"] {
        let (place, _release, _server) = installed(root);
        // Nothing happens by only looking, or when nobody is there to say that all of it is meant.
        place.mark();
        assert!(place.install("--uninstall --purge --dry-run").well().contains("ALL GAMES"));
        place.install("--uninstall --purge").refused("nobody is there to ask");
        assert_eq!(place.touched(), "");

        let said = place.install("--uninstall").well();
        assert!(said.contains("everything is still in /srv/games"), "{said}");
        let left = "ls /usr/local/bin /usr/local/lib/ctrl-alt-play /etc/init.d/ctrl-alt-play 2>/dev/null; ls /run/stub/containers; \
                    cat /run/stub/default /srv/games/servers/abc/level; id -nu ctrl-alt-play; kill -0 $(cat /run/stub/serves) 2>&1";
        let left = place.sh(left);
        assert!(
            left.text.starts_with("/usr/local/bin:\nanothers\nforeign\nours\nworld\nctrl-alt-play\n"),
            "{}",
            left.text
        );
        assert_ne!(left.code, 0, "it still runs");
        assert_eq!(place.sh("cat /run/stub/firewall").well().trim(), "removed", "the games' firewall rules");
        // Again is no harm, and installing again finds everything.
        place.install("--uninstall").well();
        place.sh("mv /usr/bin/docker /run/").well();
        let fetcher = place.sh("command -v curl wget || true").well();
        if fetcher.is_empty() {
            continue;
        }
        place.install("--no-docker").well();
        place.sh("mv /run/docker /usr/bin/; test -e /srv/games/setup-token").well();

        let said = place.install("--uninstall --purge --yes").well();
        assert!(said.contains("Removed, with all data."), "{said}");
        let left = place.sh("ls -A /usr/local/bin /srv /etc/default; ls /run/stub/containers; id ctrl-alt-play; ls /usr/local/lib/ctrl-alt-play");
        assert!(
            left.text.starts_with("/etc/default:\n")
                && left.text.contains("\n/srv:\n\n/usr/local/bin:\nanothers\nforeign\nid: "),
            "{}",
            left.text
        );
        assert!(!left.text.contains("ctrl-alt-play\n/srv"), "{}", left.text);
        place.install("--uninstall --purge --yes").well();
    }
}

#[test]
fn a_folder_that_is_not_plainly_ours_is_not_removed() {
    let (place, _release, _server) = installed("bookworm");
    place.sh("mkdir -p /home/me && touch /home/me/letters && sed -i 's|^DATA_DIR=.*|DATA_DIR=/home/me|' /etc/default/ctrl-alt-play").well();
    place.mark();
    place.install("--uninstall --purge --yes").refused("does not look like a data folder");
    assert_eq!(place.touched(), "");
}

#[test]
fn an_engine_that_refuses_leaves_all_as_it_is() {
    let (place, _release, _server) = installed("bookworm");
    place.sh("sed -i 's/^rm\\*)/rm*) exit 1 ;; xx)/' /usr/bin/docker").well();
    place.install("--uninstall --purge --yes").refused("not all containers of games could be removed");
    assert_eq!(place.sh("cat /srv/games/servers/abc/level").well(), "world\n");
    // Asked to, it goes without.
    place.sh("sed -i 's/^rm\\*) exit 1 ;; xx)/rm*)/' /usr/bin/docker").well();
    place.install("--uninstall --purge --yes").well();
}

#[test]
fn what_the_systems_packages_brought_is_theirs_to_take_away() {
    let place = Place::of("bookworm");
    place.sh("printf 'Package: ctrl-alt-play\\nStatus: install ok installed\\nArchitecture: amd64\\nVersion: 0.1.0\\nMaintainer: x\\nDescription: x\\n\\n' >>/var/lib/dpkg/status").well();
    place.mark();
    place.install("--uninstall").refused("apt-get remove ctrl-alt-play");
    place.install("--no-docker").refused("apt-get install ./ctrl-alt-play_");
    assert_eq!(place.touched(), "");
}
