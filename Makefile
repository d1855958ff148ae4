# Liaowang: `make help` lists what there is.
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
DATA ?=
WORKERS ?= 2
PARTS ?=

.PHONY: help setup demo up down test journeys check bench bench-year bench-growth soak clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install everything into .venv (locked, hashed) and fetch Kafka

$(STAMP): requirements.lock pyproject.toml deploy/local/broker/pom.xml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m deploy.local.jars
	@touch $@

demo: setup ## start the stack and run the main job; DATA=../shared/data adds the real files
	$(BIN)/liaowang demo $(if $(DATA),--data $(DATA))

up: setup ## start the local stack
	$(BIN)/liaowang up

down: ## stop the local stack; its data stay
	@if [ -x $(BIN)/liaowang ]; then $(BIN)/liaowang down; else echo "nothing is installed, nothing runs"; fi

test: setup ## run all tests against the real Kafka and the real warehouse
	$(BIN)/python -m pytest -m "not journey and not browser" -n $(WORKERS) --dist loadfile
	$(BIN)/python -m pytest -m "browser and not journey"

journeys: setup ## run the long journeys: whole demos, workers killed in the middle
	$(BIN)/python -m pytest -m journey

check: setup ## ruff, mypy --strict, import-linter, contracts against the released ones
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/liaowang contracts check

bench: setup ## benchmarks; one JSON object a line
	@for each in $(filter-out %/bench_growth.py,$(wildcard tests/benchmarks/bench_*.py)); do \
	  $(BIN)/python -m tests.benchmarks.$$(basename $$each .py) || exit 1; done

bench-year: setup ## backfill a year of 100,000 events a day: some minutes, 10 GB of disk
	$(BIN)/python -m tests.benchmarks.bench_backfill 365 100000

bench-growth: setup ## a programme of 65 feeds, 140 rules, 140 indicators; PARTS="commands up" measures those alone
	$(BIN)/python -m tests.benchmarks.bench_growth $(PARTS)

soak: setup ## ten minutes of watch under load: is its memory flat?
	$(BIN)/python -m tests.benchmarks.soak_watch

clean: down ## remove the environment and everything the stack has stored
	rm -rf $(VENV) .liaowang .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
