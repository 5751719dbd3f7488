# Installs everything into .venv, from the lock files only; needs Python 3.11 or newer, make and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A module is compiled when it is first used: most of the libraries never are.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
COMPILE = $(BIN)/uv pip compile --quiet --no-config --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml

# What is compiled once, tests too, is kept for the next process.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test lint types imports tests test-slow test-integrations soak chaos reliability bench wheel release reference texts docs lock newest clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/run ## Run the main job: simulator, daemon and starter rules in a temporary folder
	@$(BIN)/wbox-notify demo

test: $(VENV)/ready lint types imports tests ## Run lint, types, the import contract and the fast tests

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/deptry wbox_notify
	$(BIN)/lizard --languages python --CCN 10 --warnings_only wbox_notify

types: $(VENV)/ready
	$(BIN)/mypy

imports: $(VENV)/ready
	$(BIN)/lint-imports

tests: $(VENV)/ready
	$(BIN)/pytest -m "not slow" --numprocesses 4 --dist worksteal

test-slow: $(VENV)/ready ## Run the slow tests
	$(BIN)/pytest -m slow
	WBOX_TEST_EXAMPLES=1000 $(BIN)/pytest -m "hypothesis and not slow" --timeout 3600

test-integrations: $(VENV)/ready ## Install the programs of the integrations into .venv-integrations, and test with them
	tests/integrations/install .venv-integrations
	$(BIN)/pytest tests/integrations

soak: $(VENV)/ready ## Inject random faults for MINUTES=30 (SEED=n repeats a run), then check the guarantees
	@$(BIN)/python tests/soak.py

chaos: $(VENV)/ready ## Do the same to three daemons on one PostgreSQL, which comes and goes (MINUTES=30, SEED=n)
	@$(BIN)/python tests/chaos.py

reliability: $(VENV)/ready ## Run the tests of the fault catalogue and write docs/reliability.md
	$(BIN)/pytest --write-reliability

bench: $(VENV)/ready ## Measure each line of docs/performance.md beside its floor (LINE=name: that one; WRITE=1: into the page)
	@PYTHONPATH=tests $(BIN)/python -m bench $(if $(WRITE),--write) $(LINE)

wheel: $(VENV)/run ## Build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

release: $(VENV)/publish ## Build wheel, source and list of parts (SBOM) into dist/, and try the wheel on each Python here
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/cyclonedx-py requirements locks/run.txt --pyproject pyproject.toml --mc-type application --output-file dist/sbom.json
	for version in 3.11 3.12 3.13 3.14; do .ci/try-wheel $$version || exit 1; done

reference: $(VENV)/ready ## Write docs/rules.md, settings.md and json.md from the models
	$(BIN)/python docs/reference.py

texts: $(VENV)/ready ## Bring the catalogues of translations up to date, and list what is not translated
	$(BIN)/python docs/texts.py

docs: $(VENV)/publish ## Make the documentation a site, in site/
	$(BIN)/sphinx-build --quiet --fail-on-warning --builder dirhtml docs site

lock: $(VENV)/ready ## Write locks/ from pyproject.toml, with the newest releases that it allows
	$(COMPILE) --group build --output-file locks/run.txt
	$(COMPILE) --group build --extra s3 --extra postgres --constraint locks/run.txt --output-file locks/image.txt
	$(COMPILE) --group dev --extra s3 --extra postgres --constraint locks/run.txt --output-file locks/dev.txt

newest: ## Test with the newest releases in place of the locked ones; lists what an upper bound holds back
	rm -rf .venv-newest
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade pip
	.venv-newest/bin/python -m pip install --quiet --editable ".[postgres,s3]" --group dev
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

$(VENV)/publish: $(VENV)/run locks/publish.txt
	$(INSTALL) --require-hashes --requirement locks/publish.txt
	touch $@

clean: ## Remove generated files
	rm -rf .venv .venv-* dist .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
