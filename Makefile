# `make demo` shows the product at work, `make test` checks everything. Both need Rust, a C compiler, make, perl and Python;
# `make test` also a C++ compiler.

PYTHON ?= python3
PREFIX ?= /usr/local
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
ENVS := $(CURDIR)/.cache/envs
RUFF := $(ENVS)/tools/bin/ruff
PYTEST_ENVS := py311-pytest74 py311-pytest84 py311-pytest92 pypy39-pytest84

# The kind of this machine, as the compiler calls it.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')

# What the reader's shell says must not reach the tests.
unexport PYTEST_ADDOPTS PYTEST_PLUGINS PYTHONPATH VIRTUAL_ENV CONDA_PREFIX XDIST_BIN

.PHONY: help demo test fmt clippy docs ruff rust fuzz python e2e bench install release agent test-envs

help:
	@echo "make demo     build, and run an example project on several workers"
	@echo "make test     run every check: format, lints, docs, Rust, Python and end-to-end tests"
	@echo "make fuzz     feed the decoders what nobody thought of (FUZZ_SECONDS=$(FUZZ_SECONDS) each)"
	@echo "make bench    compare with pytest and pytest-xdist (long)"
	@echo "make install  copy the programs to PREFIX/bin (PREFIX=$(PREFIX))"

demo: release
	$(PYTHON) tests/envs/setup.py $(ENVS) demo
	@echo
	cd examples/demo && $(TARGET)/release/xdist --python $(ENVS)/demo/bin/python -n 4

# One after the other, the quick ones first.
test:
	$(MAKE) --no-print-directory fmt
	$(MAKE) --no-print-directory test-envs
	$(MAKE) --no-print-directory ruff
	$(MAKE) --no-print-directory clippy
	$(MAKE) --no-print-directory docs
	$(MAKE) --no-print-directory rust
	$(MAKE) --no-print-directory fuzz
	$(MAKE) --no-print-directory python
	$(MAKE) --no-print-directory e2e

fmt:
	cargo fmt --all --check
	cargo fmt --manifest-path tests/fuzz/Cargo.toml --check

clippy:
	cargo clippy --workspace --all-targets --locked -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

rust:
	cargo test --workspace --exclude xdist-tests --locked --no-fail-fast

# Seconds a target, and which ones: all if none is named.
FUZZ_SECONDS ?= 6
FUZZ_TARGETS ?=

fuzz:
	$(PYTHON) tests/fuzz/run.py --seconds $(FUZZ_SECONDS) $(FUZZ_TARGETS)

ruff: test-envs
	$(RUFF) check --no-cache .

# What needs a plugin or library runs where it is installed, and nothing else does: a package that is missing is a failure
# and never a skip.
# Through xdist itself. Byte code elsewhere: beside the sources it would make cargo build again. On PyPy, where starting
# an interpreter takes long, only what may differ there.
PYTHON_TESTS_PYPY := tests/life/test_runs.py tests/test_facts.py tests/test_hostile_reports.py

python: test-envs
	cargo build --bins --locked
	set -e; for env in $(PYTEST_ENVS) py311-plugins; do \
	  echo "== $$env"; \
	  case $$env in pypy*) tests="$(PYTHON_TESTS_PYPY)";; *-plugins) tests=tests/plugins;; \
	    *) tests="tests --ignore=tests/plugins";; esac; \
	  (cd xdist-core/python && PYTHONPYCACHEPREFIX=$(CURDIR)/.cache/pycache \
	    $(TARGET)/debug/xdist --python $(ENVS)/$$env/bin/python -n 3 -q -p no:cacheprovider $$tests); \
	  case $$env in py311-pytest92|pypy*) (cd execnet-rs/python && PYTHONPYCACHEPREFIX=$(CURDIR)/.cache/pycache \
	    $(TARGET)/debug/xdist --python $(ENVS)/$$env/bin/python -n 3 -q -p no:cacheprovider tests);; esac; \
	done

# These tests wait a lot, for deadlines and for one another's processes: more of them at a time than there are cores.
E2E_THREADS ?= $(shell echo $$(($$(nproc) * 2)))

e2e: test-envs
	cargo build --bins --locked
	XDIST_TEST_ENVS=$(ENVS) XDIST_BIN=$(TARGET)/debug/xdist RUST_TEST_THREADS=$(E2E_THREADS) cargo test -p xdist-tests --locked

bench: release
	$(PYTHON) tests/envs/setup.py $(ENVS) bench
	env -u PYTHONDONTWRITEBYTECODE XDIST_TEST_ENVS=$(ENVS) XDIST_BIN=$(TARGET)/release/xdist \
	  $(PYTHON) tests/bench/run.py

install: release agent
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/xdist/agents
	install -m 755 $(TARGET)/release/xdist $(TARGET)/release/socketserver $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(TARGET)/$(HOST)/release/socketserver \
	  $(DESTDIR)$(PREFIX)/lib/xdist/agents/socketserver-linux-$(firstword $(subst -, ,$(HOST)))

release:
	cargo build --release --bins --locked

# What goes to hosts by ssh needs no C library there: theirs may be older than this one.
agent:
	RUSTFLAGS="$(RUSTFLAGS) -C target-feature=+crt-static" \
	  cargo build --release --locked -p socketserver --target $(HOST)

test-envs:
	$(PYTHON) tests/envs/setup.py $(ENVS) tests
