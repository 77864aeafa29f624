#!/usr/bin/env bash
# Debian packages: built, listed, unpacked.
set -euo pipefail

export SOURCE_DATE_EPOCH=1700000000
mkdir -p root/DEBIAN root/usr/bin root/etc
printf '#!/bin/sh\necho packaged\n' >root/usr/bin/packaged
chmod 0755 root/usr/bin/packaged
echo setting=1 >root/etc/packaged.conf
echo /etc/packaged.conf >root/DEBIAN/conffiles
cat >root/DEBIAN/control <<'CONTROL'
Package: packaged
Version: 1.0
Architecture: all
Maintainer: An Agent <agent@example.org>
Description: a package of a test
CONTROL
dpkg-deb --root-owner-group -b root packaged.deb
dpkg-deb -I packaged.deb | grep -v bytes
dpkg-deb -c packaged.deb | awk '{print $1, $2, $NF}'
dpkg-deb -x packaged.deb out
out/usr/bin/packaged
dpkg-query -W -f '${Status}\n' coreutils
apt-cache --version | head -n1
