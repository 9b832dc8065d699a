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

hash_of() {
    as_root sha256sum "$1" 2>/dev/null | cut -c 1-64
}

version_of() {
    if [ -x "$1" ]; then "$1" --version 2>/dev/null | awk 'NR == 1 { print $2 }'; fi
}

# --- what machine this is ---

machine() {
    system='this system' ids='' packages=''
    for file in /etc/os-release /usr/lib/os-release; do
        [ -r "$file" ] || continue
        # shellcheck source=/dev/null
        ids=$(. "$file" && printf '%s %s' "${ID:-}" "${ID_LIKE:-}")
        # shellcheck source=/dev/null
        system=$(. "$file" && printf '%s' "${PRETTY_NAME:-${ID:-this system}}")
        break
    done
    # First the manager of a distribution that is known, then whichever is here.
    for id in $ids apt-get dnf pacman apk zypper; do
        case $id in
        debian | ubuntu | raspbian) id=apt-get ;;
        fedora | rhel | centos) id=dnf ;;
        arch | archarm | manjaro) id=pacman ;;
        alpine) id=apk ;;
        opensuse* | suse | sles) id=zypper ;;
        apt-get | dnf | pacman | apk | zypper) ;;
        *) continue ;;
        esac
        if have "$id"; then packages=$id && break; fi
    done
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
    if [ "$packages" = apk ]; then set -- setpriv; else set -- util-linux; fi
    install_packages "setpriv of util-linux" "$@"
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
        sleep 0.2 2>/dev/null || sleep 1
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
    at=$PREFIX/bin
    until [ -d "$at" ]; do at=$(dirname "$at"); done
    free=$(df -Pk "$at" | awk 'NR == 2 { print int($4 / 1024) }')
    [ "${free:-64}" -ge 64 ] || die "$at has $free MB left, 64 MB are needed: make room, then run this again; nothing was changed"
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
        fetch "$from_folder/$asset" "$program" 524288 || die "there is no $asset at $from_folder: nothing was changed"
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
    if ! fetch "$panel/api/nodes/$node/program?arch=$kind" "$program" 524288; then
        case $refused in
        401 | 403) die "the panel does not take this secret for $node: get a new line under Nodes; nothing was changed" ;;
        esac
        die "the panel has no program for $kind: put one into the folder \`agents\` of its data folder, named
ctrl-alt-play-$kind, then run this again"
    fi
    rm -f "$work/curl"
}

# --- what is there ---

# setting NAME: what the settings file says, the last time it says it.
setting() {
    as_root sed -n "s/^$1=//p" "$SETTINGS" 2>/dev/null | tail -n 1 | tr -d "\"'"
}

# sets_up PROGRAM: whether it can install its own service, which the first ones could not.
sets_up() {
    [ -x "$1" ] && "$1" service install --help >/dev/null 2>&1
}

# by_program PROGRAM install|remove|links OPTIONS…: the program does what comes after fetching and checking it. None of the
# values has blanks: check_options has looked.
by_program() {
    runs=$1 command=$2 options="--prefix $PREFIX${agent:+ --agent}${data_dir:+ --data-dir $data_dir}"
    shift 2
    if [ "$command" = install ]; then
        if [ "$start" = no ]; then options="$options --no-start"; fi
        if [ -n "$agent" ]; then
            # By a file that only we may read, not by the command line that everybody sees.
            (umask 077 && printf '%s' "$secret" >"$work/secret")
            options="$options --panel-url $agents --node $node --secret-file $work/secret${pin:+ --pin $pin}"
            options="$options${HEALTH_PORT:+ --health-port $HEALTH_PORT}"
        else
            options="$options${port:+ --port $port}"
        fi
    fi
    # shellcheck disable=SC2086
    as_root "$runs" service "$command" $options "$@"
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
    judged=perhaps has=$(version_of "$BINARY")
    if [ -n "$wanted" ]; then
        judged=replace
        if [ "$(hash_of "$BINARY")" = "$wanted" ]; then judged=same; fi
    fi
    if [ ! -e "$BINARY" ]; then judged=new; fi
}

look() {
    plan='' changes=''
    # shellcheck source=packaging/tools.sh
    if [ "$from" = checkout ]; then note "$(ROOT=$folder && . "$ROOT/packaging/tools.sh" && tools_plan)"; fi
    judge_program
    case $judged in
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
    if ! gives_rights; then todo "setpriv is installed from the packages of $system: it gives the service the rights that games need"; fi
    if sets_up "$BINARY"; then look_by_program; else look_without; fi
}

# What the program that is here finds to do.
look_by_program() {
    code=0 becomes=''
    if [ "$judged" = replace ]; then becomes=$release; fi
    by_program "$BINARY" install --dry-run --program "$BINARY" ${becomes:+--becomes "$becomes"} >"$work/plan" 2>"$work/words" || code=$?
    case $code in
    0 | 10)
        if [ "$code" = 10 ]; then changes=yes; fi
        plan="$plan$(cat "$work/plan")
"
        ;;
    1)
        cat "$work/words" >&2
        exit 1
        ;;
    # It does not know all of these options yet: the new one is asked as soon as it is here.
    *) look_without ;;
    esac
}

# The same where there is no program to ask yet.
look_without() {
    if [ "$judged" = replace ]; then todo "Ctrl-Alt-Play ${has:-(which does not run)} becomes $release, ${source}; games run on"; fi
    if [ -n "$agent$port$data_dir" ]; then todo "settings are written to $SETTINGS"; fi
    if [ "$init" != none ] && ! id "$USER_NAME" >/dev/null 2>&1; then todo "the user $USER_NAME is made, for the service alone"; fi
    if [ "$init" != none ] && ! as_root test -d "$DATA_DIR"; then todo "the data folder $DATA_DIR is made"; fi
    if [ "$start" = no ]; then
        note "nothing is started"
    elif [ "$init" = none ]; then
        todo "neither systemd nor OpenRC here: Ctrl-Alt-Play runs in the foreground, Ctrl-C ends it, games go on"
    else
        todo "the service $SERVICE is enabled and started"
    fi
}

# A terminal's person, wherever this script comes from. With nobody there it goes on.
ask() {
    if [ "$sure" = yes ]; then return 0; fi
    if [ -t 2 ] && (: </dev/tty) 2>/dev/null; then
        printf 'Go on? [Y/n] ' >&2
        read -r answer </dev/tty || answer=n
        case ${answer:-yes} in
        [Yy]*) return 0 ;;
        esac
        say "Nothing was changed."
        exit 1
    fi
}

# --- doing it ---

# Before anything is changed: whether the program that was fetched can go on from here.
try_program() {
    sets_up "$program" || die "Ctrl-Alt-Play $release is older than this installer and cannot set up its own service: take \
the install.sh of that release. Nothing was changed"
    code=0
    by_program "$program" install --dry-run --program "$program" >/dev/null || code=$?
    case $code in 0 | 10) ;; *) exit 1 ;; esac
}

# By its own file: what this shell has set up is gone then.
run_here() {
    set -- "$BINARY" service run --prefix "$PREFIX" --data-dir "$DATA_DIR" ${agent:+--agent}
    is_root || set -- sudo "$@"
    tidy
    trap - EXIT
    exec "$@" 9>&-
}

# --- taking it away ---

# What is left for --uninstall, or for --purge besides, to take away.
left() {
    for place in "$BINARY" "$LIB" "$UNITS/$SERVICE.service" "$SCRIPTS/$SERVICE"; do
        if [ -e "$place" ]; then return 0; fi
    done
    [ "$purge" = yes ] || return 1
    as_root test -e "$DATA_DIR" || [ -e "$SETTINGS" ] || id "$USER_NAME" >/dev/null 2>&1
}

uninstall() {
    if ! left; then
        say "Nothing to do: Ctrl-Alt-Play is not installed here."
        return 0
    fi
    program=$BINARY
    if ! sets_up "$program"; then
        if [ "$dry" = yes ]; then
            say "The program that removes its service is not at $BINARY and would be fetched. Nothing was changed: this was a dry run."
            return 0
        fi
        [ "$from$secret" != panel ] || die "the program that removes its service is not at $BINARY: install it once more by the \
line that the panel shows under Nodes, then run this again. Nothing was changed"
        fetch_program
    fi
    set --
    if [ "$purge" = yes ]; then set -- "$@" --purge; fi
    if [ "$dry" = yes ]; then set -- "$@" --dry-run; fi
    if [ "$sure" = yes ]; then set -- "$@" --yes; fi
    if [ "$docker" = no ]; then set -- "$@" --no-docker; fi
    by_program "$program" remove "$@"
}

# --- from the words of the command line to all of that ---

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
            [ $# -gt 1 ] || die "$1 wants a value"
            eval "$(printf '%s' "${1#--}" | tr - _)=\$2"
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
    prefix=${prefix%/} data_dir=${data_dir%/} panel=${panel%/}
    case $asked in *[!A-Za-z0-9.+-]*) die "--version $asked is no version: 1.2.3, say" ;; esac
    case $port in 0* | *[!0-9]* | ??????*) die "--port $port is no port: 1 to 65535" ;; esac
    [ "${port:-1}" -le 65535 ] || die "--port $port is no port: 1 to 65535"
    for value in "$prefix" "$data_dir"; do
        case $value in
        *[!A-Za-z0-9._/+@-]* | */../* | */..) die "$value: a folder's name of letters, digits and . _ + @ - only, please" ;;
        '' | /?*) ;;
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
    SERVICE=ctrl-alt-play${agent:+-agent}
    SETTINGS=/etc/default/$SERVICE
    STALL=${CTRL_ALT_PLAY_STALL:-30}
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
    folder=''
    # Piped into a shell there is no such file.
    case ${0##*/} in
    install.sh) folder=$(cd "$(dirname "$0")" 2>/dev/null && pwd) || folder='' ;;
    esac
    from=download source="fetched from $DOWNLOAD" release='' wanted=''
    if [ -n "$agent" ]; then
        from=panel source="fetched from $panel"
    elif [ -n "$folder" ] && [ -f "$folder/SHA256SUMS" ]; then
        from=folder source="from $folder"
    elif [ -n "$folder" ] && [ -f "$folder/Cargo.toml" ] && [ -f "$folder/packaging/tools.sh" ] && [ -z "$asked" ]; then
        from=checkout source="built in $folder"
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
    [ "$from" = checkout ] || architecture
    missing=$(tools_missing | tr '\n' ' ' | sed 's/ $//')
    case $from in folder | download) if [ -z "$missing" ]; then find_release; fi ;; esac
    look
    if [ -n "$missing" ]; then note "installed from the packages of $system, to fetch the program and to check its signature: $missing"; fi
    if nothing_to_do; then return 0; fi
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
    ask
    if is_root; then
        exec 9>>/run/ctrl-alt-play-install.lock
        if have flock && ! flock -n 9; then die "another installer is at work: wait for it, then run this again"; fi
    fi
    fetch_program
    if nothing_to_do; then return 0; fi
    try_program
    need_engine
    need_rights
    by_program "$program" install --program "$program" || exit 1
    if [ "$start" = yes ] && [ "$init" = none ]; then run_here; fi
}

# The program in $program: the one that is installed, where that is what would be fetched.
fetch_program() {
    [ "$from" = checkout ] || architecture
    for tool in $(tools_missing); do
        if [ "$tool" = minisign ] && [ "$packages" = apt-get ]; then
            install_packages perhaps minisign || install_packages "a tool that checks signatures" signify-openbsd
        else
            install_packages "$tool" "$tool"
        fi
    done
    case $from/$wanted in
    folder/ | download/) find_release ;;
    checkout/)
        # shellcheck source=packaging/tools.sh
        (ROOT=$folder && . "$ROOT/packaging/tools.sh" && build_program) || exit 1
        wanted=$(hash_of "$folder/target/release/ctrl-alt-play")
        ;;
    panel/) obtain ;;
    esac
    judge_program
    program=$BINARY
    if [ "$judged" = same ]; then return 0; fi
    program=$stage/program
    if [ -z "$stage" ]; then obtain; fi
}

# Where all is as it should be the program only says where it is.
nothing_to_do() {
    [ "$judged" = same ] && [ -z "$changes" ] || return 1
    say "Nothing to do: Ctrl-Alt-Play $has is installed."
    if [ "$start" = yes ]; then by_program "$BINARY" links; fi
}

main() {
    LC_ALL=C
    # Who became root by `su` alone has no folders of administrators in his path.
    # shellcheck disable=SC2031
    PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    export LC_ALL PATH
    umask 022
    work='' stage='' made=no
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
    if have dpkg-query && dpkg-query -W -f '${Status}' ctrl-alt-play 2>/dev/null | grep -q ' installed$'; then
        die "it is installed by the system's packages here: upgrade it with apt-get install \
./ctrl-alt-play_VERSION_$(dpkg --print-architecture).deb, or remove it with apt-get remove ctrl-alt-play (its data stays)"
    fi
    if [ "$what" = uninstall ]; then uninstall; else set_up; fi
}

main "$@"
