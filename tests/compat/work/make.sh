#!/usr/bin/env bash
# A C project: make with jobs, a static and a shared library, a generated header, tests.
set -euo pipefail

mkdir src
for n in $(seq 8); do
    printf '#include "made.h"\nint part%d(void) { return MADE + %d; }\n' "$n" "$n" >"src/part$n.c"
done
{
    echo '#include <stdio.h>'
    for n in $(seq 8); do echo "int part$n(void);"; done
    echo 'int main(void) { int sum = 0;'
    for n in $(seq 8); do echo "sum += part$n();"; done
    echo 'printf("%d\n", sum); return 0; }'
} >src/main.c
cat >Makefile <<'MAKE'
OBJECTS := $(patsubst src/%.c,out/%.o,$(wildcard src/part*.c))
all: out/static out/dynamic
out/made.h:
	@mkdir -p out
	@echo '#define MADE 100' >$@
out/%.o: src/%.c out/made.h
	@cc -O1 -fPIC -Iout -c -o $@ $<
out/libparts.a: $(OBJECTS)
	@ar rcD $@ $(sort $^)
out/libparts.so: $(OBJECTS)
	@cc -shared -Wl,--build-id=none -o $@ $(sort $^)
out/static: src/main.c out/libparts.a
	@cc -O1 -Wl,--build-id=none -o $@ $^
out/dynamic: src/main.c out/libparts.so
	@cc -O1 -Wl,--build-id=none -o $@ src/main.c -Lout -lparts '-Wl,-rpath,$$ORIGIN'
check: all
	@out/static; out/dynamic
	@$(MAKE) -s -C . again
again:
	@touch src/part3.c; $(MAKE) -q all || echo 'something is old'
MAKE
make -s -j4 all
make -s check
ldd out/dynamic | grep -c libparts
nm out/static | grep -c ' T part'
strip -o out/stripped out/static
./out/stripped
make -s -j2 -B all
sha256sum out/static out/dynamic
