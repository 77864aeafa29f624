#!/usr/bin/env bash
# Makes the .rpm files of tyr, tyr-server and tyrd: `make rpm` calls it.
#
#   packaging/rpm/build.sh EXECUTABLE [FOLDER]     FOLDER: target/package
#
# With rpmbuild, Debian's package rpm: cargo-generate-rpm writes no symbolic links
# and gives every file of a pattern one mode. The same tree gives the same bytes.
# Prints the paths. TYR_VERSION is the version; default: that of the tree.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
executable=${1:?usage: packaging/rpm/build.sh EXECUTABLE [FOLDER]}
out=$(realpath -m "${2:-$root/target/package}")
version=${TYR_VERSION:-$("$root/packaging/version.sh")}
SOURCE_DATE_EPOCH=$("$root/packaging/version.sh" epoch)
export SOURCE_DATE_EPOCH

stage=$("$root/packaging/stage.sh" "$executable")
work=$root/target/package/rpm
rm -rf "$work"
mkdir -p "$work/BUILD" "$out"
sed -e "s/@DATE@/$(LC_ALL=C date --utc '+%a %b %d %Y' --date="@$SOURCE_DATE_EPOCH")/" "$here/tyr.spec" >"$work/tyr.spec"
# Files, host and time of building as the tree says; zstd, as Fedora's and RHEL's own.
if ! rpmbuild -bb --quiet --target x86_64 \
    --define "_topdir $work" --define "version $version" --define "stage $stage" \
    --define "license_file $root/LICENSE" \
    --define '_buildhost tyr' --define 'use_source_date_epoch_as_buildtime 1' \
    --define 'clamp_mtime_to_source_date_epoch 1' --define 'source_date_epoch_from_changelog 0' \
    --define '_binary_payload w19.zstdio' --define '_build_id_links none' \
    "$work/tyr.spec" >"$work/log" 2>&1; then
    cat "$work/log" >&2
    exit 1
fi
for file in "$work"/RPMS/x86_64/*.rpm; do
    mv "$file" "$out"
    printf '%s\n' "$out/${file##*/}"
done
