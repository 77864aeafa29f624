#!/usr/bin/env bash
# Tracing within the session: strace and gdb of children of one's own, also of one that already runs.
set -euo pipefail

cat >traced.c <<'C'
#include <stdio.h>
#include <unistd.h>
int answer(int n) { return n + 1; }
int main(int argc, char **argv)
{
	if (argc > 1) {
		for (;;)
			usleep(20000);
	}
	printf("%d\n", answer(41));
	return 0;
}
C
cc -g -O0 -o traced traced.c
strace -f -o calls sh -c './traced; ./traced | cat'
grep -c 'execve("' calls
grep -c 'exited with' calls
gdb -q -nx -batch -ex 'set debuginfod enabled off' -ex 'break answer' -ex run -ex 'print n' -ex 'set var n = 99' -ex continue ./traced 2>&1 |
    grep -E '^\$1|^100'
./traced wait &
child=$!
gdb -q -nx -batch -p "$child" -ex 'print answer(1)' 2>&1 | grep '^\$1'
# What strace says of itself names the process by its number.
timeout --preserve-status -s INT 2 strace -p "$child" -o attached 2>&1 | sed "s/$child/PID/" || true
grep -c nanosleep attached | sed 's/[0-9][0-9]*/some/'
cat "/proc/$child/environ" | tr '\0' '\n' | grep -c '^HOME='
readlink "/proc/$child/exe" | sed "s#$PWD##"
head -c 4 "/proc/$child/maps" >/dev/null
kill "$child"
wait "$child" || echo "ended with $?"
rm calls attached
