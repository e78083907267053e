# Every target makes and refreshes its own .venv: Python >= 3.11 and make are all it takes.
# A particular interpreter: make test PYTHON=/path/to/python3.12

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The other clients have an environment of their own: one of them takes the place of another.
PEERS := $(VENV)/peers
PYTHON ?=
ARGS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint types suite peers bench bench-sockets bench-relay goldens exhaustive format clean

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: $(STAMP) ## Watch an answer being cut, and going on with nothing lost and nothing twice
	@$(BIN)/sans-io-stream demo $(ARGS)

test: lint types suite ## Lint, types and all tests: what must pass before a merge

lint: $(STAMP) ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMP) ## Check types with mypy and basedpyright, both strict
	$(BIN)/mypy & mypy=$$!; $(BIN)/basedpyright; other=$$?; wait $$mypy && exit $$other

suite: $(STAMP) ## Run the tests alone; ARGS="-k name" for some of them
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

peers: $(PEERS)/.installed ## Test in front of the vendors' SDKs, and of more clients
	$(PEERS)/bin/python -m pytest tests/peers tests/adapters/test_events_from.py $(ARGS)

bench: $(STAMP) ## Run the benchmarks; ARGS=--quick for a short run
	$(BIN)/python -m tests.benchmarks $(ARGS)

bench-sockets: $(PEERS)/.installed ## Measure over sockets, beside the clients that people use
	$(PEERS)/bin/python -m tests.benchmarks.sockets $(ARGS)

bench-relay: $(STAMP) ## Measure the relay, beside a plain pass-through
	$(BIN)/python -m tests.benchmarks.relay $(ARGS)

goldens: $(VENV)/.sdks ## Record what the vendors' SDKs send; ARGS=--check to compare instead
	$(BIN)/python -m tests.providers.record $(ARGS)

exhaustive: $(STAMP) ## Run the tests that take minutes: every cut, many examples
	HYPOTHESIS_PROFILE=exhaustive \
	$(BIN)/python -m pytest -m exhaustive -n auto --maxprocesses 4 --dist worksteal $(ARGS)

format: $(STAMP) ## Rewrite the code to the project's style
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

clean: ## Remove the environment and all that was built or cached
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find sans_io_stream adapters tests -name __pycache__ -type d -prune -exec rm -rf {} +

# An interpreter that was named is taken or refused; else the first that is new enough wins.
$(STAMP): pyproject.toml
	@python=; \
	for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    found=$$($(or $(PYTHON),python3) --version 2>/dev/null) || found="not there"; \
	    echo "sans-io-stream needs Python 3.11 or newer; $(or $(PYTHON),python3) is $$found." >&2; \
	    echo "Name one that is: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "$$python has no venv module (on Debian and Ubuntu: apt install python3-venv)." >&2; \
	    exit 1; \
	fi; \
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    "$$python" -m venv --clear $(VENV); \
	fi
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(PEERS)/.installed: $(STAMP)
	@echo "Installing other clients into $(PEERS) ..."
	@$(BIN)/python -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --editable '.[dev,peers]'
	@touch $@

$(VENV)/.sdks: $(STAMP)
	@echo "Installing the vendors' SDKs into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,sdks]'
	@touch $@
