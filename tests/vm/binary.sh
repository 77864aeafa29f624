#!/usr/bin/env bash
# Builds the enforcement tests and prints where their program is.
set -euo pipefail

cd "$(dirname "$0")/../.."
cargo test --locked --no-run --test vm --message-format=json-render-diagnostics |
    /usr/bin/python3 -c '
import json, sys
for line in sys.stdin:
    artifact = json.loads(line)
    if artifact.get("executable") and artifact["target"]["name"] == "vm":
        print(artifact["executable"])'
