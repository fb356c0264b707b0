PYTHON ?= python3
UV_VERSION := 0.13.9
AZURITE_VERSION := 3.37.0
EXTRAS := emulator,openlineage,parquet,s3,zstd

PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
CONSTRAINTS := constraints/airflow-3.3-py$(PYTHON_VERSION).txt
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/pytest
CLOUDS := .venvs/clouds
CLOUDS_READY := $(CLOUDS)/.ready
# Tests that need third-party servers, or more than a few seconds, have separate targets.
QUICK := not (slow or fresh or airflow or browser or clouds or distributed or changes)

# uv does not read pip's settings: pass on pip's index.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

.DEFAULT_GOAL := help

# Lines of the form `##@ Title` are the headings of the list.
.PHONY: help
help:
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-18s%s\n", $$1, $$2 }' \
		$(firstword $(MAKEFILE_LIST))

$(READY): pyproject.toml Makefile $(wildcard $(CONSTRAINTS))
	$(if $(wildcard $(CONSTRAINTS)),,$(error $(PYTHON) is Python $(PYTHON_VERSION): set PYTHON to one of $(patsubst constraints/airflow-3.3-py%.txt,%,$(wildcard constraints/airflow-3.3-py*.txt))))
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint $(CONSTRAINTS) \
		--editable '.[$(EXTRAS)]' --group test --group lint --group matrix
	touch $@

$(CLOUDS_READY): $(READY)
	$(PYTHON) -m venv $(CLOUDS)
	$(BIN)/uv pip install --quiet --python $(CLOUDS)/bin/python --constraint $(CONSTRAINTS) \
		--editable '.[$(EXTRAS),gcs,azure]' --group test --group clouds
	npm install --no-save --silent --no-audit --no-fund --prefix .venvs/azurite azurite@$(AZURITE_VERSION)
	touch $@

##@ Try it, without an account

.PHONY: demo
demo: $(READY) ## pull three days of orders from a local Kapture with a real Airflow, then audit the files
	$(BIN)/python scripts/demo.py

.PHONY: ui
ui: $(READY) ## run Airflow's UI with the example DAGs and a local Kapture, until Ctrl-C
	$(BIN)/python scripts/ui.py

##@ Develop

.PHONY: venv
venv: $(READY) ## create the development environment in .venv

.PHONY: test
test: lint ## check style and types, and run the quick tests
	$(PYTEST) --numprocesses=2 --dist=loadfile -m '$(QUICK)'

.PHONY: lint
lint: $(READY) ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Sphinx and its theme, in the development environment, because Sphinx imports the package.
DOCS_READY := $(VENV)/.docs
$(DOCS_READY): $(READY)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint $(CONSTRAINTS) --group docs
	touch $@

.PHONY: docs
docs: $(DOCS_READY) ## build the documentation in docs/_build/html; warnings are errors
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky --fresh-env docs docs/_build/html

.PHONY: clean
clean: ## remove everything that these targets created
	rm -rf $(VENV) .venvs benchmarks/.venvs .nox .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist demo-output ui-output docs/_build

##@ Test more

.PHONY: test-slow
test-slow: $(READY) ## run the slow tests
	$(PYTEST) --numprocesses=2 --dist=worksteal -m 'slow and not clouds'

.PHONY: test-changes
test-changes: $(READY) ## merge files of changes with DuckDB and PostgreSQL, after random changes, pulls and kills
	$(PYTEST) --numprocesses=2 --dist=load -m changes tests/storage/test_merged_changes.py

$(READY)-distributed: $(READY)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint $(CONSTRAINTS) --group distributed
	touch $@

# Debian starts the servers that it installs, except in runlevel 1.
.PHONY: servers
servers:
	@if ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || ! command -v redis-server >/dev/null; then \
		[ "$$(id -u)" = 0 ] || { echo "Install Debian's postgresql and redis-server, or run this as root"; exit 1; }; \
		apt-get update -qq && \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends postgresql redis-server; \
	fi

.PHONY: test-distributed
test-distributed: $(READY)-distributed servers ## pull a month of orders on Celery workers that are killed meanwhile
	$(PYTEST) -s -m distributed tests/distributed

.PHONY: test-clouds
test-clouds: $(CLOUDS_READY) ## test every object store against its emulator (needs Node.js)
	$(CLOUDS)/bin/pytest $(addprefix tests/storage/destinations/test_,object_stores.py permissions.py upload_options.py) \
		tests/storage/test_audit.py

$(READY)-readers: $(READY)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint $(CONSTRAINTS) --group readers
	touch $@

.PHONY: test-readers
test-readers: $(READY)-readers ## read a folder with pandas, polars, Spark (needs Java) and PostgreSQL, as docs/storage.md says
	$(PYTEST) -rs tests/storage/test_readers.py tests/storage/encoders/test_csv_nulls.py

# Each row of the matrix has a constraint file. Two run in parallel, because tests wait much of the time.
ROWS := $(patsubst constraints/%.txt,row-%,$(wildcard constraints/airflow-*.txt))
.PHONY: test-matrix $(ROWS)
test-matrix: $(READY) ## run the quick tests on each supported Airflow and installed Python, with the built wheel
	$(MAKE) --jobs=2 --output-sync=target $(ROWS)

$(ROWS): row-%: $(READY)
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/nox --session 'tests($*)'

.PHONY: test-airflow
test-airflow: $(READY) ## run DAGs in a complete Airflow (all components); asset events on 3.2 as well
	$(PYTEST) -m airflow tests/airflow
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/nox --session 'tests(airflow-3.2-py3.12)' -- -m airflow \
		$(abspath tests/airflow/test_asset_events.py)

$(READY)-browser: $(READY)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint $(CONSTRAINTS) --group browser
	touch $@

.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -qq --no-install-recommends chromium; }

.PHONY: test-browser
test-browser: $(READY)-browser chromium ## test the UI in a real browser, as a new user would use it; the form on 2.11 and 3.1 too
	$(PYTEST) -m browser tests/browser
	for row in airflow-2.11-py3.12 airflow-3.1-py3.12; do PATH="$(abspath $(BIN)):$$PATH" $(BIN)/nox --session "tests($$row)" -- \
		-m browser $(abspath tests/browser/test_connection_form.py) || exit 1; done

.PHONY: screenshots
screenshots: export SCREENSHOTS := docs/images
screenshots: test-browser ## the same, and update the screenshots in docs/
	$(BIN)/python tests/support/screenshots.py

##@ Measure

.PHONY: bench-triggers
bench-triggers: $(READY) ## measure 1,000 sensors in one triggerer for three minutes: lateness, blocking, memory
	$(BIN)/python benchmarks/triggers.py

.PHONY: scaling
scaling: $(READY)-distributed servers ## measure the same month with 1, 2 and 4 worker slots: orders and requests per second
	$(BIN)/python benchmarks/scaling.py

.PHONY: soak
soak: $(READY) ## measure 500 hourly runs in one process: memory, threads, sockets, temporary files
	$(BIN)/python benchmarks/soak.py

.PHONY: bench
bench: $(READY) ## measure speed, memory and start-up beside a bare download; writes docs/performance.md
	$(BIN)/python benchmarks/bench.py

.PHONY: bench-peers
bench-peers: $(READY) ## measure other tools with the same orders, and which orders they lose; writes docs/performance.md
	$(BIN)/python benchmarks/peers.py

##@ Publish

.PHONY: dist
dist: $(READY) ## build and check the sdist and the wheel in dist; run the README and the demo in fresh environments
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*
	DIST=$(abspath dist) $(PYTEST) tests/packaging tests/docs/test_readme.py

.PHONY: release
release: $(READY) ## write the version and the changelog, make dist, commit and tag: make release VERSION=0.2.0
	$(BIN)/python scripts/release.py "$(VERSION)"

.PHONY: constraints
constraints: $(READY) ## update constraints/ to the newest releases
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/nox --session constraints
