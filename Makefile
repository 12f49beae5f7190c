# Every target sets itself up: it makes the environment once, installs what it needs once, and runs.

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help demo test check docs clean

help:
	@echo "make demo   simulate an experiment, analyse it, show estimates beside the truth (results in demo/)"
	@echo "make test   run the tests"
	@echo "make check  lint, types, direction of imports"
	@echo "make docs   build the pages (docs/_build/html)"
	@echo "make clean  remove the environment and everything that was built"

$(VENV)/base.done: pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer with venv was found; pass PYTHON=..." >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade "pip>=25.1"  # the first that knows --group
	$(PIP) --editable .
	@touch $@

$(VENV)/test.done: $(VENV)/base.done
	$(PIP) --group test
	@touch $@

$(VENV)/check.done: $(VENV)/base.done
	$(PIP) --group check
	@touch $@

$(VENV)/docs.done: $(VENV)/base.done
	$(PIP) --group docs
	@touch $@

demo: $(VENV)/base.done
	$(BIN)/selfinterp demo --out demo --force

test: $(VENV)/test.done
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not many and not thorough" --cov --cov-report=term
	$(BIN)/python -m pytest -n auto --dist worksteal -m "many or thorough"  # tracing would double their time

check: $(VENV)/check.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/docs.done
	$(BIN)/sphinx-build -W --keep-going -q -E docs docs/_build/html

clean:
	rm -rf $(VENV) demo docs/_build .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
