# shellcheck shell=sh
# Builds the static program that users get. POSIX sh, sourced after packaging/tools.sh with ROOT set: by
# packaging/release, and by tests/run for machines of other kinds.
#
#   build_program ARCH    x86_64, aarch64 or armv7, installing what that needs on a Debian 12
#   program_of ARCH       where it lies then
#
# Static, because then it needs nothing of the machine that it runs on: one file for every distribution, also for none.
# The same sources give the same bytes, wherever they lie: no path, time or build id of this machine goes in.

triple_of() {
    case $1 in
    x86_64) echo x86_64-unknown-linux-gnu ;;
    aarch64) echo aarch64-unknown-linux-gnu ;;
    armv7) echo armv7-unknown-linux-gnueabihf ;;
    *) die "no program is made for $1; there are x86_64, aarch64 and armv7" ;;
    esac
}

program_of() {
    echo "${CARGO_TARGET_DIR:-$ROOT/target}/$(triple_of "$1")/release/ctrl-alt-play"
}

# What must be here for an architecture beside what need_rust brings.
need_target() {
    case $1 in
    "$(uname -m)") ;;
    aarch64)
        debian_rust aarch64
        [ -d "/usr/lib/rustlib/$(triple_of aarch64)" ] || {
            dpkg --print-foreign-architectures 2>/dev/null | grep -qx arm64 || {
                as_root dpkg --add-architecture arm64
                # What there is for it is not known yet.
                # shellcheck disable=SC2034
                apt_ready=
            }
            apt_install libstd-rust-web-dev:arm64
        }
        have aarch64-linux-gnu-gcc || apt_install gcc-aarch64-linux-gnu
        ;;
    armv7)
        # Its ready-made standard library cannot be installed beside this machine's own: it is built from source, and
        # armhf is not made known to dpkg, which some archives take badly.
        debian_rust armv7
        [ -f /usr/lib/rustlib/src/rust/library/std/Cargo.toml ] || apt_install rust-web-src
        have arm-linux-gnueabihf-gcc || apt_install gcc-arm-linux-gnueabihf
        [ -f /usr/arm-linux-gnueabihf/lib/libc.a ] || apt_install libc6-dev-armhf-cross
        ;;
    *) die "a program for $1 can only be built on a machine of that kind" ;;
    esac
}

# debian_rust ARCH: Debian's own Rust, whose standard libraries for other machines come by apt.
debian_rust() {
    { [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && at_least "$(debian_rust_version)" "$RUST_WANTED"; } ||
        apt_install rustc-web cargo-web
    at_least "$(debian_rust_version)" "$RUST_WANTED" || die "Rust $RUST_WANTED of Debian (rustc-web) is needed to build for $1"
}

debian_rust_version() {
    /usr/bin/rustc --version 2>/dev/null | awk '{print $2}'
}

# rust_flags ARCH RUSTC
rust_flags() {
    printf '%s' "-C target-feature=+crt-static -C link-arg=-Wl,--build-id=none"
    # Where the code lies is known at the start only; packed, what has to be told of it is 10 kB and not 1 MB, all of it
    # read at each start. The static C library does it itself: no machine has to know this form.
    printf ' %s' "-C link-arg=-Wl,-z,pack-relative-relocs"
    # Functions of the same code are kept once, where the linker can do that: 0.6 MB less.
    probe=$(mktemp -d)
    if printf 'fn main() {}' | "$2" -C link-arg=-Wl,--icf=all -o "$probe/program" - 2>/dev/null; then
        printf ' %s' "-C link-arg=-Wl,--icf=all"
    fi
    rm -r "$probe"
    home=${CARGO_HOME:-$HOME/.cargo}
    printf ' %s' "--remap-path-prefix=$home=/cargo" "--remap-path-prefix=$ROOT=/source"
    # Crates come from one of several registries or mirrors, each with a folder of its own name.
    for registry in "$home"/registry/src/*; do
        if [ -d "$registry" ]; then printf ' %s' "--remap-path-prefix=$registry=/crates"; fi
    done
    printf ' %s' "--remap-path-prefix=$("$2" --print sysroot)/lib/rustlib/src/rust=/rust"
}

build_program() {
    need_target "$1"
    triple=$(triple_of "$1") date=$(source_date)
    rustc=rustc cargo=cargo
    if [ "$1" != "$(uname -m)" ]; then rustc=/usr/bin/rustc cargo=/usr/bin/cargo; fi
    (
        cd "$ROOT" || exit 1
        # Set, they would come before the flags below, or change what is built.
        unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
        # Before the flags are made: they name the folders that this fills.
        "$cargo" fetch --locked --quiet || exit 1
        upper=$(printf '%s' "$triple" | tr 'a-z-' 'A-Z_')
        export "CARGO_TARGET_${upper}_RUSTFLAGS=$(rust_flags "$1" "$rustc")"
        case $1 in
        aarch64) if [ "$rustc" = /usr/bin/rustc ]; then export "CARGO_TARGET_${upper}_LINKER=aarch64-linux-gnu-gcc"; fi ;;
        armv7)
            export "CARGO_TARGET_${upper}_LINKER=arm-linux-gnueabihf-gcc"
            # The standard library is built along, which a stable compiler only does when it is told that this is meant.
            export RUSTC_BOOTSTRAP=1
            set -- "$1" -Zbuild-std=std,panic_unwind
            ;;
        esac
        shift
        exec env SOURCE_DATE_EPOCH="$date" RUSTC="$rustc" "$cargo" build --release --locked --target "$triple" --bin ctrl-alt-play "$@"
    ) || die "the program for $1 could not be built"
}

# Seconds since 1970 that stand for these sources: their last commit, else their list of changes.
source_date() {
    if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
        echo "$SOURCE_DATE_EPOCH"
    else
        git -C "$ROOT" log -1 --format=%ct 2>/dev/null || stat -c %Y "$ROOT/CHANGELOG.md"
    fi
}
