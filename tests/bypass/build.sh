#!/usr/bin/env bash
# Compiles the attacks that are written in C to target/bypass.
set -euo pipefail

cd "$(dirname "$0")"
out=../../target/bypass
mkdir -p "$out"
for source in attacks/*.c session.c victim*.c; do
    program=$out/$(basename "$source" .c)
    [[ ! $program -nt $source || ! $program -nt attack.h || ! $program -nt uring.h ]] || continue
    kind=-pthread
    ! grep -q '^// build: static$' "$source" || kind=-static
    [[ $source != victim-library.c ]] || kind='-shared -fPIC'
    [[ $source != victim-alone.c ]] || kind='-static-pie -fPIE -nostdlib -fno-stack-protector'
    printf '%s -o %s %s\n' "$kind" "$program" "$source"
done | xargs -r -L1 -P"$(nproc)" cc -std=gnu17 -O1 -Wall -Wextra -Werror -I.
