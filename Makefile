# What everyone runs. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
# Compiled once here rather than at each start of each process, where the environment forbids Python to keep bytecode.
UV := $(BIN)/uv pip install --quiet --require-hashes --compile-bytecode

COMPILE := $(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup demo up stores test test-fast check bench chaos-index chaos-chat chaos-services test-deployment quality answers secrets lock clean clean-env

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: .venv/.ready ## create .venv from the hash-pinned lock

.venv/.ready: requirements/project.txt requirements/object-store.txt requirements/uv.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11-3.13 is needed; name it with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "Python 3.11-3.13 is needed, $(PYTHON) is another; name one with: make PYTHON=python3.12"; exit 1; }
	@echo "creating .venv (about 1 GB, once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(UV) --python $(BIN)/python -r requirements/project.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(PYTHON) -m venv .venv-object-store
	@$(UV) --python .venv-object-store/bin/python -r requirements/object-store.txt
	@touch $@

demo: setup ## start everything, index the sample site through Airflow, ask, stop
	@exec $(BIN)/rag demo $(DEMO)

up: setup ## keep the services, Airflow and the sample site running until Ctrl-C
	@exec $(BIN)/rag up --all

stores: setup ## keep the object store and Milvus alone running until Ctrl-C
	@exec $(BIN)/rag up

# Tests are compiled once, also where the environment forbids Python to keep bytecode: each worker would do it again.
PYTEST := OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest

test: setup ## all tests
	@# More workers than cores, since each waits for other processes now and then, and one for Airflow most of the time.
	@# Tests that share services stay together, and the longest come first.
	@$(PYTEST) -n 4 --no-loadscope-reorder $(TESTS)

test-fast: setup ## unit and contract tests: no service, no Airflow, no browser (about a minute on two cores)
	@# One worker more than cores, since some tests wait for a time limit.
	@$(PYTEST) -n 3 -m "(unit or contract) and not service" tests/contract tests/app tests/unit

check: setup ## ruff, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

chaos-index: setup ## attack index versions with races, kills, stops, readers and flipped bits (about 12 min)
	@OPENBLAS_NUM_THREADS=1 PYTHONWARNINGS=ignore::UserWarning:multiprocessing.resource_tracker \
	  exec nice $(BIN)/python -m bench.chaos_index $(CHAOS)

chaos-chat: setup ## attack conversations with kills of the worker and load (about 10 min)
	@OPENBLAS_NUM_THREADS=1 PYTHONWARNINGS=ignore::UserWarning:multiprocessing.resource_tracker \
	  exec nice $(BIN)/python -m bench.chaos_chat $(CHAOS)

# The environments of the two images.
.venv-airflow/.ready .venv-page/.ready: .venv-%/.ready: requirements/%.txt .venv/.ready
	@echo "creating .venv-$*"
	@$(PYTHON) -m venv .venv-$*
	@$(UV) --python .venv-$*/bin/python -r requirements/$*.txt
	@$(BIN)/uv pip install --quiet --python .venv-$*/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

test-deployment: setup .venv-airflow/.ready .venv-page/.ready ## run docker-compose.yaml's services as processes and try them (about 20 min)
	@OPENBLAS_NUM_THREADS=1 exec $(BIN)/python -m bench.deployment $(DEPLOYMENT)

chaos-services: setup ## kill each process of `make up`, one at a time, and start again (about 5 min)
	@OPENBLAS_NUM_THREADS=1 exec $(BIN)/python -m bench.chaos_services $(CHAOS)

# The environment of what searches are measured beside.
.venv-peers/.ready: requirements/peers.txt .venv/.ready
	@echo "creating .venv-peers"
	@$(PYTHON) -m venv .venv-peers
	@$(UV) --python .venv-peers/bin/python -r requirements/peers.txt
	@touch $@

bench: setup $(if $(findstring --peers,$(BENCH)),.venv-peers/.ready) ## measure searches; BENCH=--peers: beside other libraries, BENCH=--short: some seconds
	@OPENBLAS_NUM_THREADS=1 exec nice $(BIN)/python -m bench.speed $(BENCH)

quality: setup ## measure retrieval on all data there is; writes docs/quality.md (about 10 min, later 1 min)
	@OPENBLAS_NUM_THREADS=1 exec nice $(BIN)/python -m bench.quality $(QUALITY)

answers: setup ## measure offline answers over real texts; writes bench/results/answers.json (about 3 min)
	@OPENBLAS_NUM_THREADS=1 exec nice $(BIN)/python -m bench.answers $(ANSWERS)

secrets: ## make the passwords and keys of docker-compose.yaml, once
	@$(PYTHON) docker/make_secrets.py

lock: setup ## resolve the dependencies again
	@$(COMPILE) --group dev --extra airflow --extra documents --extra embedded --extra mcp --extra page --extra plots --extra rerank --extra together pyproject.toml -o requirements/project.txt
	@$(COMPILE) --no-annotate -c requirements/project.txt --extra deployment pyproject.toml requirements/build.in -o requirements/airflow.txt
	@$(COMPILE) --no-annotate -c requirements/project.txt --extra documents --extra page --extra plots --extra together pyproject.toml requirements/build.in -o requirements/page.txt
	@$(COMPILE) requirements/object-store.in -o requirements/object-store.txt
	@$(COMPILE) requirements/uv.in -o requirements/uv.txt
	@$(COMPILE) --no-annotate requirements/peers.in -o requirements/peers.txt

clean: ## remove the data of the embedded services
	rm -rf .data

clean-env: ## remove the environments
	rm -rf .venv .venv-object-store .venv-airflow .venv-page .venv-peers
