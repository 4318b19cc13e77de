# Everything a newcomer needs: `make demo`, then `make dashboard`. Each target says its address or result.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One BLAS thread per process: work is spread over processes, and results stay the same to the last bit.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
# Compiled modules are kept: without them each Airflow process compiles a thousand files again.
unexport PYTHONDONTWRITEBYTECODE
export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

# As requires-python in pyproject.toml says; asked before an environment is made, because a wrong one would be kept.
right_python = $(1) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null

.PHONY: help audit demo test test-slow test-redshift test-bayes test-browser test-e2e lint dashboard airflow api docs stop bench clean install bayes

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# The environment: an installer from PyPI, then exactly what uv.lock says.
$(VENV)/.installed: uv.lock pyproject.toml
	@echo "Installing from uv.lock into $(VENV) ..."
	@$(call right_python,$(PYTHON)) || test -x $(BIN)/python || { echo "$(PYTHON) is no Python 3.11 or 3.12: install one and say which, e.g. make $(or $(MAKECMDGOALS),install) PYTHON=python3.12"; exit 1; }
	@test ! -x $(BIN)/python || $(call right_python,$(BIN)/python) || { echo "$(VENV) was made with another Python than 3.11 or 3.12: remove it (rm -rf $(VENV)) and run make again, e.g. with PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv sync --frozen --quiet --inexact --compile-bytecode --python $(BIN)/python
	@touch $@

install: $(VENV)/.installed ## make the environment

demo: install ## the whole path on a made-up world: partner files to budget decisions
	@$(BIN)/python -m demo run

airflow: install ## start Airflow and say its address
	@$(BIN)/python -m demo up

stop: ## stop everything that these targets started
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m demo stop; else echo "nothing is installed, nothing runs"; fi

dashboard: install ## the dashboard over the published marts
	@$(BIN)/python -m demo dashboard

api: install ## the read-only REST API over the published marts
	@$(BIN)/python -m demo api

docs: install ## the dbt documentation site
	@$(BIN)/python -m demo docs

lint: install ## ruff, sqlfluff, mypy strict, the walls between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar dbt/models dbt/tests
	@echo "lint: clean"

test: install ## the whole suite that needs no system package
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow and not browser and not redshift and not celery and not bayes and not e2e" --durations=10
	@echo "Left out here, each with its own command: browser (make test-browser: Debian's chromium),"
	@echo "redshift (make test-redshift: minutes), e2e (make test-e2e: the whole pipeline), slow (make test-slow), bayes (make test-bayes), celery (redis-server)."
	@test -d ../shared/data || echo "The reference files (../shared/data) are not here: every test against a published figure was skipped and proves nothing."

test-slow: install ## the long forms of the quick tests
	$(BIN)/pytest -n 2 --dist loadfile -m slow --durations=10

test-redshift: install ## the dbt project and the loaders on the Redshift-dialect stand-in
	$(BIN)/pytest tests/redshift tests/ingest -m redshift --durations=10

test-bayes: install bayes ## the Bayesian peer itself, in its own environment
	$(BIN)/pytest tests/mmm/test_bayes_peer.py -m bayes

test-browser: install ## the dashboard in a real Chromium (apt-get install chromium)
	$(BIN)/pytest tests/browser -m browser --durations=10

test-e2e: install ## the whole pipeline: kills, hostile files, second runs
	$(BIN)/pytest tests/e2e -m e2e --durations=10

audit: install ## known vulnerabilities of every locked package (asks PyPI)
	@mkdir -p .data && $(BIN)/uv export --frozen --quiet --no-emit-project --all-groups --extra celery --extra aws > .data/requirements.txt
	$(BIN)/uv tool run pip-audit --strict --require-hashes --disable-pip --requirement .data/requirements.txt

# The intake's long suites, each with its own result in benchmarks/results/; the quick forms are in `make test`.
.PHONY: intake-faults intake-mutants intake-kills intake-io-faults intake-orders intake-fuzz intake-fuzz-nightly
intake-faults: install ## every fault in every feed
	$(BIN)/pytest -n 2 tests/faults -m slow
intake-mutants: install ## each guard removed in turn: the catalogue must notice
	$(BIN)/python -m tests.faults.mutants
intake-kills: install ## 1,000 SIGKILLs in the load
	$(BIN)/python -m tests.ingest.kills --trials 1000
intake-io-faults: install ## 500 full disks, I/O errors, missing memory
	$(BIN)/python -m tests.ingest.io_faults --trials 500
intake-orders: install ## 200 deliveries in 100 orders
	$(BIN)/python -m tests.ingest.orders --files 200 --orders 100
intake-fuzz: install ## 100,000 fuzzed files
	$(BIN)/python -m tests.ingest.fuzz --files 100000
intake-fuzz-nightly: install ## a million fuzzed files
	$(BIN)/python -m tests.ingest.fuzz --files 1000000 --seed $(shell date +%j)

bench: install ## speed and accuracy, side by side with peers where they install
	$(BIN)/python -m benchmarks

warehouse-scale: install ## the warehouse build at 100 M touches and 20 M sales rows (after make demo; 40 GB of disk, an hour)
	$(BIN)/python benchmarks/dbt_build.py --warehouse .data/warehouse.duckdb --touchpoints 100000000 --pos-rows 20000000 \
		--folder .data/scale --name dbt_build_100m --runs full,same,day,questions

bayes: ## the optional Bayesian comparison, in an environment of its own
	@test -x .venv-bayes/bin/python || $(PYTHON) -m venv .venv-bayes
	@.venv-bayes/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	@UV_PROJECT_ENVIRONMENT=.venv-bayes .venv-bayes/bin/uv sync --frozen --quiet --extra bayes --no-default-groups --python .venv-bayes/bin/python

clean: stop ## forget the demo's data (landing zone, warehouse, runs), keep the environment
	rm -rf .data dbt/target dbt/logs
