#!/usr/bin/env bash
# Runs in the guest: the enforcement tests, then the real agents.
#
#   tests/vm/suite.sh TEST_BINARY
set -euo pipefail

cd "$(dirname "$0")/../.."
status=0
"$1" --test-threads=1 || status=$?
tests/agents/suite.sh || status=$?
exit "$status"
