# Every target works on a fresh checkout: each one makes the environment it needs first.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install demo test test-all pytest bench bench-data check lock format docs

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	-@$(BIN)/python -m compileall -qq -j 0 -x /tests/ .venv/lib
	@touch $@

demo: install
	$(BIN)/kubestray demo

# For two cores: tests wait for servers and disks a tenth of the time. Each worker takes up to a gigabyte.
WORKERS ?= 3

# The checks take a while and are done beside the tests; whichever fails, this fails.
test: install
	@$(MAKE) --no-print-directory -j 2 check pytest

# With the cases that others show as well, on every engine.
test-all: install
	@$(MAKE) --no-print-directory -j 2 check pytest ALL=--all

# Tests start the product in many processes: where Python may write no bytecode, each would compile it anew.
pytest: install
	$(BIN)/python -m compileall -q src
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ALL)

check: install
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: install
	$(BIN)/python -m bench

# The 30 days of points that a part of the benchmark needs, here and in VictoriaMetrics: half an hour or more, once.
bench-data: install
	$(BIN)/python -m bench --data

format: install
	$(BIN)/ruff check --fix src tests bench
	$(BIN)/ruff format src tests bench

# Renews the lock file after a change of dependencies in pyproject.toml.
lock:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev --no-header --no-annotate pyproject.toml --output-file requirements.lock

# Renews the pages of docs/ that are made from the code.
docs: install
	$(BIN)/python tools/docs.py
