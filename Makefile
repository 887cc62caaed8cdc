# One command per intent. Each makes .venv by itself when it is missing or older than
# pyproject.toml or constraints.txt: `run` the packages it needs, the others all of them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
RUNTIME := .venv/.runtime
DEV := .venv/.dev
LOCK := pyproject.toml constraints.txt
PORT ?= 8000
export PORT
SECONDS ?= 600
SEED ?= 1

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(RUNTIME) ## everything on http://127.0.0.1:$PORT (default 8000), until Ctrl-C
	@exec $(BIN)/python manage.py run --end-with-parent

.PHONY: chat
chat: $(RUNTIME) ## a chat in the terminal, with what `make run` has started
	@$(BIN)/python manage.py chat

# The tests wait more than they work: two processes to a core of the smallest machine. Files keep
# their order, so that the soak, which takes longest, is begun first; tests/conftest.py gives them out.
PARALLEL := --numprocesses 4 --no-loadscope-reorder

.PHONY: test
test: $(DEV) ## all tests; ARGS="-k name" chooses
	$(BIN)/pytest $(PARALLEL) $(ARGS)

.PHONY: faults
faults: $(DEV) ## every row of docs/faults.md, the slow ones too, and whether its tests have passed
	$(BIN)/pytest tests/acceptance -m fault $(ARGS)

.PHONY: soak
soak: $(DEV) ## all troubles at random under load; SECONDS=600 SEED=1
	SOAK_SECONDS=$(SECONDS) SOAK_SEED=$(SEED) $(BIN)/pytest tests/acceptance/soak \
		-o log_cli=true -o log_cli_level=INFO $(ARGS)

.PHONY: security
security: $(DEV) ## every row of docs/security.md, and whether its tests have passed
	$(BIN)/pytest -m security $(PARALLEL) $(ARGS)

.PHONY: lint style types
lint: style types ## format, style, types, layers, security, compose file, Dockerfile
style: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive project chat fakemodel parley_client
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint Dockerfile
types: $(DEV)
	$(BIN)/mypy

.PHONY: docs
docs: $(DEV) ## the docs as a site, in site/; a broken link is an error
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet

.PHONY: tools
tools: ## what some tests need besides: a browser, strace, faketime; Debian's, when it may
	scripts/browser
	scripts/fault-tools

.PHONY: format
format: $(DEV) ## put the code into the form that lint wants
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(DEV) ## one table of figures; BENCH_JSON=file writes them too
	$(BIN)/python -m bench

.PHONY: lock
lock: ## constraints.txt anew, from what pyproject.toml allows
	scripts/lock

.PHONY: clean
clean: ## remove .venv and caches; .parley (your data) stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): $(LOCK)
	@scripts/install .
	@touch $@

# Python compiles what is imported, a small part; pip would compile all, for half a minute.
$(DEV): $(LOCK)
	@PIP_NO_COMPILE=1 scripts/install '.[dev]'
	@touch $(RUNTIME) $@
