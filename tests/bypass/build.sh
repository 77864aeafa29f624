#!/usr/bin/env bash
# Compiles the attacks that are written in C to target/bypass.
set -euo pipefail

cd "$(dirname "$0")"
out=../../target/bypass
mkdir -p "$out"
for source in attacks/*.c session.c victim.c; do
    program=$out/$(basename "$source" .c)
    if [[ ! $program -nt $source || ! $program -nt attack.h ]]; then
        printf '%s\0%s\0' "$program" "$source"
    fi
done | xargs -0 -r -n2 -P"$(nproc)" cc -std=gnu17 -O1 -Wall -Wextra -Werror -I. -pthread -o
