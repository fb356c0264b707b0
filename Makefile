PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test lint constraints clean

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(READY): pyproject.toml constraints/airflow-3.3.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints/airflow-3.3.txt \
		-e '.[emulator,parquet,zstd,s3]' --group test --group lint
	touch $@

demo: $(READY)  ## three days of orders from a local Kapture into files, by a real Airflow
	$(BIN)/python scripts/demo.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p airflow_provider_kapture

test: lint  ## style, types and every test that needs no server of another maker
	$(BIN)/pytest

constraints:  ## remake the pinned versions that the tests run with
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --python-version 3.11 --extra emulator --extra parquet --extra zstd --extra s3 \
		--group test --group lint -o constraints/airflow-3.3.txt pyproject.toml

clean:  ## remove what was made here
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist demo-output
