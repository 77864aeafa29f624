#!/usr/bin/env bash
# Builds the static executable: one file that needs no other to run.
#
#   packaging/static.sh          prints its path
#
# The same tree gives the same bytes, wherever it lies: paths of this machine are
# replaced, and nothing that is built asks for the time.
#
#   CARGO_TARGET_DIR  where cargo builds (target/static)
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd -P)
cd "$root"
target=x86_64-unknown-linux-gnu
built=$(realpath -m "${CARGO_TARGET_DIR:-$root/target/static}")
cargo_home=$(realpath -m "${CARGO_HOME:-$HOME/.cargo}")

fail() {
    printf 'static: %s\n' "$1" >&2
    exit 1
}

# libelf and zlib as archives, where this machine's C compiler finds them.
libraries=()
for name in libelf.a libz.a; do
    path=$("${CC:-cc}" -print-file-name="$name")
    [[ $path == /* ]] || fail "no $name: run tests/setup.sh build"
    libraries+=("$(dirname "$(realpath "$path")")")
done

# The later of two that match holds: the folder that is built in may lie in the tree.
flags=(
    -Ctarget-feature=+crt-static
    "--remap-path-prefix=$cargo_home=/cargo"
    "--remap-path-prefix=$root=/tyr"
    "--remap-path-prefix=$built=/tyr/target"
)
separator=$'\x1f'
joined=$(printf "%s$separator" "${flags[@]}")

# RUSTFLAGS hold for the target only because it is named: what runs while building stays dynamic.
CARGO_ENCODED_RUSTFLAGS=${joined%"$separator"} \
    LIBBPF_SYS_LIBRARY_PATH=$(IFS=:; printf '%s' "${libraries[*]}") \
    CARGO_TARGET_DIR=$built CARGO_INCREMENTAL=0 LC_ALL=C \
    cargo build --locked --release --features static --target "$target" --bin tyr >&2

printf '%s\n' "$built/$target/release/tyr"
