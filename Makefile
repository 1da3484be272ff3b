# Rostrum: set-up, the main job and the checks. `make help` lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
JOBS   ?= 2
BASELINES := ranker kvmemnn seq2seq lm tfidf_retrieval repeat_partner random_reply constant_words word_frequency
DATA   ?= ../shared/data/spc

.PHONY: help demo test check baselines gallery chaos bench coverage mutate fuzz clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/.server: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,sandbox,server]'
	@touch $@

$(VENV)/.dev: $(VENV)/.server
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,sandbox,server,postgres,redis,dev]'
	@touch $@

demo: $(VENV)/.server ## the main job: train, submit, score in a sandbox, show the board (ARGS="--no-serve ...")
	$(BIN)/rostrum demo $(ARGS)

test: $(VENV)/.dev ## all tests (those whose services are absent are skipped, see README)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.dev ## style, types, and the arrows between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	for folder in $(BASELINES); do \
	  (cd baselines/$$folder && MYPYPATH=. ../../$(BIN)/mypy --config-file= --strict \
	    --explicit-package-bases --cache-dir ../../.mypy_cache/$$folder *.py) || exit 1; done

baselines: $(VENV)/.server ## train and score every baseline on DATA, print the table (about half an hour)
	$(BIN)/rostrum baselines --data $(DATA) --out .baselines $(ARGS)

gallery: $(VENV)/.dev ## every hostile submission in every sandbox: expected, got, seconds
	$(BIN)/python tests/gallery/run.py $(ARGS)

chaos: $(VENV)/.dev ## every fault on real parts, and the invariants that held after it
	$(BIN)/python tests/chaos/run.py $(ARGS)

bench: $(VENV)/.dev ## the benchmarks: every figure of docs/performance.md, ratios within one run
	@missed=; for file in tests/bench/bench_*.py; do echo "== $$file"; \
	  OMP_NUM_THREADS=1 $(BIN)/python $$file || missed="$$missed $$file"; done; \
	  test -z "$$missed" || { echo "above their bar:$$missed"; exit 1; }

coverage: $(VENV)/.dev ## branch coverage of the harness's metrics, data and remote (each at least 95 %)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q tests/unit/harness tests/contracts/test_transcripts.py \
	  tests/contracts/test_oracle.py tests/integration/test_data_fetch.py
	$(BIN)/coverage combine -q
	for part in metrics data remote; do echo "== harness/$$part"; \
	  $(BIN)/coverage report --include="harness/$$part/*" --fail-under=95 || exit 1; done

$(VENV)/mutation/bin/mutmut: constraints.txt
	$(PYTHON) -m venv $(VENV)/mutation
	$(VENV)/mutation/bin/pip install --quiet --disable-pip-version-check -c constraints.txt \
	  mutmut==3.8.1 numpy click rich hypothesis sacrebleu pytest pytest-timeout

mutate: $(VENV)/mutation/bin/mutmut ## small faults put into the metrics: at least 90 % must be noticed
	$(VENV)/mutation/bin/python tests/mutation/run.py

SECONDS ?= 660
$(VENV)/fuzz/bin/python: constraints.txt
	$(PYTHON) -m venv $(VENV)/fuzz
	$(VENV)/fuzz/bin/pip install --quiet --disable-pip-version-check -c constraints.txt atheris numpy

fuzz: $(VENV)/fuzz/bin/python ## both ends of the protocol against bent frames, guided by coverage
	cd tests/fuzz && for end in evaluator inside; do mkdir -p /tmp/rostrum-fuzz-$$end; \
	  PYTHONPATH=../..:../contracts/transcripts ../../$(VENV)/fuzz/bin/python fuzz_$$end.py /tmp/rostrum-fuzz-$$end \
	  -max_total_time=$(SECONDS) -max_len=4096 || exit 1; done

clean: ## remove the virtual environment and caches of this checkout
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
