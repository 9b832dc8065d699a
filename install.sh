#!/bin/sh
# Builds Ctrl-Alt-Play from this checkout, puts it in place and starts it. Made for a bare Debian 12; elsewhere it does
# the same once a Docker engine, Rust and Node are there. Running it again upgrades.
set -eu

ROOT=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=packaging/tools.sh
. "$ROOT/packaging/tools.sh"

BINARY=/usr/local/bin/ctrl-alt-play
UNIT=/etc/systemd/system/ctrl-alt-play.service
DATA_DIR=${DATA_DIR:-/var/lib/ctrl-alt-play}
PORT=${PORT:-3000}
BIND=${BIND:-0.0.0.0}

usage() {
    cat <<TEXT
./install.sh              install what is missing, build, put $BINARY in place, start it
./install.sh --no-start   the same without starting it
./install.sh --uninstall  stop the panel, remove program and service; games and $DATA_DIR stay
./install.sh --help       this

As root or with sudo. Where systemd runs the panel becomes a service, elsewhere it runs in the foreground.
Settings of the service: /etc/default/ctrl-alt-play, one NAME=value a line.
TEXT
}

systemd_runs() {
    [ -d /run/systemd/system ]
}

plan() {
    say "Ctrl-Alt-Play, from $ROOT. This will happen:"
    if engine_answers; then
        say "  - a Docker engine answers: it is used as it is"
    elif have dockerd; then
        say "  - the Docker engine is installed, but does not run: it is started"
    else
        say "  - no Docker engine: docker.io is installed from Debian and started"
    fi
    if find_rust; then
        say "  - Rust $(rust_version) is here"
    else
        say "  - Rust $RUST_WANTED is missing: rustc-web and cargo-web are installed from Debian"
        if have rustc; then say "    (they take the place of Rust $(rust_version))"; fi
    fi
    have cc || say "  - a C compiler is missing: gcc is installed from Debian"
    if find_node; then
        say "  - Node $(node --version) is here"
    else
        have npm || say "  - npm is missing: it is installed from Debian"
        say "  - Node $NODE_WANTED is missing: Node 22 is fetched into $TOOLS/node, for the build alone"
    fi
    if [ -x "$BINARY" ]; then
        say "  - $BINARY is replaced: the panel is away for a moment, running games go on"
    else
        say "  - the program is put at $BINARY, its data at $DATA_DIR"
    fi
    if [ "$start" = no ]; then
        say "  - nothing is started"
    elif systemd_runs; then
        say "  - the service ctrl-alt-play is enabled and started"
    else
        say "  - no systemd here: the panel runs in the foreground, Ctrl-C ends it, games go on"
    fi
    say ""
}

build() {
    need_rust
    need_node
    say "Building; the first time takes some minutes"
    cd "$ROOT"
    cargo build --release --locked
}

# Beside and then over the old one: a running program's file cannot be written, and nothing is ever half there.
place() {
    as_root install -m 0755 -o root -g root "$ROOT/target/release/ctrl-alt-play" "$BINARY.new"
    as_root mv -f "$BINARY.new" "$BINARY"
    if systemd_runs; then
        as_root install -m 0644 -o root -g root "$ROOT/packaging/systemd/ctrl-alt-play.service" "$UNIT"
        as_root systemctl daemon-reload
    fi
}

start_service() {
    as_root systemctl enable --quiet ctrl-alt-play
    as_root systemctl restart ctrl-alt-play
    tries=0
    until answers; do
        tries=$((tries + 1))
        if [ "$tries" -gt 30 ] || as_root systemctl is-failed --quiet ctrl-alt-play; then
            as_root journalctl -u ctrl-alt-play -n 20 --no-pager >&2 || true
            die "the panel does not answer; above are the last lines of its log"
        fi
        sleep 1
    done
    show_address
}

# What the service is told in its settings file goes before what this shell has.
settings() {
    if as_root test -r /etc/default/ctrl-alt-play; then
        for name in PORT DATA_DIR BIND; do
            value=$(as_root sed -n "s/^$name=//p" /etc/default/ctrl-alt-play | tail -n 1 | tr -d "\"'")
            [ -z "$value" ] || eval "$name=\$value"
        done
    fi
}

answers() {
    as_root env PORT="$PORT" BIND="$BIND" DATA_DIR="$DATA_DIR" "$BINARY" healthcheck >/dev/null 2>&1
}

# The address that this machine has towards the outside, rather than one of the engine's bridges.
own_address() {
    address=$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([^ ]*\).*/\1/p' | head -n 1)
    [ -n "$address" ] || address=$(hostname -I 2>/dev/null | tr ' ' '\n' | grep -v '^172\.1[7-9]\.' | head -n 1)
    [ -n "$address" ] || address=localhost
    case $address in *:*) address="[$address]" ;; esac
    echo "$address"
}

show_address() {
    say ""
    if as_root test -s "$DATA_DIR/setup-token"; then
        say "Ctrl-Alt-Play runs. Open this link and make your account:"
        say ""
        say "    http://$(own_address):$PORT/setup#token=$(as_root cat "$DATA_DIR/setup-token")"
    else
        say "Ctrl-Alt-Play runs:"
        say ""
        say "    http://$(own_address):$PORT/"
    fi
    say ""
    say "Its log: journalctl -u ctrl-alt-play -f        Stop it: systemctl stop ctrl-alt-play (games go on)"
}

run_here() {
    start_engine
    if answers; then
        say "A panel runs here already: stop it (Ctrl-C where it was started), then run this again to start the new one."
        exit 0
    fi
    say "Starting in the foreground; Ctrl-C ends the panel, games go on."
    if [ "$(id -u)" = 0 ]; then
        exec env PORT="$PORT" BIND="$BIND" DATA_DIR="$DATA_DIR" "$BINARY" serve
    fi
    exec sudo env PORT="$PORT" BIND="$BIND" DATA_DIR="$DATA_DIR" "$BINARY" serve
}

uninstall() {
    if [ -e "$UNIT" ] && systemd_runs; then
        as_root systemctl disable --now --quiet ctrl-alt-play || true
    fi
    as_root rm -f "$UNIT" "$BINARY"
    if systemd_runs; then as_root systemctl daemon-reload; fi
    say "Removed. Games that run go on, and everything is still in $DATA_DIR; to remove that too:"
    say "    docker ps -aq --filter label=ctrl-alt-play.managed | xargs -r docker rm -f; rm -r $DATA_DIR"
}

start=yes
what=install
for argument in "$@"; do
    case $argument in
    -h | --help)
        usage
        exit 0
        ;;
    --no-start) start=no ;;
    --uninstall) what=uninstall ;;
    *)
        usage >&2
        die "unknown option $argument"
        ;;
    esac
done

[ "$(uname -s)" = Linux ] || die "this runs on Linux only"
if [ "$(id -u)" != 0 ] && ! have sudo; then
    die "run this as root, or install sudo: packages and $BINARY need it"
fi
if [ "$what" = uninstall ]; then
    uninstall
    exit 0
fi

plan
need_engine
build
place
settings
if [ "$start" = no ]; then
    say "Installed. Start it with: systemctl enable --now ctrl-alt-play, or: $BINARY serve"
elif systemd_runs; then
    start_service
else
    run_here
fi
