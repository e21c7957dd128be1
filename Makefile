# Everything runs in the project's own virtual environment; `make help` lists the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP_INSTALL := pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Once for all, also where Python may not write what it has compiled: each start is a fifth of a second shorter.
COMPILE := $(BIN)/python -m compileall -q pipeline
JOB ?= configs/customers.yaml
DUMP ?=
WAIT ?=
QUIET ?= 1
TEST ?= tests
PORT ?= 8765
# What was in the sandbox of the last `make run`.
KEPT := build/sandbox/last.db

.DEFAULT_GOAL := help
.PHONY: help setup run test lint format check package sandbox show nightly bench bench-profiles soak fuzz sanitize clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## make the virtual environment and install what is pinned

$(STAMP): pyproject.toml constraints.txt $(wildcard pipeline/*/_*.[ch] pipeline/*/*/_*.[ch])
	$(PYTHON) -m venv $(VENV)
	rm -f pipeline/*/*.so pipeline/*/*/*.so  # an older build would be found first
	$(BIN)/python -m $(PIP_INSTALL) setuptools
	PYTHONWARNINGS=ignore $(BIN)/python -m $(PIP_INSTALL) --no-build-isolation --editable '.[dev]'
	$(COMPILE)
	@touch $(STAMP)

run: $(STAMP) ## import the sample data into a sandbox that is started and stopped for it
	$(BIN)/python -m pipeline.sandbox --structure configs/sandbox.yaml --keep $(KEPT) -- \
		$(BIN)/copernica-import run $(JOB)

show: $(STAMP) ## look at the sandbox of the last make run in a browser: make show [PORT=8765]
	@[ -f $(KEPT) ] || { echo "error: there is nothing to show yet; run: make run" >&2; exit 3; }
	@$(BIN)/copernica-import sandbox --store $(KEPT) --port $(PORT)

# Compiled tests are kept, whatever the shell says: else each worker of each run compiles all of them.
test: export PYTHONDONTWRITEBYTECODE =
test: $(STAMP) ## run the tests; those of the readers before that with the readers in Python
	@$(COMPILE)
ifeq ($(TEST),tests)
	COPERNICA_READERS=python $(BIN)/python -m pytest -n 4 --dist worksteal tests/extract
endif
	$(BIN)/python -m pytest -n 4 --dist worksteal $(TEST)

lint: $(STAMP) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## lay the code out, and mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint test ## lint, then test

package: $(STAMP) ## build sdist and wheel, and use the wheel in an empty environment in another folder
	.ci/package $(abspath $(BIN)/python)

sandbox: $(STAMP) ## serve the local Copernica of the sample data on port 8765
	$(BIN)/copernica-import sandbox --structure configs/sandbox.yaml

# Nothing is installed at night: an environment older than the pins is an error.
nightly: ## for cron: make nightly JOB=configs/my.yaml [DUMP="file ..."] [WAIT=seconds] [QUIET=]
	$(if $(filter file,$(origin JOB)),$(error name the job: make nightly JOB=configs/my.yaml))
	@for file in pyproject.toml constraints.txt; do \
		if ! [ -f $(STAMP) ] || [ $$file -nt $(STAMP) ]; then \
			echo "error: the environment is older than $$file; run: make -C $(CURDIR) setup" >&2; exit 3; fi; done
	@$(BIN)/copernica-import run $(if $(QUIET),--quiet) $(if $(WAIT),--wait $(WAIT)) $(JOB) $(DUMP)

# What is measured lives apart from the tools of its development, and the other tools apart from it.
BENCH := benchmarks/.venv
OTHERS := benchmarks/.venv-others
BENCH_STAMP := $(BENCH)/.installed
OTHERS_STAMP := $(OTHERS)/.installed
ROWS ?= 1000000
ONLY ?=
BIG ?=

$(BENCH_STAMP): pyproject.toml constraints.txt $(wildcard pipeline/*/_*.[ch] pipeline/*/*/_*.[ch])
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m $(PIP_INSTALL) setuptools
	$(BENCH)/bin/python -m $(PIP_INSTALL) --no-build-isolation --editable '.[sandbox]'
	@touch $@

$(OTHERS_STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(OTHERS)
	$(OTHERS)/bin/python -m $(PIP_INSTALL) setuptools
	$(OTHERS)/bin/python -m $(PIP_INSTALL) --no-build-isolation '.[bench]'
	@touch $@

bench: $(BENCH_STAMP) $(OTHERS_STAMP) ## measure speed and memory: make bench [ROWS=1000000] [ONLY=limit,run] [BIG=1]
	$(BENCH)/bin/python -m benchmarks --rows $(ROWS) $(if $(ONLY),--only $(ONLY)) $(if $(BIG),--big)

PROFILES ?= 10000

bench-profiles: $(BENCH_STAMP) ## measure the per-profile method: make bench-profiles [PROFILES=10000]
	$(BENCH)/bin/python -m benchmarks.profiles --profiles $(PROFILES)

TIMES ?= 20
# Where `tests/support/soak.py` leaves something out of a plain run.
SOAKED = $(shell grep -lr support.soak tests --include=test_*.py)
MINUTES ?= 10

soak: $(STAMP) ## kill runs at every step and at random moments, many times: make soak [TIMES=20]
	SOAK=$(TIMES) $(BIN)/python -m pytest -n 2 --timeout 7200 $(SOAKED)

SANITIZED := build/sanitize
SANITIZE_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -shared -fPIC
SANITIZE_RUN = cd $(SANITIZED) && \
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc $(CURDIR)/$(BIN)/python

sanitize: $(STAMP) ## run the tests of the readers and five minutes of fuzzing under address and UB sanitizers: make sanitize [MINUTES=5]
	rm -rf $(SANITIZED) && mkdir -p $(SANITIZED)
	cp -r pipeline tests configs schemas sample_data docs pyproject.toml README.md $(SANITIZED)
	rm -f $(SANITIZED)/pipeline/*/*.so $(SANITIZED)/pipeline/*/*/*.so
	for module in extract/csv/_csv extract/json/_json stage/_digest; do \
		gcc $(SANITIZE_FLAGS) -I$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("include"))') \
			$(SANITIZED)/pipeline/$$module.c -o $(SANITIZED)/pipeline/$$module.abi3.so || exit 1; done
	$(SANITIZE_RUN) -m pytest -p no:cacheprovider --timeout 1800 tests/extract
	$(SANITIZE_RUN) -m tests.fuzz --minutes $(if $(filter file,$(origin MINUTES)),5,$(MINUTES))

fuzz: $(STAMP) ## throw hostile input at the command line, then hostile requests at the sandbox: make fuzz [MINUTES=10]
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)
	$(BIN)/python -m tests.fuzz.api --minutes $(MINUTES)

# State folders stay: the ledger of real runs may be in them.
clean: ## remove what was built
	rm -rf $(VENV) $(BENCH) $(OTHERS) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find pipeline -name '*.so' -delete
	find . -name __pycache__ -prune -exec rm -rf {} +
