#!/usr/bin/env bash
# Prints the seconds since 1970 that everything built from this tree is dated:
# SOURCE_DATE_EPOCH, or when the last commit was made.
set -euo pipefail

cd "$(dirname "$0")/.."
printf '%s\n' "${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
