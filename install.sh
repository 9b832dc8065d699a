#!/bin/sh
# Installs Ctrl-Alt-Play, upgrades it, makes this machine a node of a panel elsewhere, or takes it all away again. One
# file for all of it: piped from a download, in a checkout, in a release folder without network, and from a panel.
# Everything stands in functions, and the last line calls them: half of this file does nothing.
set -eu

# Where releases are and who signs them, filled in by packaging/release; a checkout knows neither.
DOWNLOAD=''
KEY=''
VERSION=0.1.0

USER_NAME=ctrl-alt-play
UNITS=/etc/systemd/system
SCRIPTS=/etc/init.d

usage() {
    cat <<'TEXT'
install.sh [OPTIONS]             install Ctrl-Alt-Play, or upgrade what is there
install.sh --agent --panel …     make this machine a node of a panel: the page shows the whole line under Nodes, Add
install.sh --uninstall           stop and remove the program; games, their files and all settings stay
install.sh --uninstall --purge   remove the games' containers, all data, settings and the user as well

  --dry-run         say what would be done, and do nothing
  --yes             do not ask
  --version V       that release instead of the newest one; without a V: which version this installer is of
  --prefix FOLDER   where the program goes [/usr/local]
  --data-dir FOLDER where everything is kept [/var/lib/ctrl-alt-play]
  --port PORT       the page's port [3000]
  --no-docker       install no container engine
  --no-start        install only
  --help            this

Of a node (--agent):
  --panel URL       where the panel's page is, such as https://192.168.1.20:3000
  --agents URL      where its agents come to, such as wss://192.168.1.20:8080
  --node ID         this machine's id in the panel
  --secret SECRET   that node's secret
  --pin PIN         the panel's key, as sha256//BASE64: nothing is said to a machine that has another one
  --public          the page has a certificate that the public authorities know: the pin is of the agents' port

As root or with sudo. Under systemd or OpenRC it becomes a service, elsewhere it runs in the foreground. In a checkout it
is built; beside a SHA256SUMS it is taken from that folder; else it is fetched, and its signature is checked.
CTRL_ALT_PLAY_DOWNLOAD and CTRL_ALT_PLAY_KEY name another place for releases and the key that signs them.
TEXT
}

# --- words and tools ---

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

is_root() {
    [ "$(id -u)" = 0 ]
}

# The lock (9) stays ours: what is started here may live longer. Without sudo only a dry run comes here.
as_root() {
    if is_root || ! have sudo; then
        "$@" 9>&-
    else
        sudo "$@" 9>&-
    fi
}

# Nothing of an unfinished run stays, however it ends.
tidy() {
    if [ -n "$work" ]; then rm -rf "$work"; fi
    if [ -n "$stage" ]; then as_root rm -rf "$stage"; fi
    if [ "$made" = yes ]; then as_root rmdir "$PREFIX/bin" 2>/dev/null || true; fi
    work='' stage='' made=no
}

# newer A B: whether version A comes after version B.
newer() {
    awk -v a="$1" -v b="$2" 'BEGIN {
        sub(/\+.*/, "", a); sub(/\+.*/, "", b)
        pa = pb = ""
        if ((i = index(a, "-")) > 0) { pa = substr(a, i + 1); a = substr(a, 1, i - 1) }
        if ((i = index(b, "-")) > 0) { pb = substr(b, i + 1); b = substr(b, 1, i - 1) }
        split(a, x, "."); split(b, y, ".")
        for (i = 1; i <= 3; i++) if (x[i] + 0 != y[i] + 0) exit !(x[i] + 0 > y[i] + 0)
        if (pa == pb || pa != "" && pb == "") exit 1
        if (pa == "") exit 0
        n = split(pa, x, "."); m = split(pb, y, ".")
        for (i = 1; i <= n && i <= m; i++) if (x[i] != y[i]) {
            dx = x[i] ~ /^[0-9]+$/; dy = y[i] ~ /^[0-9]+$/
            if (dx && dy) exit !(x[i] + 0 > y[i] + 0)
            if (dx != dy) exit dx
            exit !(x[i] "" > y[i] "")
        }
        exit !(n > m)
    }'
}

nap() {
    sleep 0.2 2>/dev/null || sleep 1
}

hash_of() {
    as_root sha256sum "$1" 2>/dev/null | cut -c 1-64
}

version_of() {
    if [ -x "$1" ]; then "$1" --version 2>/dev/null | awk 'NR == 1 { print $2 }'; fi
}

# copy FILE PLACE MODE OWNER: whole or not at all, and never readable by more than MODE says.
copy() {
    as_root rm -f "$2.new" && (umask 077 && as_root cp "$1" "$2.new") && as_root chown "$4" "$2.new" &&
        as_root chmod "$3" "$2.new" && as_root mv -f "$2.new" "$2" && return 0
    as_root rm -f "$2.new"
    return 1
}

# put FILE PLACE MODE: as root's, and not at all where it is there already.
put() {
    if as_root cmp -s "$1" "$2"; then return 0; fi
    as_root mkdir -p "$(dirname "$2")"
    if ! copy "$1" "$2" "$3" 0:0; then
        die "$2 could not be written: is the disk full, or read-only?"
    fi
    restart=yes
}

# --- what machine this is ---

machine() {
    system='this system' ids=''
    for file in /etc/os-release /usr/lib/os-release; do
        [ -r "$file" ] || continue
        # shellcheck source=/dev/null
        ids=$(. "$file" && printf '%s %s' "${ID:-}" "${ID_LIKE:-}")
        # shellcheck source=/dev/null
        system=$(. "$file" && printf '%s' "${PRETTY_NAME:-${ID:-this system}}")
        break
    done
    packages=''
    for id in $ids; do
        case $id in
        debian | ubuntu | raspbian) packages=apt-get ;;
        fedora | rhel | centos) packages=dnf ;;
        arch | archarm | manjaro) packages=pacman ;;
        alpine) packages=apk ;;
        opensuse* | suse | sles) packages=zypper ;;
        esac
        if [ -n "$packages" ]; then break; fi
    done
    if [ -z "$packages" ] || ! have "$packages"; then
        packages=''
        for manager in apt-get dnf pacman apk zypper; do
            if have "$manager"; then
                packages=$manager
                break
            fi
        done
    fi
    if [ -d /run/systemd/system ]; then
        init=systemd
    elif have rc-service && [ -d /run/openrc ]; then
        init=openrc
    else
        init=none
    fi
}

# The programs' kind is what counts: on a Raspberry Pi a 64-bit kernel often runs a 32-bit system.
architecture() {
    kernel=$(uname -m)
    bits=$( (dpkg --print-architecture || apk --print-arch) 2>/dev/null || true)
    case $bits in
    arm64 | aarch64 | amd64 | x86_64) bits=64 ;;
    armhf | armel | armv7 | i386 | x86) bits=32 ;;
    *)
        # The fifth byte of an ELF file.
        bits=64
        if [ "$(head -c 5 /bin/sh | tail -c 1 | od -An -tu1 | tr -d ' ')" = 1 ]; then bits=32; fi
        ;;
    esac
    case $kernel/$bits in
    x86_64/64) arch=x86_64 ;;
    aarch64/64) arch=aarch64 ;;
    aarch64/32 | armv7*/32 | armv8*/32) arch=armv7 ;;
    armv6*) die "this machine is an ARMv6 (Raspberry Pi 1 or Zero): there is no program for it; a Pi 2 or newer will do" ;;
    *) die "there is no program for this machine ($kernel, $bits-bit system): x86_64, aarch64 and armv7 it can be" ;;
    esac
}

# install_packages WHAT-FOR PACKAGE…
install_packages() {
    purpose=$1
    shift
    [ -n "$packages" ] || die "$purpose is missing, and how to install it here is not known: install it, then run this again"
    say "Installing $* with $packages"
    log=$work/packages.log
    case $packages in
    apt-get)
        # Heals what an interrupted installation left behind; without it apt refuses everything.
        as_root dpkg --configure -a >/dev/null 2>&1 || true
        as_root apt-get update -qq >"$log" 2>&1 || say "apt-get update failed; trying with what apt knows already"
        set -- env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
        ;;
    dnf) set -- dnf install -y -q "$@" ;;
    pacman) set -- pacman -S --needed --noconfirm "$@" ;;
    apk) set -- apk add --no-progress "$@" ;;
    zypper) set -- zypper --non-interactive install "$@" ;;
    esac
    if ! as_root "$@" </dev/null >"$log" 2>&1; then
        if [ "$purpose" = perhaps ]; then return 1; fi
        tail -n 15 "$log" >&2
        die "$packages could not install $purpose; above are its last words. Mend that or install it by hand, then run this again"
    fi
}

# --- a service that is not root's ---

# Not every OpenRC's supervisor can give a service the rights that games need; else setpriv of util-linux does. The service's
# script looks at the same.
gives_rights() {
    if [ "$init" != openrc ] || grep -q 'Could not parse iab' "$(command -v supervise-daemon)" 2>/dev/null; then return 0; fi
    setpriv --help 2>&1 | grep -q -e --reuid
}

need_rights() {
    if gives_rights; then return 0; fi
    case $packages in
    apk) install_packages "setpriv of util-linux" setpriv ;;
    *) install_packages "setpriv of util-linux" util-linux ;;
    esac
}

# --- the container engine ---

engine_answers() {
    if [ "$docker" = no ]; then return 0; fi
    socket=/var/run/docker.sock
    host=$(setting DOCKER_HOST)
    case $host in
    unix://*) socket=${host#unix://} ;;
    ?*) return 0 ;; # Elsewhere, and so nothing to install here.
    esac
    if have curl && { is_root || have sudo; }; then
        as_root curl -fsS -m 5 --unix-socket "$socket" http://localhost/_ping >/dev/null 2>&1
    elif have docker; then
        as_root docker -H "unix://$socket" version >/dev/null 2>&1
    else
        [ -S "$socket" ]
    fi
}

need_engine() {
    if engine_answers; then return 0; fi
    if ! have dockerd; then
        case $packages in
        apt-get) install_packages "a Docker engine" docker.io iptables ca-certificates ;;
        dnf) install_packages "a Docker engine" moby-engine ;;
        *) install_packages "a Docker engine" docker ;;
        esac
    fi
    case $init in
    systemd) as_root systemctl enable --now docker.service >/dev/null 2>&1 || true ;;
    openrc)
        as_root rc-update add docker default >/dev/null 2>&1 || true
        as_root rc-service docker start >/dev/null 2>&1 || true
        ;;
    none)
        # A process id of an engine that is gone keeps a new one from starting.
        as_root sh -c 'pidof dockerd >/dev/null || rm -f /var/run/docker.pid'
        as_root sh -c 'setsid dockerd >>/var/log/dockerd.log 2>&1 </dev/null &'
        ;;
    esac
    waited=0
    until engine_answers; do
        waited=$((waited + 1))
        [ "$waited" -le 60 ] || die "no Docker engine answers after a minute: see journalctl -u docker or \
/var/log/dockerd.log, then run this again, or go on without one by --no-docker"
        sleep 1
    done
}

# --- fetching and checking ---

# get URL FILE BLOCKS: goes on where a try before was cut off, and takes that many half kilobytes at most. Where it fails,
# $words says why, and $refused the status, where asking again is of no use: `certificate` where the other side's is not
# accepted, `plain` where https leads to http. What curl has to know besides stands in $work/curl.
get() {
    refused='' url=$1 into=$2 limit=$3 code=0
    if have curl; then
        set -- -o "$into" "$url"
        case $url in https://*) set -- --proto-redir =https "$@" ;; esac
        if [ -s "$into" ]; then set -- -C - "$@"; fi
        if [ -e "$work/curl" ]; then set -- -K "$work/curl" "$@"; fi
        status=$(
            ulimit -f "$limit"
            exec curl -fsSL --connect-timeout 10 --speed-limit 500 --speed-time "$STALL" --max-time 3600 \
                -w '%{http_code}' "$@" 2>"$work/words"
        ) || code=$?
        case $code/$status/$url in
        0/*) return 0 ;;
        1/*/https://*) refused=plain ;;
        51/* | 60/* | 77/*) refused=certificate ;;
        */401/* | */403/* | */404/* | */410/*) refused=$status ;;
        */416/*) rm -f "$into" ;;
        esac
        words=$(grep '^curl: ' "$work/words" | head -n 1)
    elif wget --version 2>/dev/null | grep -q GNU; then
        gnu_wget || code=$?
        case $code in
        0) return 0 ;;
        5) refused=certificate ;;
        9) refused=plain ;;
        *) refused=$(status_of_wget) ;;
        esac
        words=$(grep '^ERROR: ' "$work/words" | tail -n 1)
    else
        # Busybox's looks at no certificate and follows to anywhere: that what comes is signed is all there is.
        if (
            ulimit -f "$limit"
            exec wget -c -T "$STALL" -O "$into" "$url" 2>"$work/words"
        ); then return 0; fi
        refused=$(status_of_wget)
        words=''
    fi
    if [ -z "$words" ]; then words=$(grep -v '^ *$' "$work/words" | tail -n 1); fi
    return 1
}

status_of_wget() {
    sed -nE 's/.*(HTTP\/[0-9.]+|ERROR) (401|403|404|410).*/\2/p' "$work/words" | tail -n 1
}

# For get: as wget ends, or with 9 where https leads to http. It can't be told to stay with https, so that each step is taken
# by hand there.
gnu_wget() {
    place=$url steps=0
    set -- --max-redirect 20
    case $url in https://*) set -- --max-redirect 0 -S ;; esac
    while :; do
        code=0
        (
            ulimit -f "$limit"
            exec wget -nv -t 1 -c -T "$STALL" "$@" -O "$into" "$place" 2>"$work/words"
        ) || code=$?
        next=$(sed -n 's/^ *[Ll]ocation: *\([^ ]*\).*$/\1/p' "$work/words" | tail -n 1 | tr -d '\r')
        steps=$((steps + 1))
        if [ "$code" = 0 ] || [ $# = 2 ] || [ -z "$next" ] || [ "$steps" -gt 5 ]; then return "$code"; fi
        case $next in
        https://*) place=$next ;;
        /*) place=$(printf '%s' "$place" | cut -d / -f 1-3)$next ;;
        *) return 9 ;;
        esac
    done
}

# fetch URL FILE BLOCKS: with patience, but not for ever.
fetch() {
    tries=0
    rm -f "$2"
    until get "$1" "$2" "$3"; do
        tries=$((tries + 1))
        case $refused in
        '') ;;
        certificate)
            die "$1 is not believed ($words): is this machine's clock right, and does it know who made that certificate \
(its package ca-certificates, or one of your own)? Nothing was changed"
            ;;
        plain) die "$1 leads to an address that is not https://, where others on the way could change what comes; nothing was changed" ;;
        *) return 1 ;;
        esac
        case $words in
        *'No space left'* | *'ailure writing'* | *'ailed writing'* | *'annot write'*)
            die "the disk is full at $(dirname "$2"): make room, then run this again; nothing was changed"
            ;;
        esac
        if [ -e "$2" ] && [ "$(wc -c <"$2")" -ge $(($3 * 512)) ]; then
            rm -f "$2"
            die "$1 is larger than it can be: that is no release; nothing was changed"
        fi
        if [ "$tries" -ge 4 ]; then
            rm -f "$2"
            die "$1 could not be fetched (${words:-it was too long or took too long}): look at the network, then run this again; nothing was changed"
        fi
        # What can't be gone on with is begun anew.
        if [ "$tries" = 3 ]; then rm -f "$2"; fi
        nap
    done
}

openssl_checks() {
    have openssl || return 1
    case $(openssl version 2>/dev/null) in "OpenSSL "[3-9]*) return 0 ;; *) return 1 ;; esac
}

# Debian 11 has no minisign and an older openssl, but OpenBSD's signify, whose signatures are of the same kind.
can_check() {
    have minisign || openssl_checks || have signify-openbsd
}

# verified FILE SIGNATURE: 64 bytes, of the whole file, by the key in $work/key.
verified() {
    if openssl_checks; then
        # The head that makes an Ed25519 key of 32 bytes.
        { printf '\060\052\060\005\006\003\053\145\160\003\041\000' && tail -c 32 "$work/key"; } >"$work/key.der"
        openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$work/key.der" -in "$1" -sigfile "$2" >/dev/null 2>&1
        return
    fi
    printf 'untrusted comment: key\n%s\n' "$KEY" >"$work/key.pub"
    {
        echo 'untrusted comment: signature'
        { head -c 10 "$work/key" && cat "$2"; } | base64 | tr -d '\n'
        echo
    } >"$work/signify"
    signify-openbsd -V -q -p "$work/key.pub" -x "$work/signify" -m "$1" >/dev/null 2>&1
}

blake2b() {
    if openssl_checks; then
        openssl dgst -blake2b512 -binary "$1"
        return
    fi
    # shellcheck disable=SC2059
    printf "$(b2sum "$1" | awk '{
        for (i = 1; i < 128; i += 2) {
            high = index("0123456789abcdef", substr($1, i, 1)) - 1
            printf "\\%03o", high * 16 + index("0123456789abcdef", substr($1, i + 1, 1)) - 1
        }
    }')"
}

# signed FILE: whether FILE.minisig is KEY's signature of it; what it says of itself is in $comment.
signed() {
    comment=''
    if have minisign; then
        comment=$(minisign -V -Q -P "$KEY" -m "$1" -x "$1.minisig" 2>"$work/words")
        return
    fi
    # By hand: "Ed", the key's number in 8 bytes, the key. "ED", the number, the signature of the file's BLAKE2b. Then
    # that of the signature itself and the comment.
    comment=$(sed -n '3s/^trusted comment: //p' "$1.minisig")
    printf '%s' "$KEY" | base64 -d >"$work/key" 2>/dev/null || return 1
    sed -n 2p "$1.minisig" | base64 -d >"$work/signature" 2>/dev/null || return 1
    sed -n 4p "$1.minisig" | base64 -d >"$work/whole.sig" 2>/dev/null || return 1
    sizes=$(wc -c <"$work/key")/$(wc -c <"$work/signature")/$(wc -c <"$work/whole.sig")
    [ "$(printf '%s' "$sizes" | tr -d ' ')" = 42/74/64 ] || return 1
    [ "$(head -c 2 "$work/key")$(head -c 2 "$work/signature")" = EdED ] || return 1
    head -c 10 "$work/key" | tail -c 8 >"$work/number"
    head -c 10 "$work/signature" | tail -c 8 | cmp -s - "$work/number" || return 1
    tail -c 64 "$work/signature" >"$work/part.sig"
    blake2b "$1" >"$work/part" || return 1
    { cat "$work/part.sig" && printf '%s' "$comment"; } >"$work/whole"
    verified "$work/part" "$work/part.sig" && verified "$work/whole" "$work/whole.sig"
}

# What is published: the version in $release, the hash of this machine's program in $wanted.
find_release() {
    [ -n "$KEY" ] || die "this installer holds no key to check a release by: take the one of a release, or set CTRL_ALT_PLAY_KEY"
    sums=$work/SHA256SUMS
    if [ "$from" = folder ]; then
        from_folder=$folder
        cp "$folder/SHA256SUMS" "$sums"
        cp "$folder/SHA256SUMS.minisig" "$sums.minisig" 2>/dev/null ||
            die "$folder has no SHA256SUMS.minisig: fetch all files of the release into one folder"
    else
        [ -n "$DOWNLOAD" ] || die "this installer does not know where releases are: take the one of a release, set \
CTRL_ALT_PLAY_DOWNLOAD, or run ./install.sh in a checkout, which builds"
        from_folder=$DOWNLOAD/latest/download
        if [ -n "$asked" ]; then from_folder=$DOWNLOAD/download/v$asked; fi
        if ! fetch "$from_folder/SHA256SUMS" "$sums" 256 || ! fetch "$from_folder/SHA256SUMS.minisig" "$sums.minisig" 16; then
            die "there is no release${asked:+ $asked} at $DOWNLOAD; nothing was changed"
        fi
    fi
    signed "$sums" || die "the signature of the release at $from_folder is not that of the key this installer trusts: \
nothing was changed. Either it is not the real one, or the key was renewed: then take the new install.sh"
    case $comment in
    'ctrl-alt-play '*) release=${comment#ctrl-alt-play } ;;
    *) release='' ;;
    esac
    case $release in '' | *[!A-Za-z0-9.+-]*) die "the release at $from_folder is signed, but not as one of Ctrl-Alt-Play" ;; esac
    if [ -n "$asked" ] && [ "$asked" != "$release" ]; then
        die "the release at $from_folder is $release and not $asked: nothing was changed"
    fi
    asset=ctrl-alt-play-$release-linux-$arch
    wanted=$(awk -v name="$asset" '$2 == name || $2 == "*" name { print $1 }' "$sums")
    case $wanted in
    '') die "release $release has no program for $arch" ;;
    *[!0-9a-f]*) die "release $release names no usable hash of $asset" ;;
    esac
    [ ${#wanted} = 64 ] || die "release $release names no usable hash of $asset"
}

# room FOLDER MEGABYTES: of the file system that it will be on.
room() {
    at=$1
    until [ -d "$at" ]; do at=$(dirname "$at"); done
    free=$(df -Pk "$at" | awk 'NR == 2 { print int($4 / 1024) }')
    [ "${free:-$2}" -ge "$2" ] ||
        die "$at has $free MB left, $2 MB are needed: make room, then run this again; nothing was changed"
}

# A folder beside the program: what is tried there runs (not everything does in /tmp), and takes its place by a rename.
need_stage() {
    if [ -n "$stage" ]; then return 0; fi
    [ -d "$PREFIX/bin" ] || made=yes
    as_root mkdir -p "$PREFIX/bin" || die "$PREFIX/bin can't be made: is it read-only? --prefix names another place"
    as_root rm -rf "$PREFIX/bin/.ctrl-alt-play-"*
    stage=$(as_root mktemp -d "$PREFIX/bin/.ctrl-alt-play-XXXXXX") ||
        die "$PREFIX/bin can't be written: is it read-only? --prefix names another place"
    is_root || as_root chown "$(id -u)" "$stage"
}

# The program in $stage/program, whole and checked, or the end.
obtain() {
    room "$PREFIX/bin" 64
    need_stage
    program=$stage/program
    case $from in
    checkout) cp "$folder/target/release/ctrl-alt-play" "$program" || die "the program could not be copied to $PREFIX/bin" ;;
    panel) from_panel ;;
    folder)
        [ -f "$folder/$asset" ] || die "$folder has no $asset: fetch all files of the release into one folder"
        cp "$folder/$asset" "$program" || die "the program could not be copied to $PREFIX/bin: is the disk full?"
        ;;
    download)
        say "Fetching $asset"
        fetch "$from_folder/$asset" "$program" 262144 || die "there is no $asset at $from_folder: nothing was changed"
        ;;
    esac
    if [ -n "$wanted" ] && [ "$(hash_of "$program")" != "$wanted" ]; then
        die "$asset is not what the release's signed list says: it is damaged or not the real one; nothing was changed"
    fi
    chmod 0755 "$program"
    found=$("$program" --version 2>"$work/words" | awk 'NR == 1 { print $2 }') || true
    [ -n "$found" ] || die "the program does not run on this machine: $(head -n 2 "$work/words")"
    if [ -n "$release" ] && [ "$found" != "$release" ]; then
        die "the program says that it is $found and not $release: nothing was changed"
    fi
    release=$found
    wanted=$(hash_of "$program")
}

# The secret goes by a file that only we may read, not by the command line that everybody sees.
from_panel() {
    {
        printf 'header = "Authorization: Bearer %s"\n' "$secret"
        if [ -n "$pin" ] && [ -z "$public" ]; then printf 'insecure\npinnedpubkey = "%s"\n' "$pin"; fi
    } >"$work/curl"
    kind=$arch
    # The word of `uname -m`, which is how programs are asked for.
    if [ "$arch" = armv7 ]; then kind=armv7l; fi
    say "Fetching the program from $panel"
    if ! fetch "$panel/api/nodes/$node/program?arch=$kind" "$program" 262144; then
        case $refused in
        401 | 403) die "the panel does not take this secret for $node: get a new line under Nodes; nothing was changed" ;;
        esac
        die "the panel has no program for $kind: put one into the folder \`agents\` of its data folder, named
ctrl-alt-play-$kind, then run this again"
    fi
    rm -f "$work/curl"
}

build() {
    (
        ROOT=$folder
        # shellcheck source=packaging/tools.sh
        . "$ROOT/packaging/tools.sh"
        need_rust
        need_node
        say "Building; the first time takes some minutes"
        cd "$ROOT"
        cargo build --release --locked
    ) || exit 1
}

# --- what is there ---

# setting NAME: what the settings file says, the last time it says it.
setting() {
    as_root sed -n "s/^$1=//p" "$SETTINGS" 2>/dev/null | tail -n 1 | tr -d "\"'"
}

# The lines asked for put into a copy of the settings file; all others stay as they are.
settings() {
    as_root cat "$SETTINGS" >"$work/settings" 2>/dev/null || : >"$work/settings"
    if [ -n "$agent" ]; then
        set -- PANEL_URL "$agents" NODE_ID "$node" AGENT_SECRET "$secret" PANEL_PIN "$pin" DATA_DIR "$DATA_DIR" \
            HEALTH_PORT "$HEALTH_PORT"
    else
        set -- PORT "$port" DATA_DIR "$data_dir"
    fi
    while [ $# -gt 0 ]; do
        if [ -n "$2$agent" ]; then
            NAME=$1 VALUE=$2 awk '
                index($0, ENVIRON["NAME"] "=") == 1 { if (!seen++ && ENVIRON["VALUE"] != "") print ENVIRON["NAME"] "=" ENVIRON["VALUE"]; next }
                { print }
                END { if (!seen && ENVIRON["VALUE"] != "") print ENVIRON["NAME"] "=" ENVIRON["VALUE"] }
            ' "$work/settings" >"$work/settings.new"
            mv "$work/settings.new" "$work/settings"
        fi
        shift 2
    done
}

service_there() {
    case $init in
    systemd) [ -e "$UNITS/$SERVICE.service" ] ;;
    openrc) [ -e "$SCRIPTS/$SERVICE" ] ;;
    none) return 1 ;;
    esac
}

service_enabled() {
    case $init in
    systemd) as_root systemctl is-enabled --quiet "$SERVICE" 2>/dev/null ;;
    openrc) as_root rc-update show default 2>/dev/null | grep -q "^ *$SERVICE *|" ;;
    none) return 1 ;;
    esac
}

service_runs() {
    case $init in
    systemd) as_root systemctl is-active --quiet "$SERVICE" 2>/dev/null ;;
    openrc) as_root rc-service "$SERVICE" status >/dev/null 2>&1 ;;
    none) return 1 ;;
    esac
}

# service start|stop|restart
service() {
    case $init in
    systemd) as_root systemctl "$1" "$SERVICE" ;;
    openrc) as_root rc-service "$SERVICE" "$1" ;;
    esac
}

# Whether upgrades go by way of the guard, which goes back by itself.
guarded() {
    service_runs && [ -x "$LIB/guard" ] && as_root grep -q "guard" "$(service_place)" 2>/dev/null
}

service_place() {
    if [ "$init" = openrc ]; then echo "$SCRIPTS/$SERVICE"; else echo "$UNITS/$SERVICE.service"; fi
}

# service_files PROGRAM: the program carries its service's files, so that they fit it. Into $work.
service_files() {
    for part in "$init" guard; do
        [ "$part" != none ] || return 0
        "$1" service-file "$part" ${agent:+--agent} --prefix "$PREFIX" >"$work/$part" 2>/dev/null || : >"$work/$part"
        [ -s "$work/$part" ] || die "this program is older than this installer and brings no service file: take the installer of its own release"
    done
}

service_files_differ() {
    if [ "$init" = none ]; then return 1; fi
    service_files "$BINARY"
    ! as_root cmp -s "$work/$init" "$(service_place)" || ! as_root cmp -s "$work/guard" "$LIB/guard"
}

# strangers FIND-ACTION…: what in the data folder is not the service's user's. What is in the games' folders is the games'.
strangers() {
    as_root find -H "$DATA_DIR" -path "$DATA_DIR/servers/*/*" -prune -o -path "$DATA_DIR/servers/[!.]*" -prune -o \
        -path "$DATA_DIR/upgrade" -prune -o ! -user "$USER_NAME" "$@" 2>/dev/null
}

groups_wanted() {
    { getent group docker || grep '^docker:' /etc/group; } 2>/dev/null | cut -d: -f1 | head -n 1
    # Where the socket is another group's.
    stat -c %G /var/run/docker.sock 2>/dev/null | grep -vE '^(root|UNKNOWN|docker)$' || true
}

missing_groups() {
    for group in $(groups_wanted); do
        case " $(id -nG "$USER_NAME" 2>/dev/null) " in *" $group "*) ;; *) echo "$group" ;; esac
    done
}

# Whether someone listens there: in the kernel's own words, so that no tool is needed.
port_taken() {
    hex=$(printf '%04X' "$1")
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -qE "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F]+:0000 0A "
}

answers() {
    if [ -n "$agent" ]; then
        health=http://127.0.0.1:$HEALTH_PORT/health
        { if have curl; then curl -fsS -m 3 "$health"; else wget -qO- -T 3 "$health"; fi; } 2>/dev/null |
            grep -q "\"nodeId\":\"$node\""
    else
        [ -x "$BINARY" ] && with_settings run "$BINARY" healthcheck >/dev/null 2>&1
    fi
}

# with_settings run|exec COMMAND…: with each line of the settings file in its environment, the last of one name counting.
with_settings() {
    how=$1
    shift
    as_root cat "$SETTINGS" 2>/dev/null | sed '1!G;h;$!d' >"$work/lines" || :
    while IFS= read -r line; do
        case $line in
        [A-Za-z_]*=*)
            value=${line#*=}
            case $value in
            \"*\" | \'*\') value=${value#?} value=${value%?} ;;
            esac
            set -- "${line%%=*}=$value" "$@"
            ;;
        esac
    done <"$work/lines"
    set -- env DATA_DIR="$DATA_DIR" "$@"
    is_root || set -- sudo "$@"
    if [ "$how" = exec ]; then
        tidy
        trap - EXIT
        exec "$@" 9>&-
    fi
    "$@" 9>&-
}

trial() {
    as_root test -e "$DATA_DIR/upgrade/trial"
}

# An upgrade that someone else has begun, or a run of this that was killed, is not cut short.
wait_for_trial() {
    waited=0
    while [ "$init" = systemd ] && trial && [ "$(systemctl is-active "$SERVICE" 2>/dev/null)" = activating ]; do
        if [ "$waited" = 0 ]; then say "An upgrade is under way: waiting for its end"; fi
        waited=$((waited + 1))
        if [ "$waited" -gt 240 ]; then break; fi
        sleep 1
    done
}

# --- saying what will be done ---

todo() {
    plan="$plan  - $*
"
    changes=yes
}

note() {
    plan="$plan  - $*
"
}

# same, replace, new, or perhaps where that is seen only when it is here.
judge_program() {
    has=$(version_of "$BINARY")
    if [ -n "$release" ] && [ -n "$has" ] && newer "$has" "$release"; then
        die "Ctrl-Alt-Play $has is installed, and $release is older: an older one may not be able to read its data. \
Nothing was changed; --version $has is the release to install again"
    fi
    judged=perhaps
    if [ -n "$wanted" ]; then
        judged=replace
        if [ "$(hash_of "$BINARY")" = "$wanted" ]; then judged=same; fi
    fi
    if [ ! -e "$BINARY" ]; then judged=new; fi
}

look() {
    plan='' changes=''
    from_where
    judge_program
    case $judged in
    same) ;;
    replace)
        if guarded; then
            todo "Ctrl-Alt-Play ${has:-(which does not run)} becomes $release, ${source}: games run on, and if it does not come up, it goes back by itself"
        else
            todo "Ctrl-Alt-Play ${has:-(which does not run)} becomes $release, ${source}; games run on"
        fi
        ;;
    perhaps) note "$BINARY is ${has:-(which does not run)}: it is replaced where it differs from what is ${source}; games run on" ;;
    new) todo "the program${release:+, version $release,} is put at $BINARY, ${source}" ;;
    esac
    if [ "$docker" = no ]; then
        note "no container engine is looked for"
    elif engine_answers; then
        note "a Docker engine answers: it is used as it is"
    elif have dockerd; then
        todo "the Docker engine is installed, but does not answer: it is started"
    else
        todo "no Docker engine answers: it is installed from the packages of $system and started"
    fi
    settings
    if [ -s "$work/settings" ] && ! as_root cmp -s "$work/settings" "$SETTINGS"; then
        old=$(setting DATA_DIR)
        todo "settings are written to $SETTINGS"
        if [ -n "$data_dir" ] && as_root test -d "${old:-/var/lib/$SERVICE}" && [ "${old:-/var/lib/$SERVICE}" != "$data_dir" ]; then
            note "the data folder becomes $data_dir: what is in ${old:-/var/lib/$SERVICE} stays there and is not used"
        fi
    fi
    if ! gives_rights; then todo "setpriv is installed from the packages of $system: it gives the service the rights that games need"; fi
    if [ "$init" != none ]; then
        if ! id "$USER_NAME" >/dev/null 2>&1; then
            todo "the user $USER_NAME is made, for the service alone"
        elif [ -n "$(missing_groups)" ]; then
            todo "the user $USER_NAME joins the group $(missing_groups | tr '\n' ' ' | sed 's/ $//'), for the engine"
        fi
        if ! as_root test -d "$DATA_DIR"; then
            todo "the data folder $DATA_DIR is made"
        elif ! id "$USER_NAME" >/dev/null 2>&1 || [ -n "$(strangers -print | head -n 1)" ]; then
            todo "the service stops for a moment, and $DATA_DIR becomes the user's; games run on, their files stay theirs"
        fi
        if [ "$judged" = same ] && service_files_differ; then
            todo "the service's files are renewed"
        fi
        if as_root test -e "$LIB/unfinished-$SERVICE" || as_root test -e "$DATA_DIR/upgrade/staged"; then
            todo "what was not finished the last time is finished"
        fi
        if [ "$start" = no ]; then
            note "nothing is started"
        elif ! service_enabled || ! service_runs; then
            todo "the service $SERVICE is enabled and started"
        elif [ -z "$agent" ] && ! answers; then
            todo "the service $SERVICE runs, but does not answer: it is started anew"
        fi
    elif [ "$start" = no ]; then
        note "nothing is started"
    elif answers; then
        note "neither systemd nor OpenRC here, and $what_runs runs already"
    else
        todo "neither systemd nor OpenRC here: $what_runs runs in the foreground, Ctrl-C ends it, games go on"
    fi
}

from_where() {
    case $from in
    checkout) source="built in $folder" ;;
    folder) source="from $folder" ;;
    panel) source="fetched from $panel" ;;
    download) source="fetched from $DOWNLOAD" ;;
    esac
    if [ "$from" = checkout ]; then
        (
            ROOT=$folder
            # shellcheck source=packaging/tools.sh
            . "$ROOT/packaging/tools.sh"
            if find_rust; then
                say2="Rust $(rust_version) is here"
            else
                say2="Rust $RUST_WANTED is missing: it is installed from Debian's packages"
            fi
            have cc || say2="$say2; a C compiler is missing: gcc is installed"
            if find_node; then
                say2="$say2; Node $(node --version) is here"
            else
                say2="$say2; Node $NODE_WANTED is missing: Node 22 is fetched into $TOOLS/node, for the build alone"
            fi
            printf '%s\n' "$say2"
        ) >"$work/tools"
        note "$(cat "$work/tools")"
    fi
}

# Before anything is changed: a start that can't go well.
check_ports() {
    if [ "$start" = no ] || [ -n "$agent" ] || answers; then return 0; fi
    for name in PORT WEBSOCKET_PORT; do
        case $name in
        PORT) number=${port:-$(setting PORT)} number=${number:-3000} advice="--port N chooses another" ;;
        *)
            number=$(setting WEBSOCKET_PORT) number=${number:-8080}
            advice="put WEBSOCKET_PORT=8090, say, into $SETTINGS for another"
            ;;
        esac
        old=$(setting "$name")
        if service_runs && [ "$number" = "${old:-$number}" ]; then continue; fi
        if port_taken "$number"; then
            die "the port $number is taken by another program: end that, or $advice, and run this again; nothing was changed"
        fi
    done
}

# ask QUESTION yes|no: a terminal's person, wherever this script comes from. With nobody there it goes on.
ask() {
    if [ "$sure" = yes ]; then return 0; fi
    if [ -t 2 ] && (: </dev/tty) 2>/dev/null; then
        hint='[Y/n]'
        if [ "$2" = no ]; then hint='[y/N]'; fi
        printf '%s %s ' "$1" "$hint" >&2
        read -r answer </dev/tty || answer=n
        case ${answer:-$2} in
        [Yy]*) return 0 ;;
        esac
        say "Nothing was changed."
        exit 1
    fi
    if [ "$2" = no ]; then die "nobody is there to ask: --yes says that this is meant; nothing was changed"; fi
}

# --- doing it ---

make_user() {
    shell=/usr/sbin/nologin
    [ -x "$shell" ] || shell=/sbin/nologin
    if ! id "$USER_NAME" >/dev/null 2>&1; then
        if have useradd; then
            set -- useradd --system --user-group --no-create-home --home-dir "/var/lib/$USER_NAME" --shell "$shell" "$USER_NAME"
            # Left over from a user that was removed by hand.
            if grep -q "^$USER_NAME:" /etc/group; then
                set -- useradd --system --gid "$USER_NAME" --no-create-home --home-dir "/var/lib/$USER_NAME" --shell "$shell" "$USER_NAME"
            fi
        else
            grep -q "^$USER_NAME:" /etc/group || as_root addgroup -S "$USER_NAME" || die "the group $USER_NAME could not be made"
            set -- adduser -S -D -H -h "/var/lib/$USER_NAME" -s "$shell" -G "$USER_NAME" "$USER_NAME"
        fi
        as_root "$@" || die "the user $USER_NAME could not be made: mend what is said above, then run this again"
    fi
    for group in $(missing_groups); do
        if have usermod; then as_root usermod -aG "$group" "$USER_NAME"; else as_root addgroup "$USER_NAME" "$group"; fi ||
            die "the user $USER_NAME could not join the group $group"
        restart=yes
    done
}

give_folder() {
    if ! as_root test -d "$DATA_DIR"; then
        as_root mkdir -p "$(dirname "$DATA_DIR")"
        as_root mkdir -m 0700 "$DATA_DIR" || die "$DATA_DIR can't be made: is the disk full, or read-only?"
    fi
    if [ -n "$(strangers -print | head -n 1)" ]; then
        if service_runs; then service stop || true; fi
        strangers -exec chown -h "$USER_NAME:$USER_NAME" {} +
    fi
}

# Over the old one by a rename: a running program's file cannot be written, and nothing is ever half there.
replace() {
    as_root chown 0:0 "$program"
    as_root sync "$program" 2>/dev/null || sync
    as_root mv -f "$program" "$BINARY" || die "$BINARY could not be replaced"
    restart=yes
}

# By way of the guard, which keeps the old program and the database until the new one has shown that it is well.
hand_over() {
    up=$DATA_DIR/upgrade
    room "$DATA_DIR" 64
    if as_root test -h "$up"; then die "$up is a link, which it must not be: remove it, then run this again"; fi
    as_root mkdir -p -m 0700 "$up"
    as_root chown "$USER_NAME:$USER_NAME" "$up"
    as_root rm -f "$up/staged"
    printf '%s %s\n' "$release" "$wanted" >"$work/staged"
    # What root has written here, the guard believes without the release's signature: this script has looked at that.
    if ! { copy "$program" "$up/program" 0755 "$USER_NAME:$USER_NAME" && sync && copy "$work/staged" "$up/staged" 0644 0:0; }; then
        as_root rm -f "$up/staged" "$up/program"
        die "the new program could not be put into $up: is the disk full? Nothing was changed"
    fi
    say "Starting $release; games run on"
    # It may go back meanwhile, and that is no failed restart but an answer.
    service restart >/dev/null 2>&1 || true
    waited=0
    until ! as_root test -e "$up/staged" && ! trial && answers; do
        waited=$((waited + 1))
        if [ "$waited" -gt 1200 ]; then break; fi
        nap
    done
    if [ "$(hash_of "$BINARY")" != "$wanted" ]; then
        as_root rm -f "$LIB/unfinished-$SERVICE"
        reason=$(as_root sed -n 's/^reason=//p' "$up/outcome" 2>/dev/null)
        die "$release did not come up (${reason:-see the log}), and ${has:-the old one} is back as it was. Its log says more: $log_words"
    fi
}

install_service() {
    if [ "$init" = none ]; then return 0; fi
    service_files "$BINARY"
    put "$work/guard" "$LIB/guard" 0755
    if [ "$init" = systemd ]; then
        put "$work/systemd" "$(service_place)" 0644
        as_root systemctl daemon-reload
    else
        put "$work/openrc" "$(service_place)" 0755
    fi
    if [ "$start" = no ]; then return 0; fi
    if ! service_enabled; then
        if [ "$init" = systemd ]; then as_root systemctl enable --quiet "$SERVICE"; else as_root rc-update add "$SERVICE" default >/dev/null; fi
    fi
    verb=start
    if service_runs; then
        if [ "$restart" = no ] && answers; then return 0; fi
        verb=restart
    fi
    went=yes
    service "$verb" >"$work/words" 2>&1 || went=no
    tries=0
    until [ "$went" = no ] || answers; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ] || ! service_runs; then went=no; fi
        nap
    done
    if [ "$went" = no ]; then
        cat "$work/words" >&2
        if [ "$init" = systemd ]; then as_root journalctl -u "$SERVICE" -n 20 --no-pager >&2 || true; fi
        die "$what_runs does not answer; above are the last words of its log. Mend that, then run this again: $log_words"
    fi
}

act() {
    as_root mkdir -p "$LIB"
    if as_root test -e "$LIB/unfinished-$SERVICE"; then restart=yes; fi
    as_root touch "$LIB/unfinished-$SERVICE" || die "$LIB can't be written: is the disk full, or read-only?"
    if [ "$init" != none ]; then make_user; fi
    if [ -s "$work/settings" ]; then put "$work/settings" "$SETTINGS" 0600; fi
    if [ "$init" != none ]; then give_folder; fi
    if [ "$judged" != same ]; then
        if guarded; then hand_over; else replace; fi
    fi
    install_service
    for place in "$SETTINGS" "$(service_place)" "$LIB/guard"; do as_root rm -f "$place.new"; done
    as_root rm -rf "$PREFIX/bin/.ctrl-alt-play-"*
    stage=''
    as_root rm -f "$LIB/unfinished-$SERVICE"
    as_root rmdir "$LIB" 2>/dev/null || true
}

run_here() {
    if answers; then
        say "$what_runs runs here already: end it with Ctrl-C where it was started, then run this again to start the new one."
        return 0
    fi
    say "Starting in the foreground; Ctrl-C ends it, games go on."
    if [ -n "$agent" ]; then set -- agent; else set -- serve; fi
    with_settings exec "$BINARY" "$@"
}

# --- the end ---

# The addresses of this machine in its networks, without those that engines make for containers.
addresses() {
    bind=$(setting BIND)
    case $bind in
    '' | 0.0.0.0 | '::' | '[::]') ;;
    *:*) echo "[$bind]" && return ;;
    *) echo "$bind" && return ;;
    esac
    engines='^(lo|docker|br-|veth|virbr|cni|flannel|cali|podman|lxc|lxd|ctrl-alt-play)'
    found=''
    if have ip; then
        found=$(ip -4 -o addr show scope global 2>/dev/null |
            awk -v no="$engines" '$2 !~ no { sub(/\/.*/, "", $4); print $4 }')
        case $bind in
        *:*) found="$found
$(ip -6 -o addr show scope global 2>/dev/null |
            awk -v no="$engines" '$2 !~ no && !/temporary|deprecated/ { sub(/\/.*/, "", $4); print "[" $4 "]" }')" ;;
        esac
    else
        found=$(hostname -I 2>/dev/null | tr ' ' '\n' | grep -vE '^172\.1[7-9]\.|:' || true)
    fi
    printf '%s\n' "${found:-localhost}" | grep .
}

local_name() {
    if [ "$(setting MDNS)" = off ]; then return 0; fi
    case $(setting BIND) in 127.* | ::1) return 0 ;; esac
    own=$(uname -n)
    own=${own%%.*}
    case $own in '' | localhost | *[!A-Za-z0-9-]*) return 0 ;; esac
    echo "$own.local"
}

show() {
    if [ -n "$agent" ]; then
        say ""
        say "$node is a node of the panel at $panel: it shows under Nodes, and new servers can be placed on it."
        say "Its log: $log_words      Stop it: $stop_words (games go on)"
        return 0
    fi
    number=$(setting PORT)
    rest=/
    if as_root test -s "$DATA_DIR/setup-token"; then
        rest="/setup#token=$(as_root cat "$DATA_DIR/setup-token")"
        say ""
        say "Ctrl-Alt-Play $(version_of "$BINARY") runs. Open one of these links and make your account:"
    else
        say ""
        say "Ctrl-Alt-Play $(version_of "$BINARY") runs:"
    fi
    say ""
    for address in $(addresses) $(local_name); do say "    http://$address:${number:-3000}$rest"; done
    say ""
    say "Its log: $log_words      Stop it: $stop_words (games go on)"
}

# --- taking it away ---

package_owns() {
    have dpkg-query && dpkg-query -W -f '${Status}' ctrl-alt-play 2>/dev/null | grep -q ' installed$'
}

# Of this data folder alone: another panel's games on the same engine are not ours to remove.
remove_containers() {
    if have docker; then
        ids=$(as_root docker ps -aq --no-trunc --filter label=ctrl-alt-play.managed \
            --filter "label=ctrl-alt-play.data-dir=$DATA_DIR") || return 1
        for id in $ids; do as_root docker rm -f -v "$id" >/dev/null || return 1; done
        as_root docker network rm ctrl-alt-play >/dev/null 2>&1 || true
        return 0
    fi
    have curl || return 1
    engine="as_root curl -fs -m 60 --unix-socket /var/run/docker.sock"
    ids=$($engine -G --data-urlencode \
        "filters={\"label\":[\"ctrl-alt-play.managed\",\"ctrl-alt-play.data-dir=$DATA_DIR\"]}" -d all=1 \
        http://localhost/containers/json) || return 1
    for id in $(printf '%s' "$ids" | grep -oE '"Id":"[0-9a-f]{64}"' | cut -d '"' -f 4); do
        $engine -X DELETE "http://localhost/containers/$id?force=1&v=1" >/dev/null || return 1
    done
    $engine -X DELETE http://localhost/networks/ctrl-alt-play >/dev/null 2>&1 || true
}

# Nothing that is not plainly a data folder of ours is removed as one.
is_data_folder() {
    case $DATA_DIR in / | /home | /root | /srv | /opt | /var | /var/lib | /mnt | /tmp | /usr | /etc) return 1 ;; esac
    for mark in panel.redb instance.json agent.json setup-token secrets servers; do
        if as_root test -e "$DATA_DIR/$mark"; then return 0; fi
    done
    [ -z "$(as_root ls -A "$DATA_DIR")" ]
}

uninstall() {
    other=ctrl-alt-play-agent
    if [ -n "$agent" ]; then other=ctrl-alt-play; fi
    shared=no
    if [ -e "$UNITS/$other.service" ] || [ -e "$SCRIPTS/$other" ]; then shared=yes; fi
    say "Ctrl-Alt-Play is removed from this machine. This will happen:"
    say "  - the service $SERVICE is stopped and removed"
    if [ "$shared" = yes ]; then
        say "  - the program stays: the service $other needs it"
    else
        say "  - $BINARY is removed, and with it the firewall rules that keep games from this machine and its network"
    fi
    if [ "$purge" = yes ]; then
        if as_root test -d "$DATA_DIR" && ! is_data_folder; then
            die "$DATA_DIR does not look like a data folder of Ctrl-Alt-Play: look at it and remove it by hand; nothing was changed"
        fi
        say "  - ALL GAMES of it are stopped, their containers removed, and $DATA_DIR with every world in it"
        say "  - $SETTINGS is removed, and the user $USER_NAME where nobody else needs him; the engine stays"
    else
        say "  - games that run go on; $DATA_DIR and the settings stay"
    fi
    say ""
    if [ "$dry" = yes ]; then
        say "Nothing was changed: this was a dry run."
        return 0
    fi
    if [ "$init" = none ] && answers; then
        die "$what_runs still runs in the foreground: end it with Ctrl-C where it was started, then run this again"
    fi
    if [ "$purge" = yes ]; then ask "Remove all of it, for good?" no; else ask "Go on?" yes; fi
    if service_there; then
        if [ "$init" = systemd ]; then
            as_root systemctl disable --now --quiet "$SERVICE" || true
        else
            as_root rc-service "$SERVICE" stop || true
            as_root rc-update del "$SERVICE" default || true
        fi
    fi
    if service_runs; then die "the service $SERVICE can't be stopped: see its log, then run this again"; fi
    if [ "$shared" = no ] && [ -x "$BINARY" ]; then
        # A program of an earlier version does not know this.
        as_root "$BINARY" remove-firewall-rules 2>/dev/null || say "The firewall rules for games could not be removed: they are gone after a reboot."
    fi
    if [ "$purge" = yes ]; then
        if ! remove_containers; then
            if [ "$docker" = no ] || ! engine_there; then
                say "No engine answers: containers of games, if there are any, stay."
            else
                die "not all containers of games could be removed: mend the engine and run this again, or add --no-docker to leave them"
            fi
        fi
        as_root rm -rf "$DATA_DIR"
        if [ "$init" = openrc ]; then as_root rm -f "/var/log/$SERVICE.log" "/var/log/$SERVICE.log.old"; fi
    fi
    as_root rm -f "$UNITS/$SERVICE.service" "$SCRIPTS/$SERVICE" "$UNITS/$SERVICE.service.new" "$SCRIPTS/$SERVICE.new" \
        "$LIB/unfinished-$SERVICE"
    if [ "$init" = systemd ]; then as_root systemctl daemon-reload; fi
    # A node's secret is of no use without the node.
    if [ "$purge" = yes ] || [ -n "$agent" ]; then as_root rm -f "$SETTINGS" "$SETTINGS.new"; fi
    if [ "$shared" = no ]; then
        as_root rm -rf "$BINARY" "$BINARY.before" "$BINARY.next" "$PREFIX/bin/.ctrl-alt-play-"* "$LIB"
        if [ "$purge" = yes ] && id "$USER_NAME" >/dev/null 2>&1; then
            if have userdel; then as_root userdel "$USER_NAME"; else as_root deluser "$USER_NAME"; fi ||
                say "the user $USER_NAME could not be removed"
        fi
    fi
    if [ "$purge" = yes ]; then
        say "Removed, with all data."
    elif [ -n "$agent" ]; then
        say "Removed. Games that run go on, and their files are still in $DATA_DIR; remove the node in the panel as well."
    else
        say "Removed. Games that run go on, and everything is still in $DATA_DIR; --uninstall --purge removes that too."
    fi
}

engine_there() {
    [ -S /var/run/docker.sock ] || have dockerd || have docker
}

# --- from the words of the command line to all of that ---

value_of() {
    [ "$1" -gt 1 ] || die "$2 wants a value"
}

read_options() {
    agent='' panel='' agents='' node='' secret='' pin='' public='' asked='' data_dir='' port='' prefix=''
    what=install purge=no dry=no sure=no docker=yes start=yes
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help) what=help ;;
        -y | --yes) sure=yes ;;
        --dry-run) dry=yes ;;
        --no-docker) docker=no ;;
        --no-start) start=no ;;
        --agent) agent=yes ;;
        --public) public=yes ;;
        --uninstall) what=uninstall ;;
        --purge) purge=yes ;;
        --version)
            case ${2:-} in
            '' | -*) what=version ;;
            *)
                asked=${2#v}
                shift
                ;;
            esac
            ;;
        --prefix | --data-dir | --port | --panel | --agents | --node | --secret | --pin)
            value_of $# "$1"
            case $1 in
            --prefix) prefix=${2%/} ;;
            --data-dir) data_dir=${2%/} ;;
            --port) port=$2 ;;
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
}

check_options() {
    case $asked in *[!A-Za-z0-9.+-]*) die "--version $asked is no version: 1.2.3, say" ;; esac
    case $port in
    '') ;;
    *[!0-9]* | ??????*) die "--port $port is no port" ;;
    *) if [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; then die "--port $port is no port: 1 to 65535"; fi ;;
    esac
    for value in "$prefix" "$data_dir"; do
        case $value in
        '') ;;
        *[!A-Za-z0-9._/+@-]* | */../* | */..) die "$value: a folder's name of letters, digits and . _ + @ - only, please" ;;
        /?*) ;;
        *) die "$value is no absolute folder, such as /srv/ctrl-alt-play" ;;
        esac
    done
    [ "$purge" = no ] || [ "$what" = uninstall ] || die "--purge goes with --uninstall"
    if [ -z "$agent" ]; then
        [ -z "$panel$agents$node$secret$pin$public" ] || die "--panel and what goes with it are for --agent"
        return 0
    fi
    [ -z "$asked$port" ] || die "--version and --port are not for --agent: the program comes from its panel"
    [ "$what" = install ] || return 0
    for name in panel agents node secret; do
        eval "value=\$$name"
        [ -n "$value" ] || die "--$name is missing: copy the whole line that the panel shows under Nodes, Add"
        case $value in *[!A-Za-z0-9._:/\[\]-]*) die "--$name holds characters that it cannot have" ;; esac
    done
    case $pin in *[!A-Za-z0-9+/=,]*) die "--pin is a key such as sha256//BASE64" ;; esac
}

# Where everything is, and where the program comes from.
settle() {
    SERVICE=ctrl-alt-play what_runs="the panel"
    if [ -n "$agent" ]; then SERVICE=ctrl-alt-play-agent what_runs="the agent"; fi
    SETTINGS=/etc/default/$SERVICE
    STALL=${CTRL_ALT_PLAY_STALL:-30}
    HEALTH_PORT=${HEALTH_PORT:-8081}
    DOWNLOAD=${CTRL_ALT_PLAY_DOWNLOAD:-$DOWNLOAD}
    DOWNLOAD=${DOWNLOAD%/}
    KEY=${CTRL_ALT_PLAY_KEY:-$KEY}
    machine
    there=$(sed -n 's|^ExecStart=\(/.*\)/bin/ctrl-alt-play .*|\1|p; s|^command=\(/.*\)/bin/ctrl-alt-play$|\1|p' \
        "$UNITS/$SERVICE.service" "$SCRIPTS/$SERVICE" 2>/dev/null | head -n 1)
    if [ -n "$there" ] && [ -n "$prefix" ] && [ "$there" != "$prefix" ]; then
        die "it is installed in $there: leave --prefix away, or remove it first with --uninstall (its data stays)"
    fi
    PREFIX=${prefix:-${there:-/usr/local}}
    BINARY=$PREFIX/bin/ctrl-alt-play
    LIB=$PREFIX/lib/ctrl-alt-play
    kept=$(setting DATA_DIR)
    DATA_DIR=${data_dir:-${kept:-/var/lib/$SERVICE}}
    log_words="journalctl -u $SERVICE" stop_words="systemctl stop $SERVICE"
    if [ "$init" = openrc ]; then log_words=/var/log/$SERVICE.log stop_words="rc-service $SERVICE stop"; fi
    folder=''
    # Piped into a shell there is no such file.
    case ${0##*/} in
    install.sh) folder=$(cd "$(dirname "$0")" 2>/dev/null && pwd) || folder='' ;;
    esac
    from=download release='' wanted=''
    if [ -n "$agent" ]; then
        from=panel
    elif [ -n "$folder" ] && [ -f "$folder/SHA256SUMS" ]; then
        from=folder
    elif [ -n "$folder" ] && [ -f "$folder/Cargo.toml" ] && [ -f "$folder/packaging/tools.sh" ] && [ -z "$asked" ]; then
        from=checkout
        release=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$folder/Cargo.toml" | head -n 1)
    fi
}

# What fetching and checking take, as far as it is not here.
tools_missing() {
    if [ "$from" = panel ]; then
        have curl || echo curl
    elif [ "$from" = download ] && ! have curl && ! have wget; then
        echo curl
    fi
    case $from in folder | download) can_check || echo minisign ;; esac
}

set_up() {
    if package_owns; then
        die "it is installed by the system's packages here: upgrade it with apt-get install ./ctrl-alt-play_VERSION_$(dpkg --print-architecture).deb, or remove it first with apt-get remove ctrl-alt-play (its data stays)"
    fi
    [ "$from" = checkout ] || architecture
    wait_for_trial
    missing=$(tools_missing | tr '\n' ' ' | sed 's/ $//')
    case $from in folder | download) if [ -z "$missing" ]; then find_release; fi ;; esac
    look
    if [ -n "$missing" ]; then note "installed from the packages of $system, to fetch the program and to check its signature: $missing"; fi
    if [ "$judged" = same ] && [ -z "$changes" ]; then
        say "Nothing to do: Ctrl-Alt-Play $has is installed."
        if [ "$start" = yes ]; then show; fi
        return 0
    fi
    check_ports
    if [ -n "$agent" ]; then
        say "This machine, $system, becomes the node $node of the panel at $panel. This will happen:"
    else
        say "Ctrl-Alt-Play${release:+ $release}, for $system. This will happen:"
    fi
    say "$plan"
    if [ "$dry" = yes ]; then
        say "Nothing was changed: this was a dry run."
        return 0
    fi
    ask "Go on?" yes
    if is_root; then
        exec 9>>/run/ctrl-alt-play-install.lock
        if have flock && ! flock -n 9; then die "another installer is at work: wait for it, then run this again"; fi
    fi
    for tool in $missing; do
        if [ "$tool" = minisign ] && [ "$packages" = apt-get ]; then
            install_packages perhaps minisign || install_packages "a tool that checks signatures" signify-openbsd
        else
            install_packages "$tool" "$tool"
        fi
    done
    case $from in
    folder | download) if [ -z "$wanted" ]; then find_release; fi ;;
    checkout)
        build
        wanted=$(hash_of "$folder/target/release/ctrl-alt-play")
        ;;
    panel) obtain ;;
    esac
    judge_program
    if [ "$judged" = same ] && [ -z "$changes" ]; then
        say "Nothing to do: Ctrl-Alt-Play $has is installed."
        if [ "$start" = yes ]; then show; fi
        return 0
    fi
    if [ "$judged" != same ] && [ "$from" != panel ]; then obtain; fi
    need_engine
    need_rights
    act
    if [ "$start" = no ]; then
        say "Installed. Run this again without --no-start to start it."
    elif [ "$init" = none ]; then
        run_here
    else
        show
    fi
}

main() {
    LC_ALL=C
    # Who became root by `su` alone has no folders of administrators in his path.
    # shellcheck disable=SC2031
    PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    export LC_ALL PATH
    umask 022
    work='' stage='' made=no restart=no
    read_options "$@"
    case $what in
    help) usage && return 0 ;;
    version) echo "$VERSION" && return 0 ;;
    esac
    check_options
    [ "$(uname -s)" = Linux ] || die "this runs on Linux only"
    if ! is_root && ! have sudo && [ "$dry" = no ]; then
        die "run this as root, or install sudo: packages, the program and its service need it; nothing was changed"
    fi
    trap tidy EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    work=$(mktemp -d)
    settle
    if [ "$what" = uninstall ]; then
        if package_owns; then die "it is installed by the system's packages here: apt-get remove ctrl-alt-play, or purge instead of remove"; fi
        uninstall
    else
        set_up
    fi
}

main "$@"
