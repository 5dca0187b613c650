# Everything an engineer types. `make help` reads the text after the double hashes.

PYTHON ?= python3
VENV := .venv
COMPARATORS := .venv-bench
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq

.DEFAULT_GOAL := help
.PHONY: help setup run check test fix bench soak clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## Create .venv and install the locked packages, every one checked by its hash

# The environment is made anew when the lock changes, so that no package stays which the lock no longer names.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, got " + sys.version.split()[0] + ". Name one: make setup PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --require-hashes --requirement requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

run: setup ## Ingest the fixtures into ./workspace and show what became of every record
	$(BIN)/python -m dataspine run --home workspace --fixtures fixtures

check: setup ## Lint, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test: check ## Everything in check, then the tests
	$(BIN)/python -m pytest -q -n 2

fix: setup ## Repair what lint and formatting can repair
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup $(COMPARATORS)/.installed ## Measure; make bench ARGS="--write" makes docs/BENCHMARKS.md of it
	$(BIN)/python -m tests.bench $(ARGS)

# What others ingest with brings a second SQLite library, so it lives apart. Without it, its rows are left out.
$(COMPARATORS)/.installed: tests/bench/requirements.txt
	$(PYTHON) -m venv --clear $(COMPARATORS) \
		&& $(COMPARATORS)/bin/python -m pip --disable-pip-version-check --no-input -qq install --requirement $< \
		&& touch $@ || echo "The comparators cannot be installed; their rows are left out."

soak: setup ## Run the tests that take minutes
	$(BIN)/python -m pytest -q -m soak

clean: ## Remove the environment and all caches; ./workspace stays
	rm -rf $(VENV) $(COMPARATORS) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
