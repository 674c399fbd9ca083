# GNU make 3.81 suffices. Everything lives in .venv; `make setup` is implied by the other targets.
PORT ?= 4000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
CANDIDATES := python3.14 python3.13 python3.12 python3.11 python3

.DEFAULT_GOAL := help
.PHONY: help setup run test verify nightly check format bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## the environment in .venv

$(STAMP): pyproject.toml constraints.txt .ci/setup
	@sh .ci/setup "$(VENV)" $(CANDIDATES)
	@touch $(STAMP)

run: $(STAMP) ## engine, worker and dashboard on http://localhost:4000 (PORT=…)
	@$(BIN)/orquestrax dev examples/hello.py --port $(PORT)

test: $(STAMP) ## unit, store, faults, browser: under 8 minutes
	@$(BIN)/python -m pytest -n 2 -m "not verify"

verify: $(STAMP) ## a second PostgreSQL, kill -9 sweeps, thousands of programs: under 25 minutes
	@$(BIN)/python -m pytest -m verify

check: $(STAMP) ## format, lint, types, import contract
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/basedpyright --level error
	@$(BIN)/lint-imports

format: $(STAMP) ## rewrite the code in the house's style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP) ## W1 to W4 and W7 of docs/performance.md, a table and JSON
	@$(BIN)/python -m bench

clean: ## remove the environment and caches
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
