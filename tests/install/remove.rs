//! Uninstallation: the program alone, or everything. The engine and other panels' games are never touched.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::engine::Refusing;
use super::{Place, Release, release};
use crate::harness::download_host::Downloads;

const SOCKET: &str = "/var/run/docker.sock";

/// An installation with its own data folder, since other tests use the same engine.
struct Installed {
    place: Place,
    data: String,
    _release: Release,
    _server: Downloads,
}

impl Installed {
    /// Installs with this engine's socket, which is only used to uninstall.
    fn new(root: &str, socket: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let data = format!("/srv/games-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let release = Release::new("1.2.3", &release::stand_in("1.2.3"));
        let server = Downloads::of(release.root());
        let place = Place::with_openrc(root, &["-v", &format!("{socket}:{SOCKET}")])
            .trusting(&release::our_key(), &server.base);
        place.install(&format!("--no-docker --port 4000 --data-dir {data}")).well();
        place.sh(&format!("mkdir -p {data}/servers/abc && echo world >{data}/servers/abc/level")).well();
        Self { place, data, _release: release, _server: server }
    }

    /// Creates a container of the real engine, with these labels and one to find it again.
    fn container(&self, name: &str, labels: &[&str]) {
        let mut args = vec!["create".to_owned(), "--label".to_owned(), format!("test={}", self.data)];
        args.extend(labels.iter().flat_map(|label| ["--label".to_owned(), (*label).to_owned()]));
        args.extend(["--label".to_owned(), format!("called={name}"), "cap-test/bookworm".to_owned()]);
        docker(&args.iter().map(String::as_str).collect::<Vec<_>>());
    }

    fn containers(&self) -> Vec<String> {
        let test = format!("label=test={}", self.data);
        let listed = docker(&["ps", "-a", "--filter", &test, "--format", "{{.Label \"called\"}}"]);
        let mut names: Vec<String> = listed.lines().map(str::to_owned).collect();
        names.sort();
        names
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        for id in docker(&["ps", "-aq", "--filter", &format!("label=test={}", self.data)]).lines() {
            docker(&["rm", "-f", "-v", id]);
        }
    }
}

fn docker(args: &[&str]) -> String {
    let out = Command::new("docker").args(args).output().unwrap();
    assert!(out.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn uninstalling_keeps_games_and_data_and_purging_nothing() {
    for root in ["bookworm", "trixie"] {
        let installed = Installed::new(root, SOCKET);
        let (place, data) = (&installed.place, &installed.data);
        let managed = "ctrl-alt-play.managed=true";
        installed.container("ours", &[managed, &format!("ctrl-alt-play.data-dir={data}")]);
        installed.container("anothers", &[managed, &format!("ctrl-alt-play.data-dir={data}-of-another")]);
        installed.container("foreign", &["com.example=1"]);
        // A dry run changes nothing, and without a terminal `--purge` needs a confirmation.
        place.mark();
        assert!(place.install("--uninstall --purge --dry-run").well().contains("ALL GAMES"));
        place.install("--uninstall --purge").refused("nobody is there to ask");
        assert_eq!(place.touched(), "");

        let said = place.install("--uninstall").well();
        assert!(said.contains(&format!("everything is still in {data}")), "{said}");
        let left = place.sh(&format!(
            "ls /usr/local/bin /usr/local/lib/ctrl-alt-play /etc/init.d/ctrl-alt-play 2>/dev/null; \
             cat /run/stub/default {data}/servers/abc/level; id -nu ctrl-alt-play; kill -0 $(cat /run/stub/serves) 2>&1"
        ));
        assert!(left.text.starts_with("/usr/local/bin:\nworld\nctrl-alt-play\n"), "{}", left.text);
        assert_ne!(left.code, 0, "it still runs");
        assert_eq!(installed.containers(), ["anothers", "foreign", "ours"]);
        // Uninstalling twice does no harm, and a new installation finds all data.
        place.install("--uninstall").well();
        place.install("--no-docker").well();
        place.sh(&format!("test -e {data}/setup-token")).well();
        // `--purge` also works after the program was removed: the installer downloads it for that.
        place.install("--uninstall").well();
        let said = place.install("--uninstall --purge --yes").well();
        assert!(said.contains("Removed, with all data."), "{said}");
        let left = place
            .sh("ls -A /usr/local/bin /srv /etc/default; id ctrl-alt-play; ls /usr/local/lib/ctrl-alt-play");
        assert!(
            left.text.starts_with("/etc/default:\n")
                && left.text.contains("\n/srv:\n\n/usr/local/bin:\nid: "),
            "{}",
            left.text
        );
        assert!(!left.text.contains("ctrl-alt-play\n/srv"), "{}", left.text);
        assert_eq!(installed.containers(), ["anothers", "foreign"]);
        let said = place.install("--uninstall --purge --yes").well();
        assert!(said.contains("Nothing to do"), "{said}");
    }
}

#[test]
fn a_folder_that_is_not_plainly_ours_is_not_removed() {
    let Installed { place, .. } = &Installed::new("bookworm", SOCKET);
    place.sh("mkdir -p /home/me && touch /home/me/letters && sed -i 's|^DATA_DIR=.*|DATA_DIR=/home/me|' /etc/default/ctrl-alt-play").well();
    place.mark();
    place.install("--uninstall --purge --yes").refused("does not look like a data folder");
    assert_eq!(place.touched(), "");
}

#[test]
fn an_engine_that_refuses_leaves_all_as_it_is() {
    let engine = Refusing::start();
    let Installed { place, data, .. } = &Installed::new("bookworm", engine.socket().to_str().unwrap());
    let said =
        place.install("--uninstall --purge --yes").refused("not all containers of games could be removed");
    assert!(said.contains("the disk is tired"), "{said}");
    assert_eq!(place.sh(&format!("cat {data}/servers/abc/level")).well(), "world\n");
    // With `--no-docker` it ignores the engine.
    place.install("--uninstall --purge --yes --no-docker").well();
    assert_eq!(place.sh("ls -A /srv /usr/local/bin").well(), "/srv:\n\n/usr/local/bin:\n");
}

#[test]
fn a_release_of_before_is_refused_with_nothing_changed() {
    let release = Release::new("1.2.3", &release::of_before("1.2.3"));
    let server = Downloads::of(release.root());
    let place = Place::with_openrc("bookworm", &[]).trusting(&release::our_key(), &server.base);
    place.mark();
    let said = place.install("--no-docker").refused("is older than this installer");
    assert!(said.contains("take the install.sh of that release. Nothing was changed"), "{said}");
    assert_eq!((place.touched().as_str(), place.sh("ls -A /usr/local/bin").well().as_str()), ("", ""));
    // An old version that is already installed is upgraded, or removed by a newer one.
    place.write("/usr/local/bin/ctrl-alt-play", "755", &release::of_before("1.2.3"));
    release.publish("1.2.4", &release::stand_in("1.2.4"));
    let said = place.install("--no-docker --port 4000").well();
    assert!(said.contains("1.2.3 becomes 1.2.4"), "{said}");
    place.write("/usr/local/bin/ctrl-alt-play", "755", &release::of_before("1.2.3"));
    assert!(place.install("--uninstall").well().contains("Removed."));
    assert_eq!(place.sh("ls -A /usr/local/bin; ls /etc/init.d/ctrl-alt-play 2>/dev/null").text, "");
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
