//! Invalid downloads: nothing of them is ever executed or left behind.

use super::{Place, Release, release};
use crate::harness::download_host::{Downloads, Fault};

fn ready(root: &str) -> (Release, Downloads, Place) {
    let release = Release::new("1.2.3", &release::stand_in("1.2.3"));
    let server = Downloads::of(release.root());
    let place = Place::of(root).trusting(&release::our_key(), &server.base).env("CTRL_ALT_PLAY_STALL", "1");
    if root == "bullseye" {
        place.sh("cp /opt/signify-openbsd /usr/bin").well();
    }
    (release, server, place)
}

fn refused(place: &Place, words: &str) {
    place.mark();
    place.install("--no-docker --no-start").refused(words);
    assert_eq!(place.touched(), "", "{words}");
}

/// The three tools that verify signatures: OpenSSL, minisign, signify.
const ROOTS: [&str; 3] = ["bookworm", "trixie", "bullseye"];

#[test]
fn what_is_not_signed_by_our_key_is_refused() {
    for root in ROOTS {
        let (release, _server, place) = ready(root);
        let list = release.newest().join("SHA256SUMS");
        // Signed by another key.
        release.sign("theirs", "ctrl-alt-play 1.2.3");
        refused(&place, "not that of the key");
        // The text was changed after signing.
        release.sign("ours", "ctrl-alt-play 1.2.3");
        let text = std::fs::read_to_string(&list).unwrap();
        std::fs::write(&list, text.replacen('a', "b", 1)).unwrap();
        refused(&place, "not that of the key");
        std::fs::write(&list, text).unwrap();
        // The comment was changed after signing: an old release that pretends to be a new one.
        let signature = list.with_file_name("SHA256SUMS.minisig");
        let signed = std::fs::read_to_string(&signature).unwrap();
        std::fs::write(&signature, signed.replace("ctrl-alt-play 1.2.3", "ctrl-alt-play 9.2.3")).unwrap();
        refused(&place, "not that of the key");
        // Half a signature, and none.
        std::fs::write(&signature, &signed[..signed.len() / 2]).unwrap();
        refused(&place, "not that of the key");
        std::fs::write(&signature, "").unwrap();
        refused(&place, "not that of the key");
        // Signed, but for something else.
        release.sign_list("ours", "another-program 1.2.3");
        refused(&place, "not as one of Ctrl-Alt-Play");
        release.sign_list("ours", "ctrl-alt-play 1.2.3; reboot");
        refused(&place, "not as one of Ctrl-Alt-Play");
        // A valid one is installed.
        release.sign_list("ours", "ctrl-alt-play 1.2.3");
        place.install("--no-docker --no-start").well();
    }
}

#[test]
fn a_key_that_is_not_ours_takes_nothing_from_us() {
    let (_release, server, _) = ready("bookworm");
    for root in ROOTS {
        let place = Place::of(root).trusting(&release::another_key(), &server.base);
        place.sh("cp /opt/signify-openbsd /usr/bin 2>/dev/null || true").well();
        refused(&place, "not that of the key");
        let place = Place::of(root).trusting("", &server.base);
        place.sh("cp /opt/signify-openbsd /usr/bin 2>/dev/null || true").well();
        refused(&place, "holds no key");
    }
    refused(
        &Place::of("bookworm").env("CTRL_ALT_PLAY_KEY", release::our_key()),
        "does not know where releases are",
    );
}

#[test]
fn half_a_program_or_another_one_is_never_run() {
    for root in ["bookworm", "trixie"] {
        let (release, server, place) = ready(root);
        server.fault(&release::name("1.2.3"), Fault::Half);
        refused(&place, "not what the release's signed list says");
        server.heal();
        // A program that leaves a trace when it is executed.
        let spy = b"#!/bin/sh\necho run >/tmp/it-was-run\necho ctrl-alt-play 1.2.3\n";
        std::fs::write(release.newest().join(release::name("1.2.3")), spy).unwrap();
        refused(&place, "not what the release's signed list says");
        // The bytes match, but the program reports another version.
        std::fs::write(release.newest().join(release::name("1.2.3")), release::dud("1.2.2")).unwrap();
        release.sign("ours", "ctrl-alt-play 1.2.3");
        refused(&place, "says that it is 1.2.2 and not 1.2.3");
        // A list without this architecture, and with an invalid hash.
        let list = release.newest().join("SHA256SUMS");
        let text = std::fs::read_to_string(&list).unwrap();
        std::fs::write(&list, text.replace(std::env::consts::ARCH, "riscv64")).unwrap();
        release.sign_list("ours", "ctrl-alt-play 1.2.3");
        refused(&place, "has no program for");
        std::fs::write(&list, format!("*  {}\n", release::name("1.2.3"))).unwrap();
        release.sign_list("ours", "ctrl-alt-play 1.2.3");
        refused(&place, "no usable hash");
    }
}

#[test]
fn a_host_that_breaks_off_is_gone_on_with_and_one_that_stalls_is_given_up() {
    for root in ["bookworm", "trixie"] {
        let (_release, server, place) = ready(root);
        let program = release::name("1.2.3");
        server.fault(&program, Fault::Gone);
        refused(&place, "there is no ctrl-alt-play-1.2.3-linux-");
        server.heal();
        server.fault(&program, Fault::StallAfter(1000));
        refused(&place, "could not be fetched");
        assert_eq!(
            server.asked().iter().filter(|path| path.contains("-linux-")).count(),
            4,
            "{:?}",
            server.asked()
        );
        server.heal();
        server.fault("SUMS", Fault::Endless);
        refused(&place, "larger than it can be");
        // Every connection is closed after 400 kB, so the download takes three of them.
        server.heal();
        server.fault(&program, Fault::CutAfter(400_000));
        place.install("--no-docker --no-start").well();
        assert_eq!(
            server.asked().iter().filter(|path| path.contains("-linux-")).count(),
            3,
            "{:?}",
            server.asked()
        );
        assert_eq!(place.sh("ctrl-alt-play --version").well(), "ctrl-alt-play 1.2.3\n");
    }
    let place = Place::of("bookworm").trusting(&release::our_key(), "http://127.0.0.1:1");
    refused(&place, "could not be fetched");
}
