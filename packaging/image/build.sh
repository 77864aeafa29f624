#!/usr/bin/env bash
# Makes the container image: `make image` calls it.
#
#   packaging/image/build.sh EXECUTABLE [FOLDER]     FOLDER: target/package
#
# The contents are what the executable itself lays out; no registry and no engine
# is asked for anything. The same tree gives the same bytes. Prints the path.
# TYR_VERSION is the version; default: that of the tree.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
executable=$(realpath -e "${1:?usage: packaging/image/build.sh EXECUTABLE [FOLDER]}")
out=$(realpath -m "${2:-$root/target/package}")
version=${TYR_VERSION:-$("$root/packaging/version.sh")}
epoch=$("$root/packaging/version.sh" epoch)

# There is no loader in the image.
if LC_ALL=C readelf --program-headers "$executable" | grep -q INTERP; then
    echo "image: $executable is not static: make static" >&2
    exit 1
fi
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
"$executable" install --root "$tree" --prefix /usr >/dev/null
find "$tree" -type d -exec chmod 0755 {} +
mkdir -p "$out"
/usr/bin/python3 -B "$here/layout.py" "$tree" "$out/tyr-$version-image.tar" \
    --version "$version" --epoch "$epoch" >&2
printf '%s\n' "$out/tyr-$version-image.tar"
