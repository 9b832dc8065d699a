# shellcheck shell=sh
# What install.sh and tests/run both need: find a tool, and install it on Debian where it is missing. POSIX sh, sourced
# with ROOT set to the checkout. Nothing here is done twice: each function looks first.

RUST_WANTED=1.93
NODE_WANTED=20.19
TOOLS=$ROOT/target/tools
ENGINE_LOG=${ENGINE_LOG:-/var/log/dockerd.log}

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

# at_least HAVE WANTED: compares versions.
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt_ready=
# apt_install PACKAGE…
apt_install() {
    have apt-get || die "this is no Debian: please install $* (or what it is called here) and run this again"
    say "Installing $*"
    if [ -z "$apt_ready" ]; then
        # Heals what an interrupted installation left behind; without it apt refuses everything.
        as_root dpkg --configure -a >/dev/null 2>&1 || true
        as_root apt-get update -qq || say "apt-get update failed; trying with what apt knows already"
        apt_ready=1
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$(apt_log)" 2>&1 ||
        die "apt could not install $*; its last words:
$(tail -n 15 "$(apt_log)")"
}

apt_log() {
    mkdir -p "$ROOT/target"
    echo "$ROOT/target/apt.log"
}

# --- the engine ---

engine_answers() {
    if have docker; then
        # Whoever is not in the docker group asks as root.
        docker version >/dev/null 2>&1 || as_root docker version >/dev/null 2>&1
        return
    fi
    # No command line, but perhaps an engine.
    have curl || return 1
    as_root curl -fsS -m 5 --unix-socket /var/run/docker.sock http://localhost/_ping >/dev/null 2>&1
}

need_engine() {
    if engine_answers; then return 0; fi
    have dockerd || apt_install docker.io iptables ca-certificates
    start_engine
}

start_engine() {
    if engine_answers; then return 0; fi
    if [ -d /run/systemd/system ]; then
        as_root systemctl enable --now docker.service >/dev/null 2>&1 || true
    else
        say "Starting the Docker engine; its log is $ENGINE_LOG"
        # A process id of an engine that is gone keeps a new one from starting.
        as_root sh -c 'pidof dockerd >/dev/null || rm -f /var/run/docker.pid'
        as_root sh -c "setsid dockerd >>'$ENGINE_LOG' 2>&1 </dev/null &"
    fi
    waited=0
    until engine_answers; do
        waited=$((waited + 1))
        [ "$waited" -le 60 ] || die "no Docker engine answers after a minute; see $ENGINE_LOG or journalctl -u docker"
        sleep 1
    done
}

# --- Rust ---

rust_version() {
    rustc --version 2>/dev/null | awk '{print $2}'
}

rust_is_here() {
    have cargo && have rustc && at_least "$(rust_version)" "$RUST_WANTED"
}

# A toolchain of the user's own is found even where sudo has taken it from the PATH.
find_rust() {
    if rust_is_here; then return 0; fi
    for place in "$HOME/.cargo/bin" "${SUDO_USER:+$(getent passwd "${SUDO_USER:-}" | cut -d: -f6)/.cargo/bin}"; do
        if [ -n "$place" ] && [ -x "$place/cargo" ]; then
            before=$PATH
            PATH=$place:$PATH
            if rust_is_here; then
                export PATH
                return 0
            fi
            PATH=$before
        fi
    done
    # Debian's own, behind an older one that comes first.
    if [ -x /usr/bin/rustc ] && at_least "$(/usr/bin/rustc --version 2>/dev/null | awk '{print $2}')" "$RUST_WANTED"; then
        PATH=/usr/bin:$PATH
        export PATH
        rust_is_here && return 0
    fi
    return 1
}

need_rust() {
    if ! find_rust; then
        # Debian's newer Rust, kept for its browsers, in the security archive; it takes the place of an older `rustc`.
        apt_install rustc-web cargo-web ca-certificates
        find_rust || die "Rust $RUST_WANTED is needed, there is ${before:-none}$(rust_version): \
enable Debian's security archive, or install it from https://rustup.rs"
    fi
    have cc || apt_install gcc libc6-dev
}

# --- Node ---

node_is_here() {
    have node && have npm && at_least "$(node --version 2>/dev/null | tr -d v)" "$NODE_WANTED"
}

find_node() {
    if node_is_here; then return 0; fi
    if [ -x "$TOOLS/node/node_modules/node/bin/node" ]; then
        PATH=$TOOLS/node/node_modules/node/bin:$PATH
        export PATH
    fi
    node_is_here
}

need_node() {
    if find_node; then return 0; fi
    have npm || apt_install npm ca-certificates
    say "Fetching Node 22 into $TOOLS/node"
    mkdir -p "$TOOLS/node"
    npm install --prefix "$TOOLS/node" --no-audit --no-fund --loglevel=error node@22 >&2 || die "npm could not fetch node@22"
    find_node || die "Node $NODE_WANTED is needed, there is $(node --version 2>/dev/null || echo none)"
}

# --- all of it, in words ---

# What a build finds here, and what it installs.
tools_plan() {
    if find_rust; then
        printf 'Rust %s is here' "$(rust_version)"
    else
        printf 'Rust %s is missing: it is installed from Debian'"'"'s packages' "$RUST_WANTED"
    fi
    have cc || printf '; a C compiler is missing: gcc is installed'
    if find_node; then
        printf '; Node %s is here' "$(node --version)"
    else
        printf '; Node %s is missing: Node 22 is fetched into %s/node, for the build alone' "$NODE_WANTED" "$TOOLS"
    fi
}

build_program() {
    need_rust
    need_node
    say "Building; the first time takes some minutes"
    cd "$ROOT" && cargo build --release --locked
}

# --- backups ---

# What backups are compared with and kept on in the tests: restic, servers for SFTP and REST, and one for S3.
backup_tools() {
    for tool in restic rclone sshfs lftp; do have "$tool" || apt_install "$tool"; done
    [ -x /usr/sbin/sshd ] || apt_install openssh-server
    have ssh || apt_install openssh-client
    if [ -x "$TOOLS/moto/bin/moto_server" ]; then return 0; fi
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then apt_install python3 python3-venv; fi
    rm -rf "$TOOLS/moto"
    if ! { python3 -m venv "$TOOLS/moto" && "$TOOLS/moto/bin/pip" install -q 'moto[s3,server]==5.*'; }; then
        rm -rf "$TOOLS/moto"
        die "moto could not be installed: it is the S3 server of the tests"
    fi
}
