# Everything runs in the project's own virtual environment; `make help` lists the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOB ?= configs/customers.yaml
DUMP ?=
TEST ?= tests

.DEFAULT_GOAL := help
.PHONY: help setup run test lint check sandbox nightly bench soak fuzz clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make the virtual environment and install what is pinned

$(STAMP): pyproject.toml constraints.txt $(wildcard pipeline/extract/_*.[ch])
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt setuptools
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $(STAMP)

run: $(STAMP) ## import the sample data into a sandbox that is started and stopped for it
	$(BIN)/python -m pipeline.sandbox --structure configs/sandbox.yaml -- \
		$(BIN)/copernica-import run $(JOB)

test: $(STAMP) ## run the tests
	$(BIN)/python -m pytest -n 2 $(TEST)

lint: $(STAMP) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test ## lint, then test

sandbox: $(STAMP) ## serve the local Copernica of the sample data on port 8765
	$(BIN)/copernica-import sandbox --structure configs/sandbox.yaml

nightly: $(STAMP) ## for cron: make nightly JOB=configs/my.yaml [DUMP="file ..."]
	$(if $(filter file,$(origin JOB)),$(error say which job: make nightly JOB=configs/my.yaml))
	@$(BIN)/copernica-import run $(JOB) $(DUMP)

# The other tools that are measured live apart, so that nothing of theirs is there when ours runs.
BENCH_STAMP := benchmarks/.venv/.installed
ROWS ?= 1000000
ONLY ?=
BIG ?=

$(BENCH_STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv benchmarks/.venv
	benchmarks/.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt setuptools
	benchmarks/.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--no-build-isolation '.[bench]'
	@touch $@

bench: $(STAMP) $(BENCH_STAMP) ## measure speed and memory: make bench [ROWS=1000000] [ONLY=limit,run] [BIG=1]
	$(BIN)/python -m benchmarks --rows $(ROWS) $(if $(ONLY),--only $(ONLY)) $(if $(BIG),--big)

TIMES ?= 20
MINUTES ?= 10

soak: $(STAMP) ## kill runs at random moments, many times: make soak [TIMES=20]
	SOAK=$(TIMES) $(BIN)/python -m pytest -n 2 --timeout 7200 tests/resume/test_crash.py -k moment

fuzz: $(STAMP) ## throw damaged and hostile input at the command line: make fuzz [MINUTES=10]
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

# State folders stay: the ledger of real runs may be in them.
clean: ## remove what was built
	rm -rf $(VENV) benchmarks/.venv build *.egg-info pipeline/extract/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis
