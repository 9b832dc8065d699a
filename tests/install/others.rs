//! Other distributions, as far as possible without them: a root file system that pretends to be one, with a stand-in
//! for its package manager that records its calls. Alpine's contains only busybox.

use super::{Place, Release, release};
use crate::harness::download_host::Downloads;

fn ready(place: Place) -> (Release, Downloads, Place) {
    let release = Release::new("1.2.3", &release::stand_in("1.2.3"));
    let server = Downloads::of(release.root());
    let place = place.trusting(&release::our_key(), &server.base);
    (release, server, place)
}

/// The engine's package, as a script for the stand-in to run: it adds a `docker` and a `curl` that always succeed.
const ENGINE: &[u8] = b"#!/bin/sh\nprintf '#!/bin/sh\\nexit 0\\n' >/usr/bin/docker\nchmod 755 /usr/bin/docker\ncp /usr/bin/docker /usr/bin/curl\n";

#[test]
fn each_gets_its_engine_and_its_tools_by_its_own_manager() {
    for (os, manager, engine) in [
        (
            "ID=debian",
            "apt-get",
            "env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables ca-certificates",
        ),
        ("ID=ubuntu\nID_LIKE=debian", "apt-get", "apt-get install -y -qq --no-install-recommends docker.io"),
        (
            "ID=raspbian\nID_LIKE=debian",
            "apt-get",
            "apt-get install -y -qq --no-install-recommends docker.io",
        ),
        ("ID=fedora", "dnf", "dnf install -y -q moby-engine"),
        ("ID=arch", "pacman", "pacman -S --needed --noconfirm docker"),
        ("ID=manjaro\nID_LIKE=arch", "pacman", "pacman -S --needed --noconfirm docker"),
        (
            "ID=opensuse-tumbleweed\nID_LIKE=\"opensuse suse\"",
            "zypper",
            "zypper --non-interactive install docker",
        ),
        ("ID=other", "dnf", "dnf install -y -q moby-engine"),
    ] {
        let (_release, _server, place) = ready(Place::with_openrc("bookworm", &[]));
        place.write("/etc/os-release", "644", format!("{os}\nPRETTY_NAME=\"Some System\"\n").as_bytes());
        // No tool to download or verify with, and no engine: all are installed by the package manager.
        place.sh(&format!(
            "mkdir /packages; mv /usr/bin/curl /packages/curl; mv /usr/bin/openssl /usr/bin/old; ln -s /stubs/packages /usr/bin/{manager}"
        ))
        .well();
        place.write("/packages/minisign", "755", b"#!/bin/sh\necho ctrl-alt-play 1.2.3\n");
        // The engine's package has a different name in each distribution.
        for name in ["docker", "docker.io", "moby-engine"] {
            place.write(&format!("/packages/{name}"), "755", ENGINE);
        }
        let said = place.install("--no-start");
        let calls = place.sh("cat /run/stub/calls").well();
        let text = said.well();
        assert!(text.contains("Some System"), "{text}");
        let wanted = engine.trim_start_matches("env DEBIAN_FRONTEND=noninteractive ");
        for words in ["curl", "minisign", wanted] {
            assert!(
                calls.lines().any(|line| line.starts_with(manager) && line.contains(words)),
                "{os}: {words} is not in {calls}"
            );
        }
        assert!(
            calls.contains("rc-update add docker default") && calls.contains("rc-service docker start"),
            "{calls}"
        );
    }
}

#[test]
fn debian_11_checks_with_signify() {
    let (_release, _server, place) = ready(Place::of("bullseye"));
    place.sh("mkdir /packages; touch /packages/no-minisign; cp /opt/signify-openbsd /packages/; ln -s /stubs/packages /usr/bin/apt-get").well();
    place.install("--no-docker --no-start").well();
    let calls = place.sh("cat /run/stub/calls").well();
    assert!(calls.contains("install -y -qq --no-install-recommends signify-openbsd"), "{calls}");
}

#[test]
fn a_manager_that_fails_is_heard() {
    let (_release, _server, place) = ready(Place::of("bookworm"));
    place.write("/usr/bin/apt-get", "755", b"#!/bin/sh\necho 'E: no space on the moon' >&2\nexit 100\n");
    place.mark();
    let said = place.install("--no-start").refused("could not install a Docker engine");
    assert!(said.contains("E: no space on the moon"), "{said}");
    assert_eq!(place.sh("ls -A /usr/local/bin").well(), "");
    place.sh("rm /usr/bin/apt-get").well();
    place.install("--no-start").refused("how to install it here is not known");
    // With `--no-docker`, the missing engine does not matter.
    place.install("--no-start --no-docker").well();
}

#[test]
fn alpine_with_nothing_but_busybox() {
    // From a folder: the wget of Debian's static busybox does not work in a root file system without glibc's modules.
    let release = Release::new("1.2.3", &release::stand_in("1.2.3"));
    let place =
        Place::with_openrc("busybox", &["-v", &format!("{}:/media/stick:ro", release.newest().display())]);
    let line = "sh /media/stick/install.sh --no-docker --no-start";
    place.write("/etc/os-release", "644", b"ID=alpine\nPRETTY_NAME=\"Alpine Linux v3.99\"\n");
    // Debian's busybox lacks these two; Alpine's accept -S, -D, -H, -h, -s and -G.
    place.write("/usr/bin/addgroup", "755", b"#!/bin/sh\necho \"addgroup $*\" >>/run/stub/calls\n[ \"$1\" = -S ] && echo \"$2:x:990:\" >>/etc/group || sed -i \"s/^$2:.*/&$1/\" /etc/group\n");
    place.write("/usr/bin/adduser", "755", b"#!/bin/sh\necho \"adduser $*\" >>/run/stub/calls\nfor name; do :; done\necho \"$name:x:990:990::/var/lib/$name:/sbin/nologin\" >>/etc/passwd\n");
    place.write("/packages/minisign", "755", b"#!/bin/sh\necho ctrl-alt-play 1.2.3\n");
    place.sh("rm -f /bin/adduser /bin/addgroup; mkdir -p /run/stub /var/lib; echo docker:x:991: >>/etc/group; ln -s /stubs/packages /usr/bin/apk").well();
    let said = place.sh(line).well();
    assert!(said.contains("Alpine Linux v3.99") && said.contains("setpriv is installed"), "{said}");
    let calls = place.sh("cat /run/stub/calls").well();
    for words in [
        "apk add --no-progress minisign",
        "apk add --no-progress setpriv",
        "addgroup -S ctrl-alt-play",
        "-G ctrl-alt-play ctrl-alt-play",
        "addgroup ctrl-alt-play docker",
    ] {
        assert!(calls.contains(words), "`{words}` is not in {calls}");
    }
    let made = place.sh("stat -c '%a %u %n' /usr/local/bin/ctrl-alt-play /etc/init.d/ctrl-alt-play /var/lib/ctrl-alt-play; ctrl-alt-play --version");
    assert_eq!(
        made.well(),
        "755 0 /usr/local/bin/ctrl-alt-play\n755 0 /etc/init.d/ctrl-alt-play\n700 990 /var/lib/ctrl-alt-play\nctrl-alt-play 1.2.3\n"
    );
    // Debian's busybox prefers its own setpriv, which lacks this feature. Now the supervisor supports it.
    place.write("/usr/sbin/supervise-daemon", "755", b"Could not parse iab\n");
    place.mark();
    let again = place.sh(line).well();
    assert!(again.contains("Nothing to do"), "{again}");
    assert_eq!(place.touched(), "");
    assert!(place.install("--uninstall").well().contains("Removed."));
}

#[test]
fn the_machines_kind_is_that_of_its_programs() {
    let release = Release::new("1.2.3", &release::stand_in("1.2.3"));
    let folder = release.newest();
    for arch in ["aarch64", "armv7"] {
        std::fs::write(folder.join(format!("ctrl-alt-play-1.2.3-linux-{arch}")), release::stand_in("1.2.3"))
            .unwrap();
    }
    release.sign("ours", "ctrl-alt-play 1.2.3");
    let server = Downloads::of(release.root());
    let place = Place::of("bookworm").trusting(&release::our_key(), &server.base);
    for (kernel, system, program) in [
        ("x86_64", "amd64", "x86_64"),
        ("aarch64", "arm64", "aarch64"),
        // A Raspberry Pi with a 64-bit kernel and a 32-bit system.
        ("aarch64", "armhf", "armv7"),
        ("armv7l", "armhf", "armv7"),
        ("armv8l", "armhf", "armv7"),
        ("armv6l", "armhf", ""),
        ("x86_64", "i386", ""),
        ("i686", "i386", ""),
        ("riscv64", "riscv64", ""),
    ] {
        place.write(
            "/usr/local/sbin/uname",
            "755",
            format!("#!/bin/sh\n[ \"$1\" = -m ] && echo {kernel} || exec /bin/uname \"$@\"\n").as_bytes(),
        );
        place.write("/usr/local/sbin/dpkg", "755", format!("#!/bin/sh\necho {system}\n").as_bytes());
        server.heal();
        let said = place.install("--no-docker --no-start");
        if program.is_empty() {
            said.refused("there is no program for");
        } else {
            said.well();
            let asked = server.asked();
            assert!(
                asked.iter().any(|path| path.ends_with(&format!("-linux-{program}"))),
                "{kernel} {system}: {asked:?}"
            );
        }
        place.sh("rm -f /usr/local/bin/ctrl-alt-play").well();
    }
}
