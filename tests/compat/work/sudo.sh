#!/usr/bin/env bash
# A set-user-id program that runs others as another user.
set -uo pipefail

sudo -n id -u
echo "status $?"
sudo -n sh -c 'echo written by root >by-root; chown root:root by-root; chmod 0644 by-root'
stat -c '%U %a' by-root
sudo -n -u nobody id -un
sudo -n true
sudo -n rm by-root
