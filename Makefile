# SPDX-License-Identifier: GPL-2.0-or-later
# Everything here needs Python, make and a network, no more: each target sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

# Hundreds of processes are started by tests: each would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help venv cluster-tools test test-again test-slow bench demo demo-cluster lint types docs clean

help:  ## this text
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 - \2/p' $(MAKEFILE_LIST)

venv: $(STAMP)  ## the virtual environment that all targets use

$(STAMP): setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

cluster-tools: $(STAMP)  ## Crossbar.io and PostgreSQL for several masters, kept in ~/.cache
	-@$(BIN)/python -m demo.cluster.tools

test: $(STAMP) cluster-tools  ## unit and integration tests
	$(BIN)/python -m pytest -m 'not slow' -n 4 --dist worksteal

test-again: $(STAMP)  ## those that failed the last time, one after the other
	$(BIN)/python -m pytest -m 'not slow' --last-failed --last-failed-no-failures none -v --tb short

test-slow: $(STAMP) cluster-tools  ## the repeated and the long ones
	$(BIN)/python -m pytest -m slow

bench: $(STAMP)  ## what distribution costs, Buildbot's own beside the balancer's
	$(BIN)/python -m benchmarks $(BENCH)

demo: $(STAMP)  ## a master, four workers and their owners, live in this terminal
	$(BIN)/python -m demo

demo-cluster: $(STAMP)  ## three masters that share locks; one is killed and comes back
	$(BIN)/python -m demo.cluster

lint: $(STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

types: $(STAMP)
	$(BIN)/python -m mypy

docs: $(STAMP)  ## the documentation, as HTML in docs/_build
	$(BIN)/python -m sphinx -W -q -b html docs docs/_build

clean:
	rm -rf $(VENV) build dist *.egg-info docs/_build
