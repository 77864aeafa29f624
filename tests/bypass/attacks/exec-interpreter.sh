#!/bin/sh
# tries: has an allowed interpreter run a denied script, which it reads like any file
# target: exec
# setup: printf 'echo victim ran\n' > programs/denied
# now: open

/bin/sh programs/denied || { echo "DENIED EPERM sh"; exit 1; }
echo DONE
