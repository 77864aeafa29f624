"""Compares a transcript with what suite.sh's four steps do on a machine without Tyr.

    check_baseline.py TRANSCRIPT.jsonl SECRET
"""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    results = [json.loads(line) for line in file]
secret = sys.argv[2]
# What the results of the steps must hold, and whether they are errors.
expected = [(secret, False), (secret, False), ("", False), (secret, True)]
wrong = []
if len(results) != len(expected):
    wrong.append(f"{len(results)} results for {len(expected)} steps")
for result, (text, is_error) in zip(results, expected):
    if "problem" in result or text not in result["result"] or result["is_error"] != is_error:
        wrong.append(f"step {result['step']}: {json.dumps(result)}")
sys.exit("\n".join(wrong) or 0)
