#!/usr/bin/env bash
# Makes a release twice and checks what it consists of: checksums, bill of
# materials, licences, Kubernetes manifest, and the image with a real engine.
#
#   tests/package/shipped.sh
#
#   EXECUTABLE  the static executable of this version; default: it is built
#   KERNELS     where the image runs as daemon (6.1 6.12)
set -euo pipefail

cd "$(dirname "$0")/../.."
tests/setup.sh build vm package release
python=$(realpath -m "${TYR_CACHE:-.cache}")/release/bin/python
TYR_VERSION=${TYR_VERSION:-$(packaging/version.sh)}
# What is looked at is this tree as it is, committed or not.
export TYR_VERSION DIRTY=1

release=$(packaging/release/build.sh target/release-test)
again=$(packaging/release/build.sh target/release-again)
executable=$release/tyr-$TYR_VERSION-x86_64-linux
status=0
echo '-- release'
"$python" -B tests/package/release.py "$release" "$TYR_VERSION" "$again" || status=$?
echo '-- kubernetes'
"$python" -B tests/package/kubernetes.py packaging/kubernetes/tyr.yaml "$executable" || status=$?
read -ra kernels <<<"${KERNELS-6.1 6.12}"
tests/package/image.sh "$release/tyr-$TYR_VERSION-image.tar" "$executable" "${kernels[@]}" || status=$?
exit "$status"
