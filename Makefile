# One way in: `make help` lists it. Needs make and Python 3.11 or newer; everything else is fetched by hash from requirements.lock.
MAKEFLAGS += --warn-undefined-variables
SHELL := /bin/sh
unexport PYTHONPATH PYTHONHOME PYTHONWARNINGS VIRTUAL_ENV

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for each in python3 python3.13 python3.12 python3.11; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; done)
else ifneq ($(shell "$(PYTHON)" -V 2>/dev/null),$(shell $(BIN)/python -V 2>/dev/null))
.PHONY: $(READY)  # `make test PYTHON=python3.13` where another Python was set up: set up again
endif

.PHONY: help setup demo test lint lock soak bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

setup: $(READY)  ## the virtual environment in .venv, exactly as locked; PYTHON=python3.13 chooses another Python

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)
	@awk '/^uv==/,!/\\$$/' requirements.lock > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(VENV)/uv.lock
	@# uv takes seconds where pip takes a minute; where it fails, pip knows the mirrors and certificates of pip.conf
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --require-hashes --requirement requirements.lock \
	|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: setup  ## a small provider, its customers, and their whole life in one minute
	@$(BIN)/retention demo

test: lint  ## everything that has to hold: lint, then all tests but the soak
	@$(BIN)/python -m pytest -n logical --maxprocesses 4

lint: setup  ## style, types, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

soak: setup  ## the long runs that `make test` leaves out
	@$(BIN)/python -m pytest -m soak --timeout 0

bench: setup  ## how fast a purge is, measured here
	@$(BIN)/python -m benchmarks

lock: setup  ## requirements.lock anew from pyproject.toml, without a word about where packages come from
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-emit-index-url --no-annotate --no-header pyproject.toml --output-file requirements.lock

clean:  ## away with what the tools made; ./var stays, for it may hold keys and evidence
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
