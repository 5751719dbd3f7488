# Everything is installed into .venv, from the lock files alone: Python 3.11 or newer, make and pip are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE = $(BIN)/uv pip compile --quiet --no-config --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help demo test lint types imports tests test-slow soak reliability bench wheel lock newest clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/run ## Run the main job: simulator, daemon and starter rules in a temporary folder
	@$(BIN)/wbox-notify demo

test: $(VENV)/ready lint types imports tests ## Check and test everything that is quick

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/deptry wbox_notify

types: $(VENV)/ready
	$(BIN)/mypy

imports: $(VENV)/ready
	$(BIN)/lint-imports

tests: $(VENV)/ready
	$(BIN)/pytest -m "not slow" --numprocesses auto --maxprocesses 4 --dist worksteal

test-slow: $(VENV)/ready ## Run what takes minutes
	$(BIN)/pytest -m slow
	WBOX_TEST_EXAMPLES=3000 $(BIN)/pytest --timeout 3600 tests/test_engine_properties.py

soak: $(VENV)/ready ## Break things at random for MINUTES=30 (SEED=n repeats), then check the promise
	@$(BIN)/python tests/soak.py

reliability: $(VENV)/ready ## Run all that proves a case of the catalogue of faults; write docs/reliability.md
	$(BIN)/pytest --write-reliability

bench: $(VENV)/ready ## Measure; compares in one run
	$(BIN)/python tests/bench/run.py
	$(BIN)/python tests/bench/history.py
	$(BIN)/python tests/bench/rows.py

wheel: $(VENV)/ready ## Build the wheel into dist/
	$(BIN)/python -m build --no-isolation --wheel

lock: $(VENV)/ready ## Write locks/ from pyproject.toml, with the newest releases that it allows
	$(COMPILE) --group build --output-file locks/run.txt
	$(COMPILE) --group dev --extra s3 --constraint locks/run.txt --output-file locks/dev.txt

newest: ## Test with the newest releases in place of the locked ones; lists what an upper bound holds back
	rm -rf .venv-newest
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade pip
	.venv-newest/bin/python -m pip install --quiet --editable ".[s3]" --group dev
	.venv-newest/bin/python -m pip list --outdated
	touch .venv-newest/run .venv-newest/ready
	$(MAKE) test VENV=.venv-newest

$(VENV)/run: pyproject.toml locks/run.txt
	$(PYTHON) -c 'import sys; sys.exit("wbox_notify needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes --requirement locks/run.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/ready: $(VENV)/run locks/dev.txt
	$(INSTALL) --require-hashes --requirement locks/dev.txt
	touch $@

clean: ## Remove what was made
	rm -rf .venv .venv-* dist .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
