# Every target says what it does by its own "## help" text; "make" lists them.

GO ?= go
ARGS ?=
PKGS ?= ./...
FUZZTIME ?= 5m
export GO

.DEFAULT_GOAL := help
.PHONY: help deps build demo test lint bench bench-small bench-catalog bench-pages fuzz assets screenshots release clean

help: ## help: list the targets
	@sed -n 's/^\([a-z-]*\):.*## help: /\1\t/p' Makefile | while IFS='	' read -r target text; do \
		printf '  make %-13s %s\n' "$$target" "$$text"; done

deps: ## help: install what demo and test need (root on Debian or Ubuntu), else print the one line that does
	@scripts/deps.sh demo test

build: ## help: compile the one binary, bin/shuqiao
	@scripts/build.sh

demo: ## help: play the whole story on a private PostgreSQL and keep serving; make demo ARGS=--exit stops after it
	@scripts/demo.sh $(ARGS)

test: ## help: run every test on real PostgreSQL; make test PKGS=./audit/... ARGS=-v narrows it
	@scripts/test.sh $(ARGS) $(PKGS)

lint: ## help: gofumpt, go vet and staticcheck, in pinned versions
	@scripts/lint.sh

bench: ## help: run the benchmarks on real PostgreSQL
	@scripts/bench.sh $(ARGS) $(PKGS)

bench-small: ## help: measure searches in a directory of 50,000 entries, which is made once and kept (BENCH_DATA)
	@BENCH_RESOURCES=50000 scripts/bench-catalog.sh

bench-catalog: ## help: the same with 1,000,000 entries (12 GB)
	@BENCH_RESOURCES=1000000 scripts/bench-catalog.sh

bench-pages: ## help: measure how long the console's pages take in a city of ten times the demonstration's size (SCALE)
	@scripts/bench-pages.sh $(ARGS)

fuzz: ## help: run each fuzz test for FUZZTIME (5m)
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh $(PKGS)

assets: ## help: copy the console's pinned style sheet, script and icons into console/static (needs npm)
	@scripts/assets.sh

screenshots: ## help: take the pictures of the documents into docs/images, in a browser
	@scripts/screenshots.sh

release: ## help: static binaries for linux amd64 and arm64 into dist/; make release ARGS=--check makes them twice and compares
	@scripts/release.sh $(ARGS)

clean: ## help: remove what was built; databases and data folders stay
	rm -rf bin dist
