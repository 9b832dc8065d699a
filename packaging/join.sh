#!/bin/sh
# Makes this machine a node of a Ctrl-Alt-Play panel: gets the program from the panel, a Docker engine from the
# distribution where none answers, and starts the agent. The panel serves this file and shows the whole line under
# Nodes, Add. Running it again, with the same line or a newer one, mends and renews.
set -eu

BINARY=/usr/local/bin/ctrl-alt-play
SETTINGS=/etc/default/ctrl-alt-play-agent
UNIT=/etc/systemd/system/ctrl-alt-play-agent.service
DATA_DIR=/var/lib/ctrl-alt-play-agent
HEALTH_PORT=${HEALTH_PORT:-8081}

usage() {
    cat <<'TEXT'
join.sh --panel URL --agents URL --node ID --secret SECRET [--pin PIN [--public]]
join.sh --uninstall       stop and remove the agent; games and their files stay
join.sh --help            this

  --panel    where the panel's page is, such as https://192.168.1.20:3000
  --agents   where its agents come to, such as wss://192.168.1.20:8080
  --node     this machine's id in the panel
  --secret   that node's secret
  --pin      the panel's key, as sha256//BASE64: nothing is said to a machine that has another one
  --public   the page has a certificate of its own that the public authorities know: the pin is of the agents' port

As root or with sudo. Where systemd runs the agent becomes a service, elsewhere it runs in the foreground.
TEXT
}

say() {
    printf '%s\n' "$*" >&2
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

systemd_runs() {
    [ -d /run/systemd/system ]
}

engine_answers() {
    as_root curl -fsS -m 5 --unix-socket /var/run/docker.sock http://localhost/_ping >/dev/null 2>&1
}

plan() {
    say "This machine becomes the node $node of the panel at $panel. This will happen:"
    if engine_answers; then
        say "  - a Docker engine answers: it is used as it is"
    elif have dockerd; then
        say "  - the Docker engine is installed, but does not run: it is started"
    else
        say "  - no Docker engine: it is installed from the distribution's packages and started"
    fi
    say "  - the program is fetched from the panel and put at $BINARY; the games' files will be in $DATA_DIR"
    if systemd_runs; then
        say "  - the service ctrl-alt-play-agent is enabled and started"
    else
        say "  - no systemd here: the agent runs in the foreground, Ctrl-C ends it, games go on"
    fi
    say ""
}

install_engine() {
    say "Installing a Docker engine"
    if have apt-get; then
        as_root dpkg --configure -a >/dev/null 2>&1 || true
        as_root apt-get update -qq || say "apt-get update failed; trying with what apt knows already"
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            docker.io iptables ca-certificates >/dev/null
    elif have dnf; then
        as_root dnf install -y -q moby-engine
    elif have pacman; then
        as_root pacman -S --needed --noconfirm docker
    elif have zypper; then
        as_root zypper --non-interactive install docker
    elif have apk; then
        as_root apk add docker
    else
        die "no Docker engine answers, and how to install one here is not known: install it, then run this again"
    fi
}

need_engine() {
    if engine_answers; then return 0; fi
    have dockerd || install_engine
    if systemd_runs; then
        as_root systemctl enable --now docker.service >/dev/null 2>&1 || true
    elif have rc-service; then
        as_root rc-update add docker default >/dev/null 2>&1 || true
        as_root rc-service docker start >/dev/null 2>&1 || true
    else
        as_root sh -c 'pidof dockerd >/dev/null || rm -f /var/run/docker.pid'
        as_root sh -c 'setsid dockerd >>/var/log/dockerd.log 2>&1 </dev/null &'
    fi
    waited=0
    until engine_answers; do
        waited=$((waited + 1))
        [ "$waited" -le 60 ] || die "no Docker engine answers after a minute; see journalctl -u docker or /var/log/dockerd.log"
        sleep 1
    done
}

# The secret goes by a file that only we may read, not by the command line that everybody sees.
from_panel() {
    set -- -fsS --retry 3 --connect-timeout 10 --speed-limit 1 --speed-time 30 -K "$work/curl" "$@"
    if [ -n "$pin" ] && [ -z "$public" ]; then
        curl -k --pinnedpubkey "$pin" "$@"
    else
        curl "$@"
    fi
}

fetch() {
    printf 'header = "Authorization: Bearer %s"\n' "$secret" >"$work/curl"
    say "Fetching the program from $panel"
    status=$(from_panel -o "$work/program" -w '%{http_code}' "$panel/api/nodes/$node/program?arch=$(uname -m)" 2>"$work/words") || {
        case $status in
        401) die "the panel does not take this secret for $node: get a new line under Nodes" ;;
        404) die "the panel has no program for $(uname -m): put one into the folder \`agents\` of its data folder, named
ctrl-alt-play-$(uname -m), then run this again" ;;
        *) die "the program could not be fetched: $(cat "$work/words")" ;;
        esac
    }
}

# Beside the old one and tried there (nothing runs in the /tmp of some machines), and only then over it.
place() {
    as_root mkdir -p "$(dirname "$BINARY")"
    as_root install -m 0755 -o root -g root "$work/program" "$BINARY.new"
    if ! "$BINARY.new" --version >"$work/words" 2>&1; then
        as_root rm -f "$BINARY.new"
        die "the panel's program does not run here: $(head -n 2 "$work/words")"
    fi
    as_root mv -f "$BINARY.new" "$BINARY"
    cat >"$work/settings" <<TEXT
PANEL_URL=$agents
NODE_ID=$node
AGENT_SECRET=$secret
PANEL_PIN=$pin
DATA_DIR=$DATA_DIR
HEALTH_PORT=$HEALTH_PORT
TEXT
    if [ -z "$pin" ]; then sed -i '/^PANEL_PIN=/d' "$work/settings"; fi
    as_root mkdir -p /etc/default
    as_root install -m 0600 -o root -g root "$work/settings" "$SETTINGS"
}

connected() {
    curl -fsS -m 3 "http://127.0.0.1:$HEALTH_PORT/health" 2>/dev/null | grep -q "\"nodeId\":\"$node\""
}

start_service() {
    cat >"$work/unit" <<'TEXT'
@UNIT@
TEXT
    as_root install -m 0644 -o root -g root "$work/unit" "$UNIT"
    as_root systemctl daemon-reload
    as_root systemctl enable --quiet ctrl-alt-play-agent
    as_root systemctl restart ctrl-alt-play-agent
    tries=0
    until connected; do
        tries=$((tries + 1))
        if [ "$tries" -gt 30 ] || as_root systemctl is-failed --quiet ctrl-alt-play-agent; then
            as_root journalctl -u ctrl-alt-play-agent -n 20 --no-pager >&2 || true
            die "the agent does not reach the panel at $agents; above are the last lines of its log"
        fi
        sleep 1
    done
    say ""
    say "$node is a node of the panel now: it shows under Nodes, and new servers can be placed on it."
    say "Its log: journalctl -u ctrl-alt-play-agent -f      Stop it: systemctl stop ctrl-alt-play-agent (games go on)"
}

run_here() {
    say "Starting in the foreground; Ctrl-C ends the agent, games go on."
    as_root sh -c "set -a; . $SETTINGS; exec $BINARY agent"
}

uninstall() {
    if systemd_runs; then as_root systemctl disable --now --quiet ctrl-alt-play-agent 2>/dev/null || true; fi
    as_root rm -f "$UNIT" "$SETTINGS"
    if systemd_runs; then as_root systemctl daemon-reload; fi
    # The program is the panel's too, where one runs on this machine.
    [ -e /etc/systemd/system/ctrl-alt-play.service ] || as_root rm -f "$BINARY"
    say "Removed. Games that run go on, and their files are still in $DATA_DIR; remove the node in the panel as well."
}

# As a function, so that half of this file does nothing.
main() {
    panel='' agents='' node='' secret='' pin='' public='' what=join
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --uninstall) what=uninstall ;;
        --public) public=yes ;;
        --panel | --agents | --node | --secret | --pin)
            [ $# -gt 1 ] || die "$1 wants a value"
            case $1 in
            --panel) panel=${2%/} ;;
            --agents) agents=$2 ;;
            --node) node=$2 ;;
            --secret) secret=$2 ;;
            --pin) pin=$2 ;;
            esac
            shift
            ;;
        *)
            usage >&2
            die "unknown option $1"
            ;;
        esac
        shift
    done
    [ "$(uname -s)" = Linux ] || die "this runs on Linux only"
    if [ "$(id -u)" != 0 ] && ! have sudo; then
        die "run this as root, or install sudo: packages and $BINARY need it"
    fi
    if [ "$what" = uninstall ]; then
        uninstall
        exit 0
    fi
    for name in panel agents node secret; do
        eval "value=\$$name"
        # shellcheck disable=SC2154
        [ -n "$value" ] || die "--$name is missing: copy the whole line that the panel shows under Nodes, Add"
        case $value in *[!A-Za-z0-9._:/\[\]-]*) die "--$name holds characters that it cannot have" ;; esac
    done
    case $pin in *[!A-Za-z0-9+/=,]*) die "--pin is a key such as sha256//BASE64" ;; esac
    have curl || die "curl is missing: install it first"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    chmod 0700 "$work"
    plan
    need_engine
    fetch
    place
    if systemd_runs; then start_service; else run_here; fi
}

main "$@"
