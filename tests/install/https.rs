//! A download host with HTTPS: each download tool trusts the machine's authorities, and stays with HTTPS.

use super::{Place, Release, release};
use crate::harness::authority::{Authority, Issued};
use crate::harness::docker::gateway;
use crate::harness::download_host::{Downloads, Fault};

/// The path of Debian's ca-certificates.
const STORE: &str = "/etc/ssl/certs/ca-certificates.crt";

fn refused(place: &Place, from: &Downloads, words: &[&str]) {
    place.mark();
    let line = format!("CTRL_ALT_PLAY_DOWNLOAD={} sh -s -- --no-docker --no-start", from.base);
    let said = place.sh(&format!("cat /checked/install.sh | {line}")).refused(words[0]);
    for words in words {
        assert!(said.contains(words), "`{words}` is not in {said}");
    }
    assert_eq!((place.touched().as_str(), from.asked().len()), ("", 0), "{said}");
}

#[test]
fn curl_and_wget_believe_whom_the_machine_believes_and_stay_with_https() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let release = Release::new("1.2.3", &release::stand_in("1.2.3"));
    let by = |issued: &Issued| Downloads::for_containers(Some(release.root()), issued.tls());
    for (root, fetch) in [("bookworm", "curl -fsSL"), ("bullseye", "curl -fsSL"), ("trixie", "wget -qO-")] {
        let place = Place::of(root).env("CTRL_ALT_PLAY_KEY", release::our_key());
        place.sh("cp /opt/signify-openbsd /usr/bin 2>/dev/null || true").well();
        let (good, other) = (by(&ours.issue(gateway())), by(&theirs.issue(gateway())));
        let known = "does it know who made that certificate";
        refused(&place, &good, &["is not believed (", known]);
        place.write(STORE, "644", ours.pem().as_bytes());
        refused(&place, &other, &["is not believed (", known]);
        refused(
            &place,
            &by(&ours.issue_until(gateway(), 2020)),
            &["is not believed (", "expired", "clock right"],
        );
        refused(&place, &by(&ours.issue("elsewhere.example")), &["is not believed ("]);

        // A redirect to HTTP, and one to HTTPS that in turn redirects to HTTP.
        let (plain, middle) = (Downloads::of(release.root()), by(&ours.issue(gateway())));
        good.fault("", Fault::Moved(plain.base.clone()));
        middle.fault("", Fault::Moved(good.base.clone()));
        for from in [&good, &middle] {
            place.mark();
            let line = format!("CTRL_ALT_PLAY_DOWNLOAD={} sh -s -- --no-docker --no-start", from.base);
            place
                .sh(&format!("cat /checked/install.sh | {line}"))
                .refused("leads to an address that is not https://");
            assert_eq!((place.touched().as_str(), plain.asked().len()), ("", 0), "{root}");
            assert!(!from.asked().is_empty());
        }
        // A redirect to HTTPS, as GitHub does, with the README's command.
        good.heal();
        let line = format!(
            "{fetch} {0}/latest/download/install.sh | CTRL_ALT_PLAY_DOWNLOAD={0} sh -s -- --no-docker --no-start",
            middle.base
        );
        place.sh(&line).well();
        assert_eq!(place.sh("ctrl-alt-play --version").well(), "ctrl-alt-play 1.2.3\n", "{root}");
        // Every connection is closed after 400 kB, also behind a redirect.
        good.heal();
        good.fault(&release::name("1.2.3"), Fault::CutAfter(400_000));
        place.sh("rm /usr/local/bin/ctrl-alt-play").well();
        place.sh(&line).well();
        let ranges = good.asked().iter().filter(|path| path.contains("bytes=")).count();
        assert_eq!(ranges, 2, "{root}: {:?}", good.asked());
    }
}
