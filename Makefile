# `make run` and `make test` are all one needs; both set up what is missing and skip what is done.

# Installed programs, shared by all clones.
VESTIBULE_TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vestibule/tools
# Where cargo builds.
TARGET := $(or $(CARGO_TARGET_DIR),target)

export VESTIBULE_TOOLS
export PATH := $(VESTIBULE_TOOLS)/bin:$(VESTIBULE_TOOLS)/node_modules/.bin:$(PATH)

.PHONY: help run build test fuzz mutants dev site lint graph fmt clean clean-tools

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

run: ## Build and start the demo: a provider with two people, and Vestibule in front of it
	@tools/setup run
	@echo "make: the browser's half (about 2 min the first time)"
	@cargo run -q -p xtask -- site
	@echo "make: the server, in a quick profile (about 4 min the first time)"
	@cargo run -q -p vestibule --features ssr,demo -- demo

build: ## Make the program to ship: target/release/vestibule (about 10 min the first time)
	@tools/setup run
	@cargo run -q -p xtask -- site
	@cargo build --release -p vestibule --features ssr --bin vestibule
	@mkdir -p target/release
	@[ $(TARGET)/release/vestibule -ef target/release/vestibule ] || cp $(TARGET)/release/vestibule target/release/
	@ls -sh target/release/vestibule

test: ## Run every check and test; the last line counts them
	@python3 tools/test.py $(TESTS)

# Code without `unsafe` needs no sanitizer, and so no nightly compiler. fuzz/Cargo.lock: the versions of the program.
# One after the other, and all of them even where one finds something.
FUZZ_TARGETS ?= $(patsubst fuzz/fuzz_targets/%.rs,%,$(wildcard fuzz/fuzz_targets/*.rs))
fuzz: ## Try what strangers send with whatever a fuzzer finds, FUZZ_SECONDS (120) each of FUZZ_TARGETS (20 min to build first)
	@tools/setup fuzz
	@cp Cargo.lock fuzz/Cargo.lock
	@cargo fuzz build -s none
	@found=; for target in $(FUZZ_TARGETS); do \
		echo "make: $$target"; \
		mkdir -p fuzz/corpus/$$target; \
		dict=fuzz/$$target.dict; [ -e $$dict ] && dict=-dict=$$dict || dict=; \
		cargo fuzz run -s none $$target fuzz/corpus/$$target fuzz/seeds/$$target -- $$dict \
			-max_total_time=$(or $(FUZZ_SECONDS),120) -max_len=4096 -timeout=10 -print_final_stats=1 || found="$$found $$target"; \
	done; [ -z "$$found" ] || { echo "make: found something in:$$found (fuzz/artifacts)"; exit 1; }

mutants: ## Alter what checks, and see that tests notice: MUTANTS="--shard 1/4", or names of files (an hour or more in all)
	@tools/setup mutants
	@cargo run -q -p xtask -- site
	@python3 tools/mutants.py $(MUTANTS)

bench: ## Measure what a check of the gate costs, beside a handler that does nothing (10 min; a quiet machine)
	@tools/setup bench
	@cargo run -q -p xtask -- site
	@cargo build -q --release -p vestibule -p bench -p test-provider --features vestibule/ssr --bins
	@python3 tools/bench.py

dev: ## Build again and restart on every change (cargo-leptos takes minutes to install the first time)
	@tools/setup dev
	@cargo leptos watch -- demo

site: ## Make target/site alone
	@tools/setup run
	@cargo run -q -p xtask -- site

lint: ## Formatting, lints, and how the modules hang together, alone
	@tools/setup test
	@python3 tools/test.py graph sizes rustfmt clippy-server clippy-demo clippy-browser clippy-xtask clippy-bench deny

graph: ## Draw which module imports from which (tools/graph.py --dot: for Graphviz)
	@python3 tools/graph.py

fmt: ## Format all Rust code
	@cargo fmt --all

clean: ## Remove what was built here
	@rm -rf target

clean-tools: ## Remove what setup installed (not Debian's packages)
	@rm -rf $(VESTIBULE_TOOLS) .tools end2end/node_modules
