#!/bin/sh
# Stands beside the service, as root: makes its data folder, puts a new program in place at an upgrade, and puts the old
# one back, with the database as it was, when the new one does not come up.
#
#   guard start PROGRAM [UNIT]   before the program is started
#   guard stop PROGRAM [UNIT]    after it ended; SERVICE_RESULT says how
#   guard settle PROGRAM         waits until the new program has come up; fails when it does not
#
# What lies in DATA_DIR/upgrade, which belongs to the service's user:
#
#   program, staged   the new program; its version and SHA-256. With these it begins. It is put in place only where root
#                     wrote `staged`, or where the program that runs now finds it in a release's signed list:
#   sums, sums.minisig   that list and its signature.
#   trial             the new program is in place, and has not said yet that it is well. It removes this when it is.
#   back              what `trial` was, while the old one is put back.
#   before.redb       the database as it was; PROGRAM.before beside the program is the program as it was.
#   outcome           how the last upgrade went.
#
# Killed between any two commands, the next start goes on: what decides is always one rename. Going back renames and
# removes only, so it works on a full disk.
set -u
umask 077
LC_ALL=C
export LC_ALL

ATTEMPTS=2
PATIENCE=${CTRL_ALT_PLAY_PATIENCE:-180}

say() {
    printf '%s%s\n' "${JOURNAL_STREAM:+<5>}" "guard: $*" >&2
}

usage() {
    say "usage: guard start|stop|settle PROGRAM [UNIT], with DATA_DIR"
    exit 64
}

# A file of its own, and no link to one of somebody else's.
there() {
    [ -f "$1" ] && [ ! -h "$1" ]
}

hash_of() {
    sum_of=$(sha256sum <"$1" 2>/dev/null) && printf '%s' "${sum_of%% *}"
}

# value NAME FILE: of the line NAME=value.
value() {
    while IFS= read -r line; do
        case $line in "$1="*) printf '%s' "${line#*=}" && return 0 ;; esac
    done <"$2"
    return 0
}

plain() {
    case $1 in '' | *[!0-9A-Za-z.+-]*) return 1 ;; esac
}

flush() {
    sync "$@" 2>/dev/null || sync
}

# put NAME TEXT: a file of the folder's owner, whole or not at all.
put() {
    if [ -d "$1" ]; then rm -rf "./$1"; fi
    rm -f "$1.new" && (set -C && printf '%s\n' "$2" >"$1.new") && chown "$owner" "$1.new" &&
        flush "$1.new" && mv -f "$1.new" "$1" && flush .
}

outcome() {
    printf 'from=%s\nto=%s\nresult=reverted\nreason=%s\nat=%s' "$from" "$to" "$1" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
}

trial() {
    printf 'from=%s\nto=%s\nattempts=%s\nsha256=%s' "$from" "$to" "$1" "$sum"
}

version_of() {
    said=$(timeout 10 "$1" --version 2>/dev/null) || said=
    said=${said##* }
    if plain "$said"; then printf '%s' "$said"; else printf unknown; fi
}

# --- the data folder ---

# Of a service that ran as root everything is root's: it becomes the service's, but for the games' own files.
own_folder() {
    ids=$(id -u "$user" 2>/dev/null):$(id -g "$user" 2>/dev/null)
    case $ids in :* | *:) return 0 ;; esac
    if [ ! -e "$DATA_DIR" ]; then
        (umask 022 && mkdir -p "$(dirname "$DATA_DIR")") && mkdir -m 0700 "$DATA_DIR" && chown "$ids" "$DATA_DIR"
        return
    fi
    if [ "$(stat -c %u "$DATA_DIR")" != 0 ] || [ "${ids%%:*}" = 0 ]; then return 0; fi
    say "$DATA_DIR becomes the user $user's; the games' files stay theirs"
    # The folder itself comes last: cut off half-way, it is done again.
    (cd "$DATA_DIR" && find . -xdev -mindepth 1 -path './servers/*' -prune -o ! -path . -exec chown -h "$ids" {} + &&
        chown "$ids" .)
}

# Into the folder of the upgrade, and only there: a link in its place is not followed.
enter() {
    if [ ! -d "$DATA_DIR/upgrade" ] || [ -h "$DATA_DIR/upgrade" ]; then return 1; fi
    cd "$DATA_DIR" || return
    top=$(pwd -P)
    cd upgrade || return
    [ "$(pwd -P)" = "${top%/}/upgrade" ] || return
    owner=$(stat -c %u:%g .)
}

# --- an upgrade ---

# refuse REASON: it does not take place; nothing was changed.
refuse() {
    say "the upgrade to $to does not take place: $1"
    rm -f staged program sums sums.minisig "$PROGRAM.next" before.redb before.redb.new trial trial.new outcome.back
    put outcome "$(outcome "$1")" || say "and that can't be noted"
    rm -f "$PROGRAM.before"
}

put_in_place() {
    to='' sum='' rest='' by_root=no from=$(version_of "$PROGRAM")
    # One open file: whoever owns the folder can put another one in its place between two looks.
    exec 3<staged
    if [ "$(stat -L -c %u /proc/self/fd/3 2>/dev/null)" = 0 ]; then by_root=yes; fi
    read -r to sum rest <&3 || true
    exec 3<&-
    plain "$to" || to=unknown
    if [ -n "$sum" ] && [ "$(hash_of "$PROGRAM")" = "$sum" ]; then
        # It is in place already: an earlier start was cut off here.
        if there trial; then say "$to is on trial"; fi
        rm -f staged program sums sums.minisig
        return
    fi
    if ! prepare; then
        refuse "$why"
        return
    fi
    say "putting $to in the place of $from"
    if ! mv -f "$PROGRAM.next" "$PROGRAM"; then
        refuse "the new program could not be put in place"
        return
    fi
    flush "$(dirname "$PROGRAM")"
    rm -f staged program sums sums.minisig
}

# Whether the program is one of a release, by the word of the one that runs now: its copy, which nobody else can change.
signed() {
    there sums && there sums.minisig &&
        timeout 60 "$PROGRAM" verify-program --version "$to" --sums "$PWD/sums" --signature "$PWD/sums.minisig" \
            "$PROGRAM.next" >/dev/null 2>&1
}

# All that comes before the swap; fails with `why`.
prepare() {
    why="what was staged is not readable"
    plain "$sum" || return
    [ "${#sum}" = 64 ] || return
    [ -z "$rest" ] || return
    why="the new program is not there"
    there program || return
    why="the new program could not be copied (is the disk full?)"
    rm -f "$PROGRAM.next" before.redb before.redb.new
    cp -P program "$PROGRAM.next" || return
    there "$PROGRAM.next" || return
    chown 0:0 "$PROGRAM.next" || return
    chmod 0755 "$PROGRAM.next" || return
    flush "$PROGRAM.next"
    why="the new program is not the one that was checked"
    [ "$(hash_of "$PROGRAM.next")" = "$sum" ] || return
    why="the new program is not signed by the key that the one before it knows"
    [ "$by_root" = yes ] || signed || return
    if [ -e ../panel.redb ]; then
        why="the database could not be copied (is the disk full?)"
        there ../panel.redb || return
        cp -pP ../panel.redb before.redb.new || return
        flush before.redb.new
        mv -f before.redb.new before.redb || return
    fi
    why="the old program could not be kept"
    rm -f "$PROGRAM.before"
    ln "$PROGRAM" "$PROGRAM.before" 2>/dev/null || cp -p "$PROGRAM" "$PROGRAM.before" || return
    flush "$PROGRAM.before" "$(dirname "$PROGRAM")"
    # Written now, while there is room: going back must not need any.
    why="there is no room in the data folder"
    put outcome.back "$(outcome "it did not come up")" || return
    put trial "$(trial 1)"
}

# The new program was started before, and has neither said that it is well nor was it seen to fail: power was cut, say.
count() {
    from=$(value from trial) to=$(value to trial) sum=$(value sha256 trial) attempts=$(value attempts trial)
    if [ -n "$sum" ] && [ "$(hash_of "$PROGRAM")" != "$sum" ]; then
        say "another program than the one on trial is in place: the trial is forgotten"
        rm -f trial
        tidy
        return
    fi
    case $attempts in '' | *[!0-9]*) attempts=$ATTEMPTS ;; esac
    if [ "$attempts" -ge "$ATTEMPTS" ]; then
        go_back "it was started $attempts times and did not come up"
        return
    fi
    put trial "$(trial $((attempts + 1)))" || go_back "its start could not be noted, is the disk full?"
}

# go_back REASON
go_back() {
    if there trial; then mv -f trial back || return 1; fi
    from=$(value from back) to=$(value to back)
    say "going back from $to to $from: $1"
    flush .
    if there before.redb; then mv -f before.redb ../panel.redb || return 1; fi
    if [ -f "$PROGRAM.before" ]; then
        # Where the swap was never made both are one file, which no rename takes.
        if [ "$(hash_of "$PROGRAM.before")" != "$(hash_of "$PROGRAM")" ]; then
            mv -f "$PROGRAM.before" "$PROGRAM" || return 1
        fi
        rm -f "$PROGRAM.before"
    fi
    flush .. "$(dirname "$PROGRAM")"
    rm -f staged program sums sums.minisig "$PROGRAM.next"
    put outcome "$(outcome "$1")" || mv -f outcome.back outcome
    rm -f back outcome.back
}

tidy() {
    rm -f sums sums.minisig before.redb before.redb.new outcome.back outcome.new outcome.back.new trial.new "$PROGRAM.next"
    rm -f "$PROGRAM.before"
}

# --- the three commands ---

start() {
    own_folder || say "$DATA_DIR could not be given to the user $user"
    enter || return 0
    if there back; then
        go_back "going back was interrupted"
    elif there staged; then
        put_in_place
    elif there trial; then
        count
    else
        tidy
    fi
}

stop() {
    enter || return 0
    if there back; then
        go_back "going back was interrupted" || return
    elif interrupted; then
        say "asked to end before the program was started: nothing was shown"
        return 0
    elif there trial && { [ "${SERVICE_RESULT:-success}" != success ] || ! stop_asked; }; then
        case ${EXIT_CODE:-} in
        exited) go_back "it ended with ${EXIT_STATUS:-a failure}" || return ;;
        killed | dumped) go_back "it ended by the signal ${EXIT_STATUS:-} ($SERVICE_RESULT)" || return ;;
        *) go_back "it did not come up ($SERVICE_RESULT)" || return ;;
        esac
    else
        return 0
    fi
    start_again
}

# Whether this very script was ended as it prepared a start, by a restart that somebody asked for meanwhile. The next start
# goes on with what this one began.
interrupted() {
    [ -z "${EXIT_CODE:-}" ] && [ "${SERVICE_RESULT:-}" = signal ] && stop_asked
}

# Whether somebody wants the service to end, or the machine to. Where nobody can be asked, somebody does.
stop_asked() {
    if [ -z "$unit" ] || [ ! -d /run/systemd/system ]; then return 0; fi
    systemctl list-jobs --no-legend --no-pager 2>/dev/null | grep -Eq " $unit +(stop|restart) "
}

# The service may have ended in a way after which nobody starts it again. Beside it, since nobody can start it while this runs.
start_again() {
    if [ -z "$unit" ] || [ ! -d /run/systemd/system ]; then return 0; fi
    if stop_asked; then return 0; fi
    # shellcheck disable=SC2016
    systemd-run --quiet --no-block --collect --description="starts $unit again" /bin/sh -c \
        'while [ "$(systemctl show -p ActiveState --value "$1")" = deactivating ]; do sleep 0.1; done
         systemctl reset-failed "$1"; exec systemctl start "$1"' sh "$unit" ||
        say "$unit could not be started again"
}

settle() {
    enter || return 0
    waited=0
    while there trial; do
        [ "$waited" -lt "$PATIENCE" ] || return 1
        waited=$((waited + 1))
        sleep 1
    done
}

if [ $# -lt 2 ] || [ -z "${DATA_DIR:-}" ]; then usage; fi
command=$1 PROGRAM=$2 unit=${3:-}
user=${CTRL_ALT_PLAY_USER:-ctrl-alt-play}
case $command in
start | stop | settle) "$command" ;;
*) usage ;;
esac
