#!/usr/bin/env bash
# Makes the .deb files of tyr, tyr-server and tyrd: `make deb` calls it.
#
#   packaging/deb/build.sh EXECUTABLE [FOLDER]     FOLDER: target/package
#
# PACKAGE/Cargo.toml.in is what cargo-deb reads; the contents are the staged tree,
# with Debian's own documents besides. The same tree gives the same bytes.
# Prints the paths. TYR_VERSION is the version; default: that of the tree.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
executable=${1:?usage: packaging/deb/build.sh EXECUTABLE [FOLDER]}
out=$(realpath -m "${2:-$root/target/package}")
version=${TYR_VERSION:-$("$root/packaging/version.sh")}
SOURCE_DATE_EPOCH=$("$root/packaging/version.sh" epoch)
export SOURCE_DATE_EPOCH
date=$(LC_ALL=C date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")

stage=$("$root/packaging/stage.sh" "$executable")
mkdir -p "$out"
for package in tyr tyr-server tyrd; do
    work=$root/target/package/deb/$package
    rm -rf "$work"
    mkdir -p "$work"
    cp -a "$stage/$package" "$work/tree"
    # Where Debian's zsh looks for what packages bring.
    [[ ! -d $work/tree/usr/share/zsh ]] ||
        mv "$work/tree/usr/share/zsh/site-functions" "$work/tree/usr/share/zsh/vendor-completions"
    install -D -m 644 "$here/$package/lintian-overrides" "$work/tree/usr/share/lintian/overrides/$package"
    cp "$here/copyright" "$work/copyright"
    sed -e "s/@VERSION@/$version/" -e "s/@DATE@/$date/" "$here/changelog.in" >"$work/changelog"
    # A package of cargo's without code: cargo-deb wants one, and the version in it.
    {
        sed -e "s/@VERSION@/$version/g" "$here/$package/Cargo.toml.in"
        echo 'assets = ['
        # Links may lead to another package, so they are named with what they hold.
        (cd "$work/tree" &&
            find . \( -type f -printf '    { source = "tree/%P", dest = "/%P", mode = "%m" },\n' \) -o \
                \( -type l -printf '    { link_name = "%l", dest = "/%P" },\n' \)) | LC_ALL=C sort
        echo ']'
    } >"$work/Cargo.toml"
    : >"$work/lib.rs"
    mkdir -p "$work/scripts"
    for script in postinst prerm postrm; do
        [[ ! -f $here/$package/$script ]] || install -m 755 "$here/$package/$script" "$work/scripts"
    done
    cargo deb --quiet --no-build --no-strip --no-dbgsym --manifest-path "$work/Cargo.toml" \
        --deb-version "$version-1" --output "$out/${package}_$version-1_amd64.deb"
done
