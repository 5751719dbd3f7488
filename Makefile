# Everything is installed into .venv, from this folder alone: Python 3.11 or newer, make and pip are enough.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint types imports tests test-slow soak reliability bench wheel clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: .venv/ready ## Run the main job: simulator, daemon and starter rules in a temporary folder
	@$(BIN)/wbox-notify demo

test: .venv/ready lint types imports tests ## Check and test everything that is quick

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

imports: .venv/ready
	$(BIN)/lint-imports

tests: .venv/ready
	$(BIN)/pytest -m "not slow" --numprocesses auto --maxprocesses 4 --dist worksteal

test-slow: .venv/ready ## Run what takes minutes
	$(BIN)/pytest -m slow
	WBOX_TEST_EXAMPLES=3000 $(BIN)/pytest --timeout 3600 tests/test_engine_properties.py

soak: .venv/ready ## Break things at random for MINUTES=30 (SEED=n repeats), then check the promise
	@$(BIN)/python tests/soak.py

reliability: .venv/ready ## Run all that proves a case of the catalogue of faults; write docs/reliability.md
	$(BIN)/pytest --write-reliability

bench: .venv/ready ## Measure; compares in one run
	$(BIN)/python tests/bench/run.py
	$(BIN)/python tests/bench/history.py
	$(BIN)/python tests/bench/rows.py

wheel: .venv/ready ## Build the wheel into dist/
	$(BIN)/python -m build --wheel

.venv/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("wbox_notify needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@

clean: ## Remove what was made
	rm -rf .venv dist .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
