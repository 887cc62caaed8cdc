# One command per intent. Each target creates .venv if it is missing or older than pyproject.toml
# or constraints.txt. `run` and `chat` install the runtime packages, the other targets all packages.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
RUNTIME := .venv/.runtime
DEV := .venv/.dev
LOCK := pyproject.toml constraints.txt
# Each start of a process would compile all modules again.
export PYTHONDONTWRITEBYTECODE :=
PORT ?= 8000
export PORT
SECONDS ?= 600
SEED ?= 1
SESSIONS ?= 100000

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(RUNTIME) ## start everything on http://127.0.0.1:$PORT (default 8000); Ctrl-C stops it
	@exec $(BIN)/python manage.py run --end-with-parent

.PHONY: chat
chat: $(RUNTIME) ## chat in the terminal with the server that `make run` started
	@$(BIN)/python manage.py chat

# Tests mostly wait, so run two processes per core of the smallest supported machine. Files keep the
# order of tests/conftest.py, which starts the longest group first.
PARALLEL := --numprocesses 4 --no-loadscope-reorder

.PHONY: test
test: $(DEV) ## run the tests, without long repetitions and slow faults; ARGS="-k name" selects tests
	$(BIN)/pytest $(PARALLEL) $(ARGS)

# Compiles all tests once; otherwise, each process of the first `make test` does.
.PHONY: collect
collect: $(DEV)
	$(BIN)/pytest --collect-only --quiet | tail -n 20

.PHONY: test-all
test-all: $(DEV) ## the same with long repetitions and variants
	$(BIN)/pytest $(PARALLEL) --all $(ARGS)

.PHONY: test-cluster
test-cluster: $(DEV) ## test store, API, events, webhooks, admin and export on a Redis Cluster
	TEST_REDIS_CLUSTER=1 $(BIN)/pytest $(PARALLEL) $(ARGS) \
		$(addprefix tests/integration/,admin api realtime store transcripts webhooks)

.PHONY: cases
cases: $(DEV) ## test every row of docs/cases.md and print the results
	$(BIN)/pytest -m case $(PARALLEL) $(ARGS)

.PHONY: faults
faults: $(DEV) ## test every row of docs/faults.md, including the slow ones, and print the results
	$(BIN)/pytest tests/acceptance tests/integration -m fault $(ARGS)

.PHONY: soak
soak: $(DEV) ## inject random faults under load; SECONDS=600 SEED=1
	SOAK_SECONDS=$(SECONDS) SOAK_SEED=$(SEED) $(BIN)/pytest tests/acceptance/soak --all \
		-o log_cli=true -o log_cli_level=INFO $(ARGS)

.PHONY: security
security: $(DEV) ## test every row of docs/security.md and print the results
	$(BIN)/pytest -m security $(PARALLEL) $(ARGS)

.PHONY: lint style types
lint: style types ## check format, style, types, layers, security, words, docs, Lua scripts and deployment files
style: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive project chat fakemodel parley_client
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	$(BIN)/hadolint Dockerfile
	$(BIN)/python scripts/check_words.py
	$(BIN)/python -m checks
types: $(DEV)
	$(BIN)/mypy

.PHONY: docs
docs: $(DEV) ## build the docs site in site/; a broken link is an error
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet

.PHONY: js
js: $(DEV) ## build and test the JavaScript client in clients/js; requires Node 20.3 or newer
	$(BIN)/python -m checks --write
	cd clients/js && npm ci --ignore-scripts --no-audit --no-fund && npm run build && npm test

.PHONY: sdks
sdks: ## install the SDKs for Node that tests use, if there is Node 20.3 or newer
	scripts/sdks

.PHONY: tools
tools: ## install a browser and servers for some tests, if apt-get is available
	scripts/browser
	scripts/fault-tools
	scripts/proxies

.PHONY: format
format: $(DEV) ## format the code and apply safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(DEV) ## run the benchmarks; ARGS="--against REV" compares with another revision
	$(BIN)/python -m bench $(ARGS)

.PHONY: scale
scale: $(DEV) ## measure many sessions and subscribers; SESSIONS=1000000 sets their number
	BENCH_SESSIONS=$(SESSIONS) $(BIN)/python -m bench scale

.PHONY: lock
lock: ## regenerate constraints.txt from pyproject.toml
	scripts/lock

.PHONY: clean
clean: ## remove .venv and caches; keep .parley (your data)
	rm -rf .venv staticfiles .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): $(LOCK)
	@scripts/install .
	@touch $@

$(DEV): $(LOCK)
	@scripts/install '.[dev]'
	@touch $(RUNTIME) $@
