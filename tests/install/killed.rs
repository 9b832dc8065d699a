//! The installer is killed by SIGKILL before and after each command that changes something, and before each system call
//! of the program that does, and run again: it always succeeds. A run tests every fifth or third of these moments, from
//! a random start; `--long` tests all.

use super::{Place, Release, release};
use crate::harness::long;

/// Runs in the container: counts commands or system calls (KILL_BY), and kills the installer at number KILL_AT. Even
/// numbers kill before a command and odd ones after it; calls are always killed before. Then runs it again undisturbed,
/// and checks the result.
const LOOP: &str = r#"
set -u
mkdir -p /shims
for name in mkdir install mv rm cp chmod chown touch mktemp rmdir useradd usermod rc-service rc-update sync; do
    real=$(command -v $name) || continue
    cat >/shims/$name <<SHIM
#!/bin/sh
[ $KILL_BY = commands ] || exec $real "\$@" 9>&-
read -r n </run/count; n=\$((n + 1)); echo \$n >/run/count
if [ \$n = \$((KILL_AT / 2)) ] && [ \$((KILL_AT % 2)) = 0 ]; then kill -9 \$(cat /run/installer) \$PPID; exit 137; fi
$real "\$@" 9>&-
code=\$?
if [ \$n = \$((KILL_AT / 2)) ]; then kill -9 \$(cat /run/installer) \$PPID; fi
exit \$code
SHIM
    chmod 755 /shims/$name
done
fail() {
    echo "FAILED at $KILL_AT: $*"
    sed 's/^/    /' /tmp/first /tmp/second /tmp/third
    exit 1
}
run() {
    KILL_BY='' sh $1/install.sh --no-docker --port $2
}
half=1
if [ $KILL_BY = commands ]; then half=2; fi
KILL_AT=$((half + OFFSET))
if [ $KILL_BY = calls ]; then rm -f /run/recorded; fi
while :; do
    sh /media/old/install.sh --uninstall --purge --yes --no-docker >/tmp/clean 2>&1 || { cat /tmp/clean; exit 1; }
    rm -rf /etc/default/ctrl-alt-play /usr/local/bin/.ctrl-alt-play-*
    if [ $FROM = old ]; then run /media/old $OLD_PORT >/tmp/first 2>&1 || fail "the old one"; fi
    if [ $FROM = same ]; then run /media/new $OLD_PORT >/tmp/first 2>&1 || fail "the one before"; fi
    if [ $KILL_BY = calls ] && [ ! -e /run/recorded ]; then
        KILL_BY=record sh /media/new/install.sh --no-docker --port $PORT >/tmp/first 2>&1 || fail "in peace"
        continue
    fi
    echo 0 >/run/count
    : >/tmp/first >/tmp/second >/tmp/third
    (echo 'echo $$ >/run/installer; PATH=/shims:$PATH; export KILL_AT KILL_BY PATH; exec sh /media/new/install.sh --no-docker --port '$PORT) >/run/runner
    export KILL_AT
    sh /run/runner >/tmp/first 2>&1
    code=$?
    read -r n </run/count
    if [ $code = 0 ]; then
        [ $n -lt $((KILL_AT / half)) ] || fail "it was not killed"
        break
    fi
    [ $code = 137 ] || fail "ended with $code"
    # Never half a program, whenever.
    if [ -e /usr/local/bin/ctrl-alt-play ]; then ctrl-alt-play --version | grep -qE '^ctrl-alt-play 1\.2\.[34]$' || fail "half a program"; fi
    run /media/new $PORT >/tmp/second 2>&1 || fail "the second run"
    [ "$(ctrl-alt-play --version)" = "ctrl-alt-play 1.2.4" ] || fail "the program"
    PORT=$PORT ctrl-alt-play healthcheck || fail "it does not run"
    [ "$(stat -c '%U %a' /var/lib/ctrl-alt-play)" = "ctrl-alt-play 700" ] || fail "the folder"
    [ "$(cat /etc/default/ctrl-alt-play)" = "PORT=$PORT" ] || fail "the settings"
    left=$(find /usr/local /etc /var/lib/ctrl-alt-play -name '*.new' -o -name '.ctrl-alt-play-*' -o -name 'unfinished*' -o -name '*.part' -o -name staged)
    [ -z "$left" ] || fail "left: $left"
    run /media/new $PORT >/tmp/third 2>&1
    grep -q 'Nothing to do' /tmp/third || fail "the third run"
    KILL_AT=$((KILL_AT + STEP))
done
echo "moments: $((KILL_AT - half))"
"#;

fn killed_everywhere(from: &str, at_least: u32) {
    let old = Release::new("1.2.3", &release::stand_in("1.2.3"));
    let new = Release::new("1.2.4", &release::stand_in("1.2.4"));
    let step = if long() {
        1
    } else if from == "same" {
        3
    } else {
        5
    };
    let mount = |release: &Release, at: &str| format!("{}:/media/{at}:ro", release.newest().display());
    let killed = |by: &str| {
        let place = Place::with_openrc("trixie", &["-v", &mount(&old, "old"), "-v", &mount(&new, "new")])
            .env("FROM", from)
            .env("KILL_BY", by)
            .env("STEP", step.to_string())
            .env("OFFSET", (std::process::id() % step).to_string())
            .env("OLD_PORT", "4000")
            .env("PORT", "4001");
        let said = place.sh(LOOP).well();
        let last = said.lines().last().unwrap();
        last.trim_start_matches("moments: ").parse::<u32>().expect(last)
    };
    let found = [killed("commands"), killed("calls")];
    // A lower number would mean that the changes were not counted.
    assert!(found.iter().all(|count| *count > at_least), "{found:?}");
}

#[test]
fn a_fresh_installation() {
    killed_everywhere("nothing", 30);
}

#[test]
fn an_upgrade() {
    killed_everywhere("old", 30);
}

#[test]
fn another_setting_alone() {
    killed_everywhere("same", 10);
}
