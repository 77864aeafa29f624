# `make help` lists the targets.

SHELL := /bin/bash
KERNEL ?= 6.1
CMD ?=

.PHONY: help setup vm

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything that building and testing needs, by package name
	@tests/setup.sh

vm: export VM_COMMAND = $(CMD)
vm: ## boot KERNEL=6.1 or 6.12 and run CMD='…' as root in it; without CMD, a shell
	@tests/setup.sh vm
	@KERNEL=$(KERNEL) tests/vm/run.sh "$$VM_COMMAND"
