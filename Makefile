# GNU make 3.81 suffices. Everything lives in .venv, which the targets make by themselves.
PORT ?= 4000
NODES ?= 1
SCENARIO ?= killed
SEED ?= 1
MINUTES ?=
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
TEST := $(VENV)/.test
CANDIDATES := python3.14 python3.13 python3.12 python3.11 python3

.DEFAULT_GOAL := help
.PHONY: help setup run test verify nightly chaos soak reliability check format bench bench-scale bench-peers clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /	/' | expand -t 12

setup: $(TEST) ## the whole environment in .venv

$(RUN): pyproject.toml constraints.txt .ci/setup
	@sh .ci/setup "$(VENV)" dev $(CANDIDATES)
	@touch $@

$(TEST): $(RUN)
	@sh .ci/setup "$(VENV)" dev,test $(CANDIDATES)
	@touch $@

run: $(RUN) ## engine, worker and dashboard on http://localhost:4000 (PORT=…, NODES=3 for a cluster)
	@$(BIN)/orquestrax dev examples/hello.py --port $(PORT) --nodes $(NODES)

test: $(TEST) ## unit, store, faults, browser: under 8 minutes
	@$(BIN)/python -m pytest -n 2 -m "not verify"

verify: $(TEST) ## a second PostgreSQL, kill -9 sweeps, thousands of programs: under 25 minutes
	@sh .ci/pythons
	@$(BIN)/python -m pytest -n 2 -m verify
	@PATH="$$PWD/$(BIN):$$PATH" sh .ci/second-postgresql

chaos: $(TEST) ## one fault on real nodes, again and again: SCENARIO=killed (SEED=1 MINUTES=2)
	@$(BIN)/python -m tests.chaos "$(SCENARIO)" --seed $(SEED) --minutes $(or $(MINUTES),2)

soak: $(TEST) ## a random mix of all faults on real nodes: MINUTES=60 SEED=1; report in .artifacts/soak.json
	@$(BIN)/python -m tests.chaos soak --seed $(SEED) --minutes $(or $(MINUTES),60)

nightly: $(TEST) ## test and verify with many more programs and a million seeds, 200,000 workflows, ten busy nodes: no limit
	@ORQUESTRAX_PROGRAMS=$${ORQUESTRAX_PROGRAMS:-40000} ORQUESTRAX_SEEDS=$${ORQUESTRAX_SEEDS:-1000000} $(MAKE) --no-print-directory test verify
	@$(BIN)/python -m bench.endurance
	@$(BIN)/python -m bench.crowd

reliability: $(TEST) ## docs/reliability.md anew: the promises, their tests, the last `make soak`
	@$(BIN)/python -m tests.reliability

check: $(TEST) ## format, lint, types, import contract
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/basedpyright --level error
	@$(BIN)/lint-imports

format: $(TEST) ## rewrite the code in the house's style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(RUN) ## W1 to W4 and W7, calm rounds apart, then W5 and W10, W6 and W8: tables and JSON (ROUNDS=3)
	@$(BIN)/python -m bench $(ROUNDS)
	@$(BIN)/python -m bench.calm
	@$(BIN)/python -m bench.cluster $(ROUNDS)
	@$(BIN)/python -m bench.asleep
	@$(BIN)/python -m bench.takeover

bench-scale: $(RUN) ## W6 with a million asleep and 100,000 due, W9 with ten million events stored: a quarter of an hour
	@$(BIN)/python -m bench.asleep 1000000 100000
	@$(BIN)/python -m bench.stored 10000000

bench-peers: $(RUN) ## the same in DBOS, Restate, Absurd and Oban beside it, installed by itself (ROUNDS=3)
	@$(BIN)/python -m bench.peers.run $(ROUNDS)

clean: ## remove the environment and caches
	@rm -rf $(VENV) .artifacts .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
