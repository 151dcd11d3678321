# `make run` and `make test` set up what is missing and then do their work; `make help` lists the rest.
# Set-up is stamped: nothing is installed or built again until a lock file, pyproject.toml or a native source changes.

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Without `PYTHON=…`: the quickest suitable one of this machine, looked for when there is no virtual environment yet
# (docs/decisions/0033), and `python3` when none is suitable. The first word names it, the others say why.
ifeq ($(origin PYTHON),undefined)
FIND_PYTHON = for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && exec "$$python" -I deploy/quickest_python.py; done
FOUND_PYTHON = $(eval FOUND_PYTHON := $(shell $(FIND_PYTHON)))$(FOUND_PYTHON)
PYTHON = $(or $(firstword $(FOUND_PYTHON)),python3)
WHY_PYTHON = $(wordlist 2,99,$(FOUND_PYTHON))
endif

# the Rust code binds to this interpreter, in `cargo` calls as in maturin's
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
# each of the many processes of a run and of the tests would compile all modules anew
export PYTHONDONTWRITEBYTECODE :=

NATIVE_SOURCES := $(wildcard Cargo.toml Cargo.lock rust-toolchain.toml) \
	$(shell find native -name target -prune -o \( -name '*.rs' -o -name '*.toml' \) -print 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test test-rust test-fuzz test-python fuzz lint format pages crash simulate bench lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## set up what is missing, then run gateway and hub on an embedded PostgreSQL, in try-out mode
	@CSMS_TRY=1 exec $(BIN)/csms serve

setup: $(STAMPS)/native ## the virtual environment, the locked packages and the native codec
setup-dev: $(STAMPS)/dev $(STAMPS)/native ## the same with what tests and linters need

test: test-rust test-fuzz test-python ## all tests

test-rust: setup-dev
	cargo test --quiet --workspace --exclude csms-native

test-fuzz: target/fuzz/tables.json
	$(FUZZ) --seconds 20

# more workers than cores: tests mostly wait, for time-outs and for processes
test-python: setup-dev
	$(BIN)/python -m pytest -q -n 4 --maxschedchunk 4 -m "not serial"
	$(BIN)/python -m pytest -q -m serial || [ $$? -eq 5 ] # 5: there are none of them

# `make fuzz FUZZ_SECONDS=36000` for a night; what a failure prints repeats it (docs/fuzzing.md)
FUZZ_SECONDS ?= 60
FUZZ_SEED ?= $(shell date +%s)
FUZZ := cargo run --quiet --profile fuzz --package ocpp-fuzz -- --tables target/fuzz/tables.json --corpus native/fuzz/corpus

fuzz: target/fuzz/tables.json ## fuzz the codec for FUZZ_SECONDS (60) with new inputs
	$(FUZZ) --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED) $(FUZZ_ARGUMENTS)

target/fuzz/tables.json: setup-dev $(shell find schemas -name '*.py' 2>/dev/null)
	@mkdir -p $(@D)
	@$(BIN)/python -c 'import sys; from schemas.tables import native_tables; sys.stdout.buffer.write(native_tables())' > $@

lint: setup-dev ## ruff, mypy, import-linter, pages, rustfmt, clippy, yamllint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.pages --check
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	$(BIN)/yamllint --strict docker-compose.yml

format: setup-dev ## format Python and Rust
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	cargo fmt --all

pages: setup-dev ## write the pages of the docs that are made from code
	$(BIN)/python -m tests.pages

# the plan of a round follows from its seed alone: `make crash CRASH_SEED=17 CRASH_ROUNDS=1` repeats that of one that failed
CRASH_ROUNDS ?= 100
CRASH_STATIONS ?= 500
CRASH_SEED ?= 1

crash: setup-dev ## CRASH_ROUNDS (100) rounds of kills, cuts and a full disk under CRASH_STATIONS (500) charging stations
	$(BIN)/python -m tests.crash --rounds $(CRASH_ROUNDS) --stations $(CRASH_STATIONS) --seed $(CRASH_SEED) $(CRASH_ARGUMENTS)

# `make simulate SIMULATE="--hours 8"` for a night; a failing seed is printed with its faults and can be played again
SIMULATE ?= --seeds 1000

simulate: setup-dev ## play 1,000 seeds of the deterministic simulation (docs/simulation.md)
	@exec $(BIN)/python -m tests.simulation $(SIMULATE)

bench: setup-dev ## the bench suite's short form
	@exec $(BIN)/csms bench

# --no-emit-index-url and a fixed header: names, versions and hashes, no addresses (docs/decisions/0004)
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

lock: setup-dev ## write the lock files again; `make lock UPGRADE=--upgrade` takes the newest allowed versions
	$(LOCK) $(UPGRADE) --extra embedded --extra build --output-file requirements.lock
	$(LOCK) $(UPGRADE) --all-extras --constraints requirements.lock --output-file requirements-dev.lock

clean: ## remove the virtual environment, builds and caches; ./data is kept
	rm -rf $(VENV) target gateway/_native*.so .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +

$(STAMPS)/venv:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $$($(PYTHON) -V) is too old: install Python 3.11 or newer, or name it (make PYTHON=python3.12 …)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "error: this Python lacks venv: install it (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "setting up $(VENV) with $(PYTHON) (once)$(if $(WHY_PYTHON),: $(WHY_PYTHON))"
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS)
	@touch $@

$(STAMPS)/runtime: $(STAMPS)/venv requirements.lock
	@echo "installing the packages of requirements.lock"
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

$(STAMPS)/dev: $(STAMPS)/runtime requirements-dev.lock
	@echo "installing the packages of requirements-dev.lock"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(STAMPS)/native: $(STAMPS)/runtime pyproject.toml $(NATIVE_SOURCES)
	@command -v cargo >/dev/null || { echo "error: cargo not found: install a Rust toolchain (https://rustup.rs)" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "error: cc not found: install a C compiler (on Debian and Ubuntu: apt install gcc)" >&2; exit 1; }
	@echo "building the native codec (about a minute the first time)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
