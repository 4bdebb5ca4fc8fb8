# Every target is one command line; `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
DATA ?= var/sandbox
LISTEN ?= 127.0.0.1:8080
JOBS ?= 3
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet

.DEFAULT_GOAL := help
T ?= tests

.PHONY: help setup run test one cov check fmt lint type imports docs bench e2e soak db clean lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/dev.stamp ## the virtual environment in .venv, with everything for development

run: .venv/run.stamp ## the sandbox on 127.0.0.1:8080 (LISTEN=, DATA=)
	@exec $(BIN)/numdesk serve --sandbox --listen $(LISTEN) --data $(DATA)

test: .venv/dev.stamp ## every test but the soak
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

one: .venv/dev.stamp ## the tests of a path, or with a word in their names (T=)
	@$(BIN)/python -m pytest $(if $(wildcard $(firstword $(subst ::, ,$(T)))),"$(T)",-k "$(T)")

cov: .venv/dev.stamp ## which lines no test runs (T=, as for `one`)
	@$(BIN)/coverage run -m pytest $(if $(wildcard $(firstword $(subst ::, ,$(T)))),"$(T)",-k "$(T)") && $(BIN)/coverage combine --quiet && $(BIN)/coverage report

check: test lint type imports ## what CI runs

fmt: .venv/dev.stamp ## lay the code out and fix what can be fixed
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: .venv/dev.stamp ## ruff: style, security, complexity
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

type: .venv/dev.stamp ## basedpyright
	@$(BIN)/basedpyright --level error

imports: .venv/dev.stamp ## the import rules of ARCHITECTURE.md
	@$(BIN)/lint-imports

docs: .venv/dev.stamp ## write docs/settings.md and docs/commands.md again, from the code
	@$(BIN)/python -m tests.support.reference

bench: .venv/dev.stamp ## measure every promise of performance; ends with a line for each
	@$(BIN)/python -m bench

e2e: .venv/dev.stamp ## the real process against the simulator
	@$(BIN)/python -m pytest tests/e2e

soak: .venv/dev.stamp ## the tests that live for minutes
	@$(BIN)/python -m pytest --soak -m soak

db: .venv/run.stamp ## psql on the database of a sandbox that runs (DATA=)
	@exec $(BIN)/python -m tests.support.psql $(DATA)

clean: ## remove what was made, except the data in var
	@rm -rf .venv .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage* build dist
	@find . -name __pycache__ -prune -exec rm -rf {} +

lock: .venv/dev.stamp ## choose newer versions within pyproject.toml and write them with their hashes
	@$(LOCK) --upgrade --extra build -o requirements.lock && $(LOCK) --upgrade --extra build --extra dev -c requirements.lock -o requirements-dev.lock

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("numdesk needs Python 3.11 or newer; say which with make PYTHON=...")'
	@$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.lock pyproject.toml | .venv/bin/python
	@echo "installing what numdesk needs into .venv"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/run.stamp
	@echo "installing the tools of development into .venv"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
