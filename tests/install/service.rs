//! As a service, with the real program: its user, its folder, its settings; an upgrade through the guard and back; and
//! an old installation that ran as root. OpenRC is a stand-in that starts the service with its real script.

use super::simple::later;
use super::{Place, Release, release};
use crate::harness::download_host::Downloads;

/// Port of the panel, in its own network.
const PORT: u16 = 4000;

struct Ready {
    release: Release,
    _server: Downloads,
    place: Place,
}

fn ready(root: &str) -> Ready {
    let release = Release::new(release::BUILT, &release::program(release::BUILT));
    let server = Downloads::of(release.root());
    let place = Place::with_openrc(root, &[])
        .trusting(&release::our_key(), &server.base)
        // How long the guard waits for a new program.
        .env("CTRL_ALT_PLAY_PATIENCE", "10");
    place.write("/etc/default/ctrl-alt-play", "644", b"WEBSOCKET_PORT=4001\nHEALTH_PORT=off\nMDNS=off\n");
    Ready { release, _server: server, place }
}

async fn version_that_runs(ready: &Ready) -> String {
    ready.place.answers(PORT).await;
    let running = "$(cat /run/stub/ctrl-alt-play.pid)";
    ready.place.sh(&format!("/proc/{running}/exe --version; stat -c %U /proc/{running}")).well()
}

#[tokio::test]
async fn it_becomes_a_service_of_its_own_user_and_upgrades_go_back_when_they_fail() {
    let ready = ready("bookworm");
    let place = &ready.place;
    place.sh("groupadd --system docker").well();
    let line = format!("--no-docker --port {}", PORT);
    let said = place.install(&line).well();
    for words in ["the user ctrl-alt-play is made", "/setup#token=", &format!(":{}/", PORT)] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(version_that_runs(&ready).await, format!("ctrl-alt-play {}\nctrl-alt-play\n", release::BUILT));
    let owners = place.sh(
        "stat -c '%a %U %n' /etc/default/ctrl-alt-play /etc/init.d/ctrl-alt-play /usr/local/lib/ctrl-alt-play/guard \
         /var/lib/ctrl-alt-play; id -nG ctrl-alt-play; cat /run/stub/default; getent passwd ctrl-alt-play | cut -d: -f7; \
         ls -A /usr/local/lib/ctrl-alt-play",
    );
    assert_eq!(
        owners.well(),
        "600 root /etc/default/ctrl-alt-play\n755 root /etc/init.d/ctrl-alt-play\n755 root \
         /usr/local/lib/ctrl-alt-play/guard\n700 ctrl-alt-play /var/lib/ctrl-alt-play\nctrl-alt-play docker\n\
         ctrl-alt-play\n/usr/sbin/nologin\nguard\n"
    );

    // A second run writes and restarts nothing.
    place.mark();
    let calls = "grep -c -E 'start|stop' /run/stub/calls; cat /run/stub/ctrl-alt-play.pid";
    let before = place.sh(calls).well();
    let said = place.install(&line).well();
    assert!(said.contains("Nothing to do") && said.contains("/setup#token="), "{said}");
    assert_eq!((place.touched(), place.sh(calls).well()), (String::new(), before));
    // A new setting is the only change.
    let said = place.install("--no-docker --port 4002").well();
    assert!(said.contains("settings are written") && !said.contains("becomes"), "{said}");
    place.install(&line).well();

    // A newer version, through the guard.
    let newer = later(8);
    ready.release.publish(&newer, &release::program(&newer));
    let said = place.install(&line).well();
    assert!(said.contains("goes back by itself"), "{said}");
    assert_eq!(version_that_runs(&ready).await, format!("ctrl-alt-play {newer}\nctrl-alt-play\n"));
    let outcome =
        place.sh("cat /var/lib/ctrl-alt-play/upgrade/outcome; ls /var/lib/ctrl-alt-play/upgrade").well();
    assert!(outcome.contains("result=done"), "{outcome}");
    for left in ["staged", "trial", "program"] {
        assert!(!outcome.contains(left), "{outcome}");
    }
    place.mark();
    assert!(place.install(&line).well().contains("Nothing to do"));
    assert_eq!(place.touched(), "");

    // A version that does not start: the previous one is restored, and the reason is shown.
    let broken = later(9);
    ready.release.publish(&broken, &release::dud(&broken));
    let said = place.install(&line).refused(&format!("{broken} did not come up"));
    assert!(said.contains(&format!("and {newer} is back as it was")), "{said}");
    assert_eq!(version_that_runs(&ready).await, format!("ctrl-alt-play {newer}\nctrl-alt-play\n"));
    let outcome = place.sh("cat /var/lib/ctrl-alt-play/upgrade/outcome").well();
    assert!(outcome.contains("result=reverted") && outcome.contains(&format!("to={broken}")), "{outcome}");
}

#[tokio::test]
async fn an_installation_that_ran_as_root_becomes_the_users() {
    let ready = ready("bookworm");
    let place = &ready.place;
    place
        .sh(&format!("echo PORT={} >>/etc/default/ctrl-alt-play; chmod 600 /etc/default/ctrl-alt-play", PORT))
        .well();
    // The state of an old installation: a service of root, with the files of a panel and its games.
    place.write("/usr/local/bin/ctrl-alt-play", "755", &release::program(release::BUILT));
    let old = "#!/sbin/openrc-run\ncommand=/usr/local/bin/ctrl-alt-play\ncommand_args=serve\ncommand_user=root:root\n\
               output_log=/var/log/ctrl-alt-play.log\nexport DATA_DIR=/var/lib/ctrl-alt-play\n\
               start_pre() { set -a; . /etc/default/ctrl-alt-play; set +a; }\n";
    place.write("/etc/init.d/ctrl-alt-play", "755", old.as_bytes());
    place.sh("rc-update add ctrl-alt-play default; rc-service ctrl-alt-play start").well();
    assert_eq!(version_that_runs(&ready).await, format!("ctrl-alt-play {}\nroot\n", release::BUILT));
    let setup = "cd /var/lib/ctrl-alt-play && mkdir -p servers/abc/world servers/of-root servers/.arrived-old/y \
                 && touch servers/abc/world/level servers/of-root/file && ln -s /etc/shadow servers/abc/link && ln -s /etc/shadow out \
                 && chown -R 988:988 servers/abc && chown 0:0 servers/abc/world/level && chown -R 988:988 servers/.arrived-old/y";
    place.sh(setup).well();

    let newer = later(8);
    ready.release.publish(&newer, &release::program(&newer));
    let said = place.install("--no-docker").well();
    assert!(said.contains("/var/lib/ctrl-alt-play becomes the user's"), "{said}");
    assert_eq!(version_that_runs(&ready).await, format!("ctrl-alt-play {newer}\nctrl-alt-play\n"));
    let owners = place.sh(
        "cd /var/lib/ctrl-alt-play; stat -c '%U %n' . panel.redb secrets servers out /etc/shadow servers/abc servers/abc/link \
         servers/abc/world/level servers/of-root servers/of-root/file \
         servers/.arrived-old servers/.arrived-old/y",
    );
    let ours = "ctrl-alt-play";
    assert_eq!(
        owners.well(),
        format!(
            "{ours} .\n{ours} panel.redb\n{ours} secrets\n{ours} servers\n{ours} out\nroot /etc/shadow\nUNKNOWN servers/abc\n\
             UNKNOWN servers/abc/link\nroot servers/abc/world/level\nroot servers/of-root\nroot servers/of-root/file\n\
             {ours} servers/.arrived-old\nUNKNOWN servers/.arrived-old/y\n"
        )
    );
    place.mark();
    assert!(place.install("--no-docker").well().contains("Nothing to do"));
    assert_eq!(place.touched(), "");
}

#[tokio::test]
async fn an_older_installer_leaves_a_newer_program_alone_and_another_prefix_is_refused() {
    let ready = ready("trixie");
    let place = &ready.place;
    let newer = later(8);
    ready.release.publish(&newer, &release::program(&newer));
    place.install(&format!("--no-docker --prefix /opt/games --port {}", PORT)).well();
    assert_eq!(version_that_runs(&ready).await, format!("ctrl-alt-play {newer}\nctrl-alt-play\n"));
    assert!(
        place.sh("grep -c /opt/games/ /etc/init.d/ctrl-alt-play; ls /usr/local/bin").well().ends_with("\n")
    );
    place.mark();
    place.install(&format!("--no-docker --version {}", release::BUILT)).refused("is older");
    place.install("--no-docker --prefix /usr/local").refused("it is installed in /opt/games");
    // Without `--prefix`, the prefix of the existing installation is used.
    assert!(place.install("--no-docker").well().contains("Nothing to do"));
    assert_eq!(place.touched(), "");
}
