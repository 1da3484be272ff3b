# Rostrum: set-up, the main job and the checks. `make help` lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
JOBS   ?= 2
BASELINES := ranker kvmemnn seq2seq constant_words word_frequency

.PHONY: help demo test check bench clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/.server: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,sandbox,server]'
	@touch $@

$(VENV)/.dev: $(VENV)/.server
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,sandbox,server,dev]'
	@touch $@

demo: $(VENV)/.server ## the main job: train, submit, score in a sandbox, show the board (ARGS="--no-serve ...")
	$(BIN)/rostrum demo $(ARGS)

test: $(VENV)/.dev ## all tests (those whose services are absent are skipped, see README)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

check: $(VENV)/.dev ## style, types, and the arrows between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	for folder in $(BASELINES); do \
	  (cd baselines/$$folder && MYPYPATH=. ../../$(BIN)/mypy --config-file= --strict \
	    --explicit-package-bases --cache-dir ../../.mypy_cache/$$folder *.py) || exit 1; done

bench: $(VENV)/.dev ## the benchmarks: ratios within one run
	for file in tests/bench/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean: ## remove the virtual environment and caches of this checkout
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
