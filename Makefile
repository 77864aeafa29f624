# `make help` lists the targets. Longer recipes are scripts in tests/.

SHELL := /bin/bash
KERNEL ?= 6.1
CMD ?=
KILLS ?= 100

# Every target is a command, none a file.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' Makefile)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything that building and testing needs, by package name
	@tests/setup.sh

setup-build:
	@tests/setup.sh build

setup-package: setup-build
	@tests/setup.sh package

setup-release: setup-build
	@tests/setup.sh release

setup-check:
	@tests/setup.sh build check

build: setup-build ## build the release executable, target/release/tyr
	cargo build --locked --release

deb: setup-package ## make the .deb files of tyr, tyr-server and tyrd in target/package
	@packaging/deb/build.sh "$$(TYR_VERSION=$$(packaging/version.sh) packaging/static.sh)"

rpm: setup-package ## make the .rpm files of tyr, tyr-server and tyrd in target/package
	@packaging/rpm/build.sh "$$(TYR_VERSION=$$(packaging/version.sh) packaging/static.sh)"

test: setup lint deny ## check and test everything, on both kernels; ends with "N passed, N failed"
	@tests/test.sh

test-compat: setup ## compare tools and system calls with and without Tyr; KERNEL=6.1 or 6.12
	@tests/setup.sh compat
	cargo build --locked
	@KERNEL=$(KERNEL) VM_TIMEOUT=7200 tests/compat.sh work
	@KERNEL=$(KERNEL) VM_TIMEOUT=7200 tests/compat.sh calls

bench-memory: setup ## print the memory of the daemon that is shipped, with 1,000 rules and 100 agents; KERNEL=6.1 or 6.12
	@tyr=$$(packaging/static.sh) && KERNEL=$(KERNEL) TYR="$$tyr" tests/compat.sh memory

test-bypass: setup ## run every known way around a policy, on both kernels; BYPASSES.md lists them
	cargo build --locked
	@tests/bypass/run.sh

test-kernel: setup ## every test of enforcement on one kernel, none left to the other; KERNEL=6.1 or 6.12
	cargo build --locked
	@KERNEL=$(KERNEL) VM_TIMEOUT=7200 tests/vm/run.sh "WHOLE=1 tests/vm/suite.sh $$(tests/vm/binary.sh)"

demo: setup ## show a real Claude Code governed by two policies; KERNEL=6.1 or 6.12 where a VM is needed
	cargo build --locked
	@KERNEL=$(KERNEL) tests/demo.sh

vm: export VM_COMMAND = $(CMD)
vm: ## boot KERNEL=6.1 or 6.12 and run CMD='…' in it as root; without CMD, a shell
	@tests/setup.sh vm
	@KERNEL=$(KERNEL) tests/vm/run.sh "$$VM_COMMAND"

test-kill: setup-build ## kill the daemon KILLS=100 times under a steady probe; KERNEL=6.1 or 6.12
	@tests/setup.sh vm
	cargo build --locked
	@KERNEL=$(KERNEL) VM_TIMEOUT=3600 tests/vm/run.sh 'KILLS=$(KILLS) python3 -B tests/e2e/restart.py'

generated: setup-check ## write completions, generated parts of manual pages and help texts anew
	UPDATE_GOLDEN=1 cargo test --locked --test it -- packaged_files_are_what generated_parts help_is_word

image: setup-build ## make the container image, an archive for podman, docker and skopeo, in target/package
	@packaging/image/build.sh "$$(TYR_VERSION=$$(packaging/version.sh) packaging/static.sh)"

release: setup-package setup-release ## make everything that is shipped, with checksums, in target/release-VERSION
	@packaging/release/build.sh

static: setup-build ## build the static executable, one file that needs no other, and print where it is
	@packaging/static.sh

test-package: setup-build ## try what is shipped: the static file, packages on an empty Debian 12 with systemd, README's commands; needs root
	@tests/setup.sh package
	@tests/package/run.sh

fmt: ## format the Rust code
	cargo fmt

lint: setup-check ## check format and clippy
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

deny: setup-check ## check licences, banned crates and sources of all dependencies
	cargo deny --locked check --hide-inclusion-graph bans licenses sources

advisories: setup-check ## check dependencies against the RustSec database, which is downloaded
	cargo deny --locked check advisories

bench-kernel: setup-build ## print nanoseconds per decision by number of rules; needs root
	cargo bench --locked --bench kernel

bench-vm: ## print instructions per system call, without and with Tyr, in a VM that counts them; KERNEL=6.1 or 6.12
	@tests/setup.sh vm
	@KERNEL=$(if $(filter file,$(origin KERNEL)),6.12,$(KERNEL)) tests/bench/vm.sh

clean: ## remove what was built; .cache keeps what was downloaded
	cargo clean
