#!/usr/bin/env bash
# The system calls themselves, one line each with its error.
set -euo pipefail

cc -O1 -Wall -o calls "$COMPAT/c/calls.c" -luring -lrt -lpthread
./calls
