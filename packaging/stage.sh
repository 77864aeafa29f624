#!/usr/bin/env bash
# Lays out what each package contains, below target/package/stage/PACKAGE, with
# the list that the executable itself has: packages are made from these trees and
# from no other list.
#
#   packaging/stage.sh EXECUTABLE
#
# Manual pages are compressed, which both kinds of packages ask for. Prints the
# folder.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd -P)
executable=$(realpath -e "${1:?usage: packaging/stage.sh EXECUTABLE}")
stage=$root/target/package/stage

rm -rf "$stage"
for pair in tyr:cli tyr-server:server tyrd:daemon; do
    folder=$stage/${pair%:*}
    mkdir -p "$folder"
    "$executable" install --root "$folder" --prefix /usr --role "${pair#*:}" >/dev/null
    # Without name and time: the same tree gives the same bytes.
    find "$folder" -path '*/share/man/*' -type f -exec gzip --best --no-name {} +
    find "$folder" -type d -exec chmod 0755 {} +
done
printf '%s\n' "$stage"
