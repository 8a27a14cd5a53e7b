# Needs python3 (3.11 or newer) and make; .venv, uv and all packages are brought by the first target that wants them.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# What `make demo` hands on: ONCE=1 does the whole job and ends, LOG=FILE loads a real incident log.
DEMO := $(if $(ONCE),--once) $(if $(LOG),--log "$(LOG)")

.PHONY: help demo test lint format clean
.DEFAULT_GOAL := help

help:
	@echo "make demo                 start everything and serve until Ctrl-C"
	@echo "make demo ONCE=1          do the whole job once, print a summary, end"
	@echo "make demo LOG=FILE        the same with a real incident log (CSV, may be gzipped)"
	@echo "make test                 everything that a change must pass"
	@echo "make lint                 only style, types and imports"
	@echo "make format               put the style right"
	@echo "make clean                remove .venv and caches; the data in .evenhand stays"

demo: $(READY)
	@$(BIN)/evenhand demo $(DEMO)

test: lint
	$(BIN)/pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/uv lock --check --offline --quiet

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(READY): uv.lock pyproject.toml deploy/bootstrap.py deploy/bootstrap-requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "evenhand: $(PYTHON) must be Python 3.11 or newer, here it is: $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Install a newer one and name it, as in: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) deploy/bootstrap.py
	@touch $@
