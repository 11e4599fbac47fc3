# The commands of the README. Everything real is Meson's; this installs what is missing and calls it.
#   make serve DIR=path            build, and serve DIR over NFS (12049) and SMB (12445)
#   make check [SANITIZE=...]      build and test; SANITIZE=address,undefined or thread
# Longer suites: make check-smbtorture, check-kernel, check-tree, check-crash, check-idle, check-history; torture, torture-peers;
# fuzz TIME=60; bench, bench-peers, bench-latency.

SANITIZE ?= none
BUILD    ?= build$(if $(filter-out none,$(SANITIZE)),-$(subst $(comma),-,$(SANITIZE)))
comma    := ,
TIME     ?= 60

.PHONY: all build serve check deps torture torture-peers fuzz bench bench-peers bench-latency clean lint docs \
        check-smbtorture check-kernel check-tree check-crash check-idle check-history

all: build

deps:
	@scripts/deps build

$(BUILD)/build.ninja: | deps
	@meson setup $(BUILD) -Db_sanitize=$(SANITIZE) $(if $(filter-out none,$(SANITIZE)),-Db_lundef=false) >/dev/null || \
	    { cat $(BUILD)/meson-logs/meson-log.txt | tail -30; exit 1; }

build: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

serve: build
	@test -n "$(DIR)" || { echo 'make serve DIR=path: say which directory to serve' >&2; exit 2; }
	@exec $(BUILD)/src/server/concordd --serve "$(DIR)"

check: build
	@scripts/deps check
	@scripts/check $(BUILD)

check-smbtorture check-kernel check-tree check-crash check-idle check-history: build
	@scripts/deps clients
	@tests/clients/$@ $(BUILD) $(ARGS)

torture: build
	@tools/torture/run-concord $(BUILD)

torture-peers: build
	@scripts/deps peers
	@tools/torture/run-peers $(BUILD)

fuzz:
	@scripts/deps build
	@scripts/fuzz $(TIME)

bench: build
	@scripts/bench $(BUILD)

bench-latency: build
	@scripts/bench-latency $(BUILD)

bench-peers:
	@scripts/deps peers

lint:
	@scripts/lint

docs: build
	@$(BUILD)/src/server/concordd --print-docs > docs/configuration.md

clean:
	rm -rf build build-*
